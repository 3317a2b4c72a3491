"""The protocols that ship with the framework."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from rethinkdc.contracts import hookimpl


@hookimpl
def register_protocols() -> list[Path]:
    """Returns the folder of shipped protocol files."""
    return [Path(str(resources.files("rethinkdc.protocols")))]
