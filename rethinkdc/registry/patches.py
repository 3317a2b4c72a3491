"""Functions of torch, numpy and the framework that an import replaced: all other methods would compute with them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

_WHOLE = ("rethinkdc", "torch.nn", "torch.optim", "torch.utils.data", "torch.autograd", "torch.amp")
"""Modules that are looked at with all that lies below them."""
_ALONE = ("builtins", "math", "random", "numpy", "numpy.random", "torch", "torch.functional", "torch._tensor")
_MOST = 20
_CHANGING = {"__annotations__", "__dict__", "__doc__", "__weakref__", "__abstractmethods__", "__slotnames__"}

Known = dict[str, tuple[Any, dict[str, Any]]]


def look() -> Known:
    """All functions and classes of the modules that are loaded, and what the classes hold, by where they are found."""
    found: Known = {}
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or not (name in _ALONE or _below(name)):
            continue
        held = {key: value for key, value in vars(module).items() if callable(value) and not key.startswith("__")}
        found[f"{name}:"] = (module, held)
        for key, value in held.items():
            if isinstance(value, type) and getattr(value, "__module__", None) == name:
                found[f"{name}:{key}"] = (value, dict(vars(value)))
    return found


def replaced(known: Known) -> tuple[str, ...]:
    """The places, such as ``torch.nn.functional:relu``, that no longer hold what they held."""
    found = []
    for place, (owner, before) in known.items():
        now = vars(owner)
        for key, value in before.items():
            new = now.get(key)
            if key not in _CHANGING and callable(value) and new is not value and not _is_of_the_house(new, place):
                found.append(f"{place}{'' if place.endswith(':') else '.'}{key}")
    return tuple(sorted(found)[:_MOST])


@contextmanager
def put_back(places: Iterable[str]) -> Iterator[list[str]]:
    """Puts what lies in these places before the body back there after it; tells afterwards where that was needed."""
    before = []
    undone: list[str] = []
    for place in places:
        with suppress(Exception):
            owner, key = _owner(place)
            before.append((place, owner, key, vars(owner)[key]))
    try:
        yield undone
    finally:
        for place, owner, key, value in before:
            if vars(owner).get(key) is not value:
                setattr(owner, key, value)
                undone.append(place.replace(":", "."))


def _owner(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    *classes, key = path.split(".")
    owner: Any = import_module(module)
    for name in classes:
        owner = vars(owner)[name]
    return owner, key


def _is_of_the_house(new: Any, place: str) -> bool:
    """Whether a library replaced what is its own, as torch does when more of it is loaded."""
    top = place.partition(":")[0].partition(".")[0]
    if isinstance(new, type):
        return str(new.__module__).partition(".")[0] == top
    file = getattr(getattr(new, "__code__", None), "co_filename", "")
    home = getattr(sys.modules.get(top), "__file__", None)
    return bool(file and home) and Path(file).is_relative_to(Path(str(home)).parent)


def _below(name: str) -> bool:
    return any(name == whole or name.startswith(f"{whole}.") for whole in _WHOLE)
