"""The messages of the API: planner_client.api.v1.run_pb2 and so on, as protoc makes them."""

import pathlib

if not (pathlib.Path(__file__).resolve().parent / "v1").is_dir():
    # Not installed: imported from its folder in the repository.
    from planner_client import generating

    __path__.append(str(generating.cached()))
