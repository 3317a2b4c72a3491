"""Methods that a test makes, as the plugin that an author has on the path but has not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rethinkdc.contracts.hooks import GROUP, hookimpl
from rethinkdc.method import Method
from rethinkdc.registry.registry import Registry
from rethinkdc.testing.contract import check_case, open_case
from rethinkdc.testing.verdicts import Report

Judge = Callable[..., Report]
INSTALLED = tuple(entry_points(group=GROUP))


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Judges an instance of a class of the test by the kit."""
    module = ModuleType("plugin_under_test")
    classes: list[type[Method]] = []
    tries = count()
    module.register_methods = hookimpl(lambda: classes)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plugin_under_test", module)

    def judged(method: Method, *, quick: bool = True, **given: Any) -> Report:
        classes[:] = [type(method)]
        monkeypatch.setattr(type(method), "__module__", "plugin_under_test")
        # By the method's own name, so that no other plugin is loaded.
        own = EntryPoint(name=method.name, value="plugin_under_test", group=GROUP)
        registry = Registry([*INSTALLED, own])
        case = open_case(method, tmp_path / str(next(tries)), registry=registry, **given)
        return check_case(case, quick=quick)

    return judged
