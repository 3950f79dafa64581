"""What the callbacks are where the framework that would give them a base class is not installed: tests, and other trainers with its events."""

from typing import Any, Dict


class BareCallback:
    """Answers every event of a trainer with nothing, and has no state."""

    @property
    def state_key(self) -> str:
        return type(self).__qualname__

    def state_dict(self) -> Dict[str, Any]:
        return {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_") or name in ("setup", "teardown", "load_state_dict"):
            return lambda *arguments, **named: None
        raise AttributeError(name)
