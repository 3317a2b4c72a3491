"""Faults of the surroundings, made inside the child that a command runs in; each is named by a row of the matrix."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from typing import Any


def kill(module: str, name: str, call: int, when: str) -> None:
    """Replaces ``module.name`` by one that kills the process before or after its ``call``-th call."""
    place: Any = importlib.import_module(module)
    *parents, last = name.split(".")
    for parent in parents:
        place = getattr(place, parent)
    original: Callable[..., Any] = getattr(place, last)
    left = call

    def replaced(*given: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*given, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, last, replaced)


def settle_at_once() -> None:
    """The index of boards keeps files however young they are."""
    importlib.import_module("rethinkdc.boards.index")._SETTLED = -1e9  # type: ignore[attr-defined]
