"""Traces written by the recorder itself, what a score needs of a context, and a tiny teacher that can be inverted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.compressed import CompressedSet
from rethinkdc.context.run import RunContext
from rethinkdc.distillation.descent import recover
from rethinkdc.models import weights_digest
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.testing import context, images
from rethinkdc.training import Recipe, TraceRecorder
from rethinkdc.training.trace import Trace
from rethinkdc.types import Budget

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
        proxy = SimpleNamespace(scores=self.scores, training=recipe)
        return SimpleNamespace(proxy=proxy, proxy_scores=self.scores, proxy_recipe=lambda: proxy)

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


@dataclass
class Watched:
    """Stands before ``recover``, keeps what it is given, and ends the work at the call that ``dies_at`` names."""

    dies_at: int | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    recover: Callable[..., Tensor] = recover

    def __call__(self, start: Tensor, labels: Tensor, turns: Any, recipe: Any, **named: Any) -> Tensor:
        modules = [turn.matching.module for turn in turns]
        self.calls.append({"start": start.clone(), "labels": labels, "turns": turns, "recipe": recipe, **named})
        self.calls[-1] |= {"modules": modules, "digests": [weights_digest(module) for module in modules]}
        if len(self.calls) - 1 == self.dies_at:
            raise KeyboardInterrupt
        return self.recover(start, labels, turns, recipe, **named)


@dataclass
class Inversions:
    """Sets of four classes at 8 px under a teacher with BatchNorm, trained for two steps."""

    monkeypatch: pytest.MonkeyPatch
    classes: int = 4
    size: int = 8

    def here(self, folder: Path, **seeds: int) -> RunContext:
        """The digits' protocol with small teachers: with BatchNorm the standard one, with GroupNorm the weak one."""
        models = {
            f"teacher.recipes.{recipe}.model": {"name": "convnet", "values": {"depth": 1, "width": 8, "norm": norm}}
            for recipe, norm in (("standard", "batch"), ("weak", "group"))
        }
        protocol = Registry().protocols.find("digits-hard").override(models)
        data = images(classes=self.classes, per_class=6)
        return context(folder, data=data, protocol=protocol, ipc=2, seeds=Seeds(**seeds))

    def made(self, surroundings: RunContext, reference: str, ipc: int = 2) -> CompressedSet:
        budget = Budget(ipc=ipc, classes=self.classes, size=self.size)
        return surroundings.compress(reference, surroundings.data, budget)

    def canvases(self, found: CompressedSet) -> Tensor:
        return found.canvases(torch.arange(len(found)), self.size)

    def watch(self, dies_at: int | None = None) -> Watched:
        """From here on every batch is seen."""
        watched = Watched(dies_at)
        self.monkeypatch.setattr("rethinkdc.distillation.recovering.recover", watched)
        return watched


@pytest.fixture
def inversions(monkeypatch: pytest.MonkeyPatch) -> Inversions:
    """Makes tiny sets by inverting a tiny teacher."""
    return Inversions(monkeypatch)
