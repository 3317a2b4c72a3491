"""A small set, its labelers, and a student of a few steps that learns from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Evaluator, Labeler
from rethinkdc.contracts.context import Context
from rethinkdc.measurement import Evaluation
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.testing import context, images
from rethinkdc.types import Supervision

IPC = 3


def protocol(steps: int = 9, batch: int = 5) -> Protocol:
    """A teacher and a student with BatchNorm, a few steps long."""
    small = {"name": "convnet", "values": {"depth": 1, "width": 8, "norm": "batch"}}
    found = (
        Registry()
        .protocols.find("digits-soft")
        .override(
            {
                "training.steps": steps,
                "training.batch": batch,
                "student.model": small,
                "teacher.recipes.standard.model": small,
                "teacher.recipes.standard.training.epochs": 3,
                "teacher.recipes.weak.model": small,
                "teacher.recipes.weak.training.epochs": 1,
            }
        )
    )
    assert found.teacher
    return found


@dataclass
class Bench:
    """A set of a few rows, and what trains on it."""

    here: Context

    @property
    def made(self) -> CompressedSet:
        first = [(self.here.data.targets == index).nonzero().flatten()[:IPC] for index in range(4)]
        return CompressedSet.of_rows(self.here.data, torch.cat(first))

    def prepared(self, labeler: str) -> Supervision:
        found: Supervision = self.here.method(Labeler, labeler).prepare(self.made, self.here)
        return found

    def evaluated(self, supervision: Supervision) -> Evaluation:
        test = images(per_class=5, seed=1)
        found = self.here.method(Evaluator, "standard").evaluate(self.made, supervision, test, self.here)
        assert isinstance(found, Evaluation)
        return found


def bench(folder: Path, given: Protocol | None = None, **seeds: int) -> Bench:
    return Bench(
        context(folder, data=images(), protocol=given or protocol(), ipc=IPC, seeds=Seeds(**seeds), short=False)
    )
