"""Stored labels at scale: written and read in every coding, by a teacher that answers at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from rethinkdc.labels import Coding, Dense, Ensemble, LabelReader, LabelSchedule, Quantised, Shards, TopK, write_labels
from rethinkdc.training.length import Length
from rethinkdc.types import ViewBatch
from tests.benchmarks.scale.networks import Answers, teacher_of
from tests.benchmarks.scale.scenario import Facts, Scenario
from tests.benchmarks.scale.surroundings import context_of
from tests.benchmarks.scale.tables import Tables

IPC, BATCH, STORED = 100, 128, 3
"""Images per class, views in a batch as the protocol has them, and epochs that are stored here."""
CODINGS = ("dense float16", "dense float32", "quantised", "top-k 5", "top-k 100")


def scenarios() -> Iterator[Scenario]:
    """One for each coding."""
    for name in CODINGS:
        yield Scenario("labels", name, partial(_store, name))


def coding(name: str, classes: int) -> Coding:
    """The coding of a name."""
    kind, _, how = name.partition(" ")
    if kind == "dense":
        return Dense("float32" if how == "float32" else "float16")
    return Quantised() if kind == "quantised" else TopK(int(how), 20.0, classes)


def _store(name: str, tables: Tables, folder: Path) -> Facts:
    classes, rows = tables.shape.outputs, tables.shape.classes * min(IPC, tables.shape.per_class)
    batches = -(-rows // BATCH)
    schedule = LabelSchedule(Length(rows, BATCH, batches * STORED, STORED), batches * STORED, order=1, views=2)
    shards = Shards(schedule, coding(name, classes), classes)
    ensemble = Ensemble([teacher_of(Answers(classes), "answers", size=1)])
    pixels = torch.zeros((BATCH, 3, 1, 1), dtype=torch.uint8)

    def render(batch: int) -> ViewBatch:
        own = schedule.rows(batch)
        return ViewBatch(pixels[: len(own)], own, own % classes, schedule.key(batch))

    context, out = context_of(tables, folder), folder / "out"
    out.mkdir()
    begun = time.process_time()
    write_labels(shards, ensemble, render, context, out)
    written, reader = time.process_time() - begun, LabelReader(out, shards)
    begun, views = time.process_time(), 0
    for batch in range(schedule.count):
        views += len(reader.logits(batch))
    return {
        "views": views,
        "bytes per view": reader.bytes / views,
        "written views per second": views / written,
        "read views per second": views / (time.process_time() - begun),
    }
