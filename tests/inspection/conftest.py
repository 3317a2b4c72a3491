"""A cache for all inspections, so that the digits' teacher is trained once; images of digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rethinkdc.data.dataset import Dataset
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inspection-cache")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETHINKDC_CACHE", str(shared_cache))
    monkeypatch.setenv("RETHINKDC_RECORDS", str(tmp_path / "records"))
    return tmp_path


@pytest.fixture(scope="session")
def digits() -> Callable[[int], tuple[Tensor, Tensor]]:
    """So many digits of each class: uint8 [M, 3, 8, 8], int64 [M]."""
    train = Registry().build(Dataset, "digits").load(None).train

    def pick(ipc: int) -> tuple[Tensor, Tensor]:
        drawn, chosen = generator(0), []
        for index in range(10):
            rows = (train.targets == index).nonzero().flatten()
            chosen.append(rows[torch.randperm(len(rows), generator=drawn)[:ipc]])
        rows = torch.cat(chosen)
        return train.canvases(rows, 8), train.targets[rows]

    return pick
