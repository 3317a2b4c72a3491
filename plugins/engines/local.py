"""The engine that every sweep has: processes of this machine, which the sweep starts and ends."""

from __future__ import annotations

from typing import ClassVar

from rethinkdc.contracts import Engine, Method, hookimpl


class Local(Engine):
    """Processes of this machine, as many as --jobs says; with one, the sweep's own. They end with the sweep."""

    name: ClassVar[str] = "local"
    here: ClassVar[bool] = True


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the engine ``local``."""
    return [Local]
