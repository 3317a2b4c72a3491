"""The trace at scale: what a recorder takes beside the network, and what reading each column takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from rethinkdc.training import TraceRecorder
from rethinkdc.training.columns import CLEAN_COLUMNS, COLUMNS
from tests.benchmarks.scale.scenario import Facts, Scenario
from tests.benchmarks.scale.tables import Tables

RECORDED = 2
"""Epochs that are recorded: each but the first, which has no change to tell, takes as long as the next."""
_BATCH = 256
_MODEL = nn.Identity()


def scenarios() -> Iterator[Scenario]:
    """Recording, checking and finishing; reading."""
    yield Scenario("trace", f"recording {RECORDED} epochs", _record)
    yield Scenario("trace", "reading every column", _read, _prepare)


def _prepare(tables: Tables, folder: Path) -> None:
    assert folder.exists()
    assert tables.trace.epochs


def _record(tables: Tables, folder: Path) -> Facts:
    shape, draws = tables.shape, torch.Generator().manual_seed(0)
    logits = torch.randn((_BATCH, shape.outputs), generator=draws) * 3
    features, targets = torch.rand((_BATCH, shape.features), generator=draws), shape.targets
    recorder = TraceRecorder(folder / "work", rows=shape.rows, epochs=RECORDED, classes=shape.outputs)
    took = {"record": 0.0, "state": 0.0}
    for epoch in range(RECORDED):
        begun = time.process_time()
        for rows in torch.randperm(shape.rows, generator=draws).split(_BATCH):
            recorder.batch(epoch, rows, logits[: len(rows)], targets[rows], features[: len(rows)])
        recorder.epoch_ended(epoch, _MODEL)
        took["record"], begun = time.process_time() - begun, time.process_time()
        state = recorder.state()
        took["state"] = time.process_time() - begun
    begun = time.process_time()
    assert recorder.restore(state)
    took["restore"], begun = time.process_time() - begun, time.process_time()
    recorder.finish(folder / "out")
    took["finish"] = time.process_time() - begun
    return {
        "rows per second": shape.rows / took["record"],
        **{f"{name} seconds": seconds for name, seconds in took.items()},
        "table bytes": (folder / "work" / "train.npy").stat().st_size,
        "map bytes": (folder / "work" / "before.npy").stat().st_size,
    }


def _read(tables: Tables, folder: Path) -> Facts:
    assert folder.exists()
    trace, facts = tables.trace, Facts()
    names = [*(f"train.{name}" for name in COLUMNS), *(f"clean.{name}" for name in CLEAN_COLUMNS)]
    for name in names:
        begun = time.process_time()
        epochs = (1, trace.epochs) if name.startswith("train.") else (trace.clean_epochs[-1],) * 2
        total = sum(map(_total, trace.column(name, *epochs)))
        assert total == total
        facts[name] = time.process_time() - begun
    return facts


def _total(epoch: torch.Tensor) -> float:
    return float(epoch.sum(dtype=torch.float64))
