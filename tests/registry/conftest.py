"""Distributions that lie in a folder of the test, and a cache of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rethinkdc.contracts.hooks import GROUP
from rethinkdc.registry import Registry

GOOD = '''
from typing import ClassVar
from pydantic import Field
from rethinkdc.contracts import Compressor, hookimpl

class Mine(Compressor):
    """A third party's."""
    name: ClassVar[str] = "NAME"

@hookimpl
def register_methods():
    return [Mine]
'''

Distribute = Callable[..., Registry]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What plugins are judged to be is remembered for the test alone."""
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "own-cache"))


@pytest.fixture
def distribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribute]:
    """Makes a distribution of one module of each name = source, which is put before a good plugin's unless it is whole.

    Gives a registry of the framework and of all that was made.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    made: list[str] = []

    def distributed(*, whole: bool = False, **sources: str) -> Registry:
        for name, source in sources.items():
            made.append(f"acme_{name}")
            about = site / f"acme_{name}-1.5.dist-info"
            about.mkdir(exist_ok=True)
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1.5\n")
            (about / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = acme_{name}\n")
            (site / f"acme_{name}.py").write_text(source if whole else source + GOOD.replace("NAME", name))
        importlib.invalidate_caches()
        return Registry()

    yield distributed
    for name in made:
        sys.modules.pop(name, None)
