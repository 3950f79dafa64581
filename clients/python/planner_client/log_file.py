"""A log that somebody else writes, and rotates, and cuts."""

import os
from typing import List, Optional

# Of a line; what is longer is of no trainer's, and is skipped to its end.
MOST_BYTES = 65536
# By which a file is known again: one that was cut and has grown beyond where we were has another beginning.
_BEGINNING = 256


class LineBuffer:
    """Bytes as they come, lines as they are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._skips = False

    def add(self, data: bytes) -> List[str]:
        parts = (self._rest + data).split(b"\n")
        self._rest = parts.pop()
        lines = []
        for part in parts:
            if not self._skips and len(part) <= MOST_BYTES:
                # A progress bar writes over its own line; what was there last counts.
                lines.append(part.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace"))
            self._skips = False
        if len(self._rest) > MOST_BYTES:
            self._rest, self._skips = b"", True
        return lines

    def end(self) -> List[str]:
        """What is left when nothing comes any more: a last line without its end."""
        lines = [] if self._skips or not self._rest else self.add(b"\n")
        self._rest, self._skips = b"", False
        return lines


class LogFile:
    """Reads what is new in the file at `path`, each time it is asked.

    A file that was renamed, and one of the same name begun (logrotate's `create`), is read to its end, then the new one from its beginning. One
    that was cut (`copytruncate`) is read from its beginning. One that is not there yet, or for a while, has no lines.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: Optional[int] = None
        self._offset = 0
        self._beginning = b""
        self._lines = LineBuffer()
        # When the file that is read was written last; 0: there is none yet.
        self.written_at = 0.0

    def poll(self, most_bytes: int = 1 << 20) -> List[str]:
        """Lines that are new. Empty: there are none for now. At most about `most_bytes` at once."""
        if self._descriptor is None and not self._open():
            return []
        if self._was_cut():
            self._rewind()
        lines = self._read(most_bytes)
        if not lines and self._was_replaced():
            # All of the old one has been read; what it ends with is all of its line that there will be.
            lines = self._lines.end()
            self.close()
            if self._open():
                lines += self._read(most_bytes)
        return lines

    def end(self) -> List[str]:
        """The last line, if it has no end and nobody is going to write it."""
        return self._lines.end()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self._rewind()
        return True

    def _rewind(self) -> None:
        self._offset, self._beginning, self._lines = 0, b"", LineBuffer()

    def _was_cut(self) -> bool:
        assert self._descriptor is not None
        if os.fstat(self._descriptor).st_size < self._offset:
            return True
        return os.pread(self._descriptor, len(self._beginning), 0) != self._beginning

    def _was_replaced(self) -> bool:
        assert self._descriptor is not None
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            # Between the renaming and the new file.
            return False
        return not os.path.samestat(named, os.fstat(self._descriptor))

    def _read(self, most_bytes: int) -> List[str]:
        assert self._descriptor is not None
        lines: List[str] = []
        # Until a line is complete, or nothing is left: a caller takes no line for the end of the file.
        while not lines:
            data = os.pread(self._descriptor, most_bytes, self._offset)
            if not data:
                break
            if len(self._beginning) < _BEGINNING:
                self._beginning += data[:_BEGINNING - len(self._beginning)]
            self._offset += len(data)
            lines = self._lines.add(data)
        self.written_at = os.fstat(self._descriptor).st_mtime
        return lines
