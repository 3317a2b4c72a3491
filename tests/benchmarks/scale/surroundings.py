"""What a method is given at the scale of a shape: the real context, with tables in place of a trained proxy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from rethinkdc.context.cache import Cache
from rethinkdc.context.run import RunContext
from rethinkdc.context.work import Work
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.training.teacher import Teacher
from rethinkdc.training.trace import Trace
from rethinkdc.types import Predictions
from tests.benchmarks.scale.tables import Shape, Tables


@dataclass(frozen=True, kw_only=True)
class TabledContext(RunContext):
    """Scores, sets and artefacts go their whole way; neither the proxy nor the teacher was ever trained."""

    tables: Tables
    answers: Teacher | None = None

    def trace(self, repeat: int = 0) -> Trace:
        assert repeat == 0
        return self.tables.trace

    def predictions(self) -> Predictions:
        return self.tables.predictions

    def teacher(self, reference: Reference | str | None = None) -> Teacher:
        assert reference is None
        assert self.answers is not None
        return self.answers


def protocol_of(shape: Shape, registry: Registry) -> Protocol:
    """``imagenet1k-hard`` with the proxy's epochs of the shape."""
    whole = registry.protocols.find("imagenet1k-hard")
    if shape.epochs == whole.proxy_recipe().training.epochs:
        return whole
    values = {"proxy.training.epochs": shape.epochs, "proxy.clean": list(shape.clean_epochs), "proxy.scores": {}}
    return whole.override(values)


def context_of(tables: Tables, folder: Path, answers: Teacher | None = None) -> TabledContext:
    """A context whose cache, under ``folder``, is empty."""
    registry = Registry()
    protocol, cache = protocol_of(tables.shape, registry), Cache(folder / "cache")
    return TabledContext(
        data=tables.images,
        protocol=protocol,
        seeds=Seeds(),
        cache=cache,
        methods=registry,
        device=torch.device("cpu"),
        ipc=None,
        student=protocol.student,
        work=Work(folder=cache.work("runs", "scale")),
        tables=tables,
        answers=answers,
    )
