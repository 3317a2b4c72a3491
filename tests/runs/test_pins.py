"""The keys of runs are what they were when they were pinned: a record is found again by every later version."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.registry.registry import Registry

SCRIPT = Path(__file__).with_name("pin.py")


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pin_runs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = load_script()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Cache]:
    return Registry(), Cache(tmp_path_factory.mktemp("pins"))


@pytest.mark.parametrize("pin", script.read_pins(), ids=lambda pin: str(pin["request"])[:60])
def test_a_run_has_the_key_that_was_pinned(pin: dict[str, Any], known: tuple[Registry, Cache]) -> None:
    assert script.resolve_pin(pin, *known).key == pin["key"]


def test_no_two_pinned_runs_share_a_key() -> None:
    keys = [pin["key"] for pin in script.read_pins()]
    assert len(set(keys)) == len(keys) >= 12
