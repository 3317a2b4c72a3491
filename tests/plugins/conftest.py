"""Traces written by the recorder itself, and the part of a context that a score from a trace needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.training import Recipe, TraceRecorder
from rethinkdc.training.trace import Trace

FEATURE = 2.0
"""The one feature of every recorded row."""


def _logits(rows: Sequence[Sequence[float]]) -> Tensor:
    """Softmax of log p is p."""
    return torch.tensor(rows).clamp(min=1e-12).log()


def _recorded(folder: Path, epochs: Sequence[Any], clean: tuple[int, ...]) -> Trace:
    rows, at = len(epochs[0]), 0

    def observe_clean(_: nn.Module) -> Any:
        yield torch.arange(rows), _logits(epochs[at + 1]), torch.full((rows, 1), FEATURE)

    recorder = TraceRecorder(
        folder / "work",
        rows=rows,
        epochs=len(epochs),
        classes=len(epochs[0][0]),
        clean_epochs=clean,
        observe_clean=observe_clean,
    )
    for at, shown in enumerate(epochs):
        targets = torch.zeros(rows, dtype=torch.int64)
        recorder.batch(at, torch.arange(rows), _logits(shown), targets, torch.full((rows, 1), FEATURE))
        recorder.epoch_ended(at, nn.Identity())
    recorder.finish(folder / "out")
    return Trace(folder / "out")


@dataclass
class Traced:
    """The part of a context that a score from a trace needs."""

    runs: list[Trace]
    scores: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    optimizer: str = "adamw"

    def trace(self, repeat: int = 0) -> Trace:
        return self.runs[repeat]

    @property
    def proxy_epochs(self) -> int:
        return self.runs[0].epochs

    @property
    def clean_epochs(self) -> tuple[int, ...]:
        return self.runs[0].clean_epochs

    @property
    def protocol(self) -> Any:
        recipe = Recipe.model_validate({"epochs": self.proxy_epochs, "optimizer": {"name": self.optimizer}})
        return SimpleNamespace(proxy=SimpleNamespace(scores=self.scores, training=recipe))

    def note(self, **facts: Any) -> None:
        self.notes.update(facts)


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Trace]:
    """Writes a trace of rows of class 0 from their probabilities: ``record(epochs, clean=(...))``.

    ``epochs`` holds the probabilities of each row in each epoch; the clean columns show those of the next epoch.
    """
    count = iter(range(100))
    return lambda epochs, clean=(): _recorded(tmp_path / str(next(count)), epochs, clean)


@pytest.fixture
def surround() -> Callable[..., Traced]:
    """Makes the part of a context that a score from a trace needs, from its runs."""
    return lambda *runs, **values: Traced(list(runs), **values)
