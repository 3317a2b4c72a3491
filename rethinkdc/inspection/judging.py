"""A finished set before a teacher: its class order, its normalisation, its channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.resize import resize
from rethinkdc.data.splits import Splits
from rethinkdc.inspection.hypotheses import Hypothesis, Numbers, Shown, is_exact, of_channels, of_given, of_stored
from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.inspection.triage import Triage, weigh
from rethinkdc.inspection.weighing import Seen
from rethinkdc.runs.calls import EvaluateCall
from rethinkdc.runs.opening import open_set
from rethinkdc.runs.resolving import Run
from rethinkdc.training.predict import predict
from rethinkdc.training.teacher import Teacher

_MOST = 2000
"""Images that a teacher is shown of each hypothesis."""


def judge_set(around: Surroundings, call: EvaluateCall, compressed: CompressedSet, run: Run, splits: Splits) -> Triage:
    """Asks a teacher for the likeliest cause of another accuracy than a paper's.

    Args:
        around: what asks.
        call: how the set is read.
        compressed: the set, fitted to the run.
        run: what would evaluate it.
        splits: the run's images; a trained teacher learns of the training part.

    Raises:
        RequestError: there is no such teacher.
    """
    rows = _some(compressed.targets)
    stated = _cells(compressed, compressed.canvases(rows, run.protocol.store.size))
    targets = compressed.targets[rows].repeat_interleave(compressed.cells)
    with around.runner.surroundings(run, splits) as context:
        teacher = context.teacher(around.call.teacher)
        seen = [
            Seen(each.name, each.remedy, _ask(teacher, each.canvases, targets, compressed.class_names), each.exact)
            for each in (
                Hypothesis("as it is read", "", stated, is_exact(compressed.card.told.pixels, stated)),
                *_hypotheses(call, compressed, stated, rows, (teacher.mean, teacher.std)),
            )
        ]
    return weigh(teacher.id, teacher.top1, seen[0], seen[1:], targets, compressed.class_names)


def _hypotheses(
    call: EvaluateCall, compressed: CompressedSet, stated: Tensor, rows: Tensor, own: tuple[Numbers, Numbers]
) -> Iterator[Hypothesis]:
    if compressed.card.told.pixels is None:
        yield from of_stored(stated, own)
    else:
        yield from of_given(partial(read_under, call, rows), own, stated)
        if call.mean is None:
            yield from of_stored(stated, own)
    yield from of_channels(stated)


def read_under(call: EvaluateCall, rows: Tensor, mean: Numbers, std: Numbers) -> Shown:
    """Some images of a file, read as if the user had stated this mean and std."""
    other = open_set(replace(call, mean=mean, std=std), None)
    assert other.size is not None
    canvases = other.canvases(rows, other.size)
    return Shown(canvases, is_exact(other.card.told.pixels, canvases))


def name_exact(call: EvaluateCall, compressed: CompressedSet) -> list[Hypothesis]:
    """The known means and stds under which every value is a whole byte, where the stated ones are none such."""
    pixels, rows = compressed.card.told.pixels, torch.arange(len(compressed))
    assert compressed.size is not None
    stated = compressed.canvases(rows, compressed.size)
    if pixels is None or len(rows) > _MOST or is_exact(pixels, stated):
        return []
    return [each for each in of_given(partial(read_under, call, rows), None, stated) if each.exact]


def _ask(teacher: Teacher, canvases: Tensor, targets: Tensor, names: tuple[str, ...]) -> Tensor:
    return predict(
        teacher.module,
        DecodedImages(canvases, targets, names),
        teacher.test,
        mean=teacher.mean,
        std=teacher.std,
        device=teacher.device,
    )


def _cells(compressed: CompressedSet, canvases: Tensor) -> Tensor:
    """What a student sees one at a time: the canvases, or their cells enlarged to the same side."""
    if compressed.cells == 1:
        return canvases
    side = canvases.shape[-1]
    boxes = compressed.cell_boxes.tolist()
    cut = [resize(canvases[:, :, y : y + h, x : x + w], (side, side), "squash", "bilinear") for y, x, h, w in boxes]
    return torch.stack(cut, dim=1).flatten(0, 1)


def _some(targets: Tensor) -> Tensor:
    """Rows of the first images of each class, as many of each as the limit lets in."""
    if len(targets) <= _MOST:
        return torch.arange(len(targets))
    each = max(2, _MOST // len(targets.unique()))
    chosen = [(targets == index).nonzero().flatten()[:each] for index in targets.unique().tolist()]
    return torch.cat(chosen).sort().values
