"""Records of real runs, and hands that change them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.runs.schemas import seal_of

SHORT = {"training.steps": 3}


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``records`` of two runs, and the ``cache`` that they used."""
    folder = tmp_path_factory.mktemp("ran")
    for seed in (0, 1):
        rdc.run(
            "random",
            dataset="digits",
            ipc=2,
            seed=seed,
            overrides=SHORT,
            records=folder / "records",
            cache_dir=folder / "cache",
            device="cpu",
        )
    return folder


@pytest.fixture
def records(ran: Path, tmp_path: Path) -> Path:
    """A copy of the records."""
    return shutil.copytree(ran / "records", tmp_path / "records")


@pytest.fixture
def change() -> Callable[..., None]:
    """Changes what a record says, by a function of its content; sealed anew unless it is told not to."""

    def changed(file: Path, how: Callable[[dict[str, Any]], None], *, seal: bool = True) -> None:
        content = json.loads(file.read_text())
        how(content)
        if seal:
            content["seal"] = seal_of(content)
        file.write_text(json.dumps(content))

    return changed
