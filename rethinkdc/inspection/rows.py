"""Lists of rows and scores, as runs read them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.inspection.commands import reference_to, spell
from rethinkdc.inspection.findings import RowsFinding, ScoresFinding
from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.row_files.files import read_rows, read_scores
from rethinkdc.row_files.order import Foreign, find_foreign
from rethinkdc.types import Images


def find_rows(around: Surroundings) -> RowsFinding:
    """Reads a list of rows as ``rows:path=FILE`` does.

    Raises:
        RequestError: it is none, or none of this dataset.
    """
    data = around.splits.train
    read = read_rows(around.path, data, around.call.column, _foreign(around, data))
    reference = reference_to(around, "rows")
    return RowsFinding(
        taken=read.reading.taken,
        warnings=read.reading.warnings,
        refused=around.plan(reference, around.splits).refused,
        command=spell("run", "--compressor", reference, dataset=around.call.dataset, protocol=around.call.protocol),
        dataset=around.ground.dataset_name,
        order=read.reading.order,
        rows=len(read.rows),
        per_class=tuple(torch.bincount(data.targets[read.rows], minlength=len(data.class_names)).tolist()),
        weights=None if read.weights is None else (float(read.weights.min()), float(read.weights.max())),
    )


def images_of_rows(around: Surroundings) -> CompressedSet:
    """The images of the rows, for a picture."""
    data = around.splits.train
    rows: Tensor = read_rows(around.path, data, around.call.column, _foreign(around, data)).rows
    return CompressedSet.of_rows(data, rows)


def find_scores(around: Surroundings) -> ScoresFinding:
    """Reads scores as ``file:path=FILE`` does.

    Raises:
        RequestError: they are none, or none of this dataset.
    """
    data = around.splits.train
    read = read_scores(around.path, data, around.call.column, _foreign(around, data))
    reference = reference_to(around, "file", direction="hard")
    return ScoresFinding(
        taken=read.reading.taken,
        warnings=read.reading.warnings,
        refused=around.plan(reference, around.splits).refused,
        command=spell("run", "--compressor", reference, dataset=around.call.dataset, protocol=around.call.protocol),
        dataset=around.ground.dataset_name,
        order=read.reading.order,
        rows=len(read.scores),
        low=float(read.scores.min()),
        high=float(read.scores.max()),
        distinct=len(torch.unique(read.scores)),
    )


def _foreign(around: Surroundings, data: Images) -> Foreign | None:
    like = around.call.like
    return find_foreign(around.call.order, Path(like).expanduser() if like is not None else None, data)
