"""Statistics of a training set under a teacher, gathered once and kept in the cache."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc import ranks
from rethinkdc.contracts.context import Context
from rethinkdc.data.store import NativeStore
from rethinkdc.data.stratified import stratified_rows
from rethinkdc.distillation.moments import MOMENTUM, Moments, MovingMoments
from rethinkdc.distillation.statistics import Gathered, Statistic, flattened, gather, unflattened
from rethinkdc.storage import load_tensors, write_tensors
from rethinkdc.training.ahead import in_order
from rethinkdc.training.teacher import Teacher, full_precision
from rethinkdc.types import Images, ViewKey, ViewRule
from rethinkdc.views import VIEWS_REVISION, ViewOp, Views

STATISTICS_SEMANTICS = 1
"""Raised whenever the same pass would gather other numbers."""
BATCH = 128
"""Images that a teacher is shown at a time."""
_FILE = "statistics.safetensors"


def class_statistics(
    context: Context,
    teacher: Teacher,
    data: Images,
    kinds: Sequence[Statistic],
    ops: Sequence[ViewOp],
    *,
    images: int | None = None,
    by_class: bool = True,
    moments: type[Moments] = Moments,
) -> Gathered:
    """What a teacher's layers are given of the training images of each class, in one pass over them.

    Args:
        context: its cache keeps the result for every method that asks for the same.
        teacher: in evaluation mode, as it always is.
        data: the training set; one batch of it is held at a time.
        kinds: what to gather; a kind's name stands for what it measures.
        ops: views of the images at their own size, one of each; none = whole images, as the teacher is tested.
        images: how many are shown at most, drawn by the seed of the set with each class's share of all; None = all.
        by_class: else of all classes together, which takes as many times less memory.
        moments: exact ones, or moving averages: over batches of :data:`BATCH` images in a seeded order.

    Returns:
        Moments of as many groups as there are classes, or of one group, by kind and layer.
    """
    count = len(data) if images is None else min(images, len(data))
    choice = context.seeds.of("set", "statistics-images")
    moving = issubclass(moments, MovingMoments)
    key: dict[str, Any] = {
        "semantics": [STATISTICS_SEMANTICS, VIEWS_REVISION],
        "kinds": [kind.name for kind in kinds],
        "teacher": teacher.digest,
        "view": [op.model_dump(mode="json") for op in ops] or teacher.test.model_dump(mode="json"),
        "data": data.fingerprint,
        "seed": context.seeds.of("set", "statistics") if ops or moving else None,
    }
    # Named only where they differ, so that what was gathered before they could be asked for is found.
    if count < len(data):
        key["images"] = [count, choice]
    if not by_class:
        key["groups"] = 1
    if moving:
        key["moving"] = MOMENTUM

    def build(inner: Context, out: Path) -> None:
        # The last bits of a sum depend on its order: one rank adds up the batches, one after another.
        if not ranks.writes():
            return
        owners = data.targets if by_class else torch.zeros_like(data.targets)
        rows = stratified_rows(data.targets, count, choice) if count < len(data) else torch.arange(len(data))
        if moving:
            rows = rows[torch.randperm(len(rows), generator=inner.generator("set", "statistics-order"))]
        kept = inner.resumable("moments")
        state = kept.restore() or {"batches": 0, "gathered": {}}
        batches = _batches(inner, teacher, data, ops, rows, owners, begin=state["batches"])
        ended = itertools.count(state["batches"] + 1)

        def keep(gathered: Gathered) -> None:
            batch = next(ended)
            kept.keep(lambda: {"batches": batch, "gathered": flattened(gathered)}, done=batch)

        with full_precision(teacher.device), closing(batches):
            gathered = gather(
                teacher.module,
                kinds,
                batches,
                len(data.class_names) if by_class else 1,
                moments,
                begun=unflattened(state["gathered"], teacher.module, moments),
                ended=keep,
            )
        write_tensors(out / _FILE, flattened(gathered))

    folder = context.artefact("statistics", key, "synthesis", build, files=[_FILE])
    return unflattened(load_tensors(folder / _FILE), teacher.module)


def _batches(
    context: Context,
    teacher: Teacher,
    data: Images,
    ops: Sequence[ViewOp],
    rows: Tensor,
    owners: Tensor,
    *,
    begin: int,
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Views of rows of the training set in their order, as the teacher takes them, with the owner of each.

    The first ``begin`` batches are left out.
    """
    views = Views(ops, None, size=teacher.size, rule=ViewRule(), cell_boxes=None)
    store, seed = NativeStore(data), context.seeds.of("set", "statistics")

    def rendered(part: tuple[int, Tensor]) -> tuple[Tensor, Tensor]:
        index, shown = part
        if not ops:
            return shown, teacher.test.render(data, shown)
        return shown, views.render(store, shown, data.targets[shown], ViewKey(seed, 0, index)).pixels

    parts = list(enumerate(rows.split(BATCH)))[begin:]
    with (
        context.progress.task("statistics", len(rows)) as done,
        closing(in_order(rendered, parts, context.workers)) as made,
    ):
        done(min(begin * BATCH, len(rows)))
        for shown, pixels in made:
            yield teacher.normalised(pixels), owners[shown]
            done(len(shown))
