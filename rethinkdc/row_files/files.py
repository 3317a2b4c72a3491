"""Files of one number per row, and of rows: what people share, read so that nothing is guessed in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.documents import parse_json
from rethinkdc.errors import DataError
from rethinkdc.files.arrays import read_arrays
from rethinkdc.row_files.columns import columns_of, naming
from rethinkdc.row_files.meaning import rows_of, tell_rows
from rethinkdc.row_files.named_column import Named
from rethinkdc.row_files.order import Foreign
from rethinkdc.row_files.pandas_header import drop_header, fit_length
from rethinkdc.row_files.reading import UNPROVED, Reading, ReadRows, ReadScores, check_labels, check_numbers
from rethinkdc.row_files.score_meaning import doubts, tell_scores
from rethinkdc.storage import read_regular, show_path, write_atomic
from rethinkdc.types import Images


def read_scores(path: Path, data: Images, column: str | None = None, foreign: Foreign | None = None) -> ReadScores:
    """Reads scores of the training rows from a file.

    Every column is used, known to be harmless, or refused by name. Row numbers are a column of such a name, or any
    other that is a permutation of 0..N-1; without one the lines are in the rows' order. Labels must agree with the
    data's.

    Args:
        path: of :data:`rethinkdc.files.arrays.FORMATS`; what ``rethinkdc score`` writes names its data in a
            ``.json`` beside it.
        data: the training set; its fingerprint is checked where the file has one, its length always.
        column: that holds the scores; None = ``score``, or the only one that may. The others are then left out.
        foreign: the rows that the file speaks of, where they are those of another copy.

    Raises:
        DataError: the file is missing, unreadable, of other data, or not clearly one number per row; names what was
            found.
    """
    proved = _check_source(path, data)
    places = None if foreign is None else foreign.places
    order = None if foreign is None else foreign.name
    with naming(path):
        columns, beside = columns_of(read_arrays(path), column)
        columns, noted = fit_length(columns, path, len(data))
        told = tell_scores(columns, column, len(data), data.targets if places is None else data.targets[places])
        rows = torch.arange(len(data)) if told.rows is None else check_numbers(told.rows, len(data), each=True)
        rows = rows if places is None else places[rows]
        for used in (told.scores, *told.labels):
            if len(used) != len(data):
                raise DataError(f"{used.title} has {len(used):,} entries; the training set has {len(data):,} rows")
        proofs = [check_labels(labels, rows, data) for labels in told.labels]
        numbers = told.scores.numbers
    stored = torch.empty_like(numbers).scatter_(0, rows, numbers)
    scores = stored.to(torch.float32)
    if bool(scores.isnan().any()):
        first = int(numbers.isnan().nonzero()[0, 0])
        raise DataError(
            f"{path}: {told.scores.title} has {int(scores.isnan().sum()):,} rows without a number (NaN), the first in "
            f"entry {first + 1}. Give every row a score."
        )
    if bool((beyond := scores.isinf() & ~stored.isinf()).any()):
        raise DataError(
            f"{path}: {told.scores.title} has {int(beyond.sum()):,} numbers that float32 does not hold, such as "
            f"{float(stored[beyond][0]):g}. Rank by their logarithms, or scale them."
        )
    taken = [*told.taken(order), *noted, *(f"{fact}: not used" for fact in beside)]
    reading = Reading(path.name, tuple(taken), _say_order(proved, proofs), tuple(doubts(scores, stored)))
    return ReadScores(scores, reading)


def read_rows(path: Path, data: Images, column: str | None = None, foreign: Foreign | None = None) -> ReadRows:
    """Reads a list of training rows in pick order, or a mask with an entry for each row.

    Args:
        path: of :data:`rethinkdc.files.arrays.FORMATS`, with a column ``row`` (or one of its usual names, or the
            only one), and ``weight`` where there are weights.
        data: the training set; its fingerprint is checked where the file has one.
        column: that lists the rows; None = to be found. The others are then left out.
        foreign: the rows that the file speaks of, where they are those of another copy.

    Raises:
        DataError: the file is missing, unreadable or of other data, lists a row twice or one that does not exist, or it
            is not clear what a column means.
    """
    proved = _check_source(path, data)
    places = None if foreign is None else foreign.places
    order = None if foreign is None else foreign.name
    with naming(path):
        columns, beside = columns_of(read_arrays(path), column)
        columns, noted = drop_header(columns, path, len(data.class_names))
        told = tell_rows(columns, column, len(data), len(data.class_names))
        rows, entries = rows_of(told, len(data))
        rows = rows if places is None else places[rows]
        for other in (*told.labels, *([told.weights] if told.weights else [])):
            if len(other) != len(told.rows):
                raise DataError(f"{other.title} has {len(other):,} entries and {told.rows.title} {len(told.rows):,}")
        proofs = [check_labels(_entries_of(labels, entries), rows, data) for labels in told.labels]
        weights = told.weights.numbers[entries].float() if told.weights else None
    taken = [*told.taken(len(rows), order), *noted, *(f"{fact}: not used" for fact in beside)]
    every = (
        ("it lists every row of the training set: a ranking rather than a subset",) if len(rows) == len(data) else ()
    )
    return ReadRows(rows, weights, Reading(path.name, tuple(taken), _say_order(proved, proofs), every))


def count_rows(path: Path, rows: int, classes: int, column: str | None = None) -> int:
    """Counts the rows that a file lists, before the training set of ``rows`` rows is loaded.

    Raises:
        DataError: as :func:`read_rows`.
    """
    with naming(path):
        columns, _ = drop_header(columns_of(read_arrays(path), column)[0], path, classes)
        return len(rows_of(tell_rows(columns, column, rows, classes), rows)[0])


def name_row_file(out: Path, suffix: str) -> Path:
    """Appends a suffix to ``OUT``; one that it has already is not doubled, one like ``.5`` not replaced."""
    name = out.name
    for known in (".safetensors", ".json"):
        name = name.removesuffix(known)
    return out.with_name(name + suffix)


def write_row_file(tensors: dict[str, Tensor], about: dict[str, Any], out: Path) -> tuple[Path, Path]:
    """Writes ``OUT.safetensors`` and, beside it, what it was made of to ``OUT.json``; returns both paths.

    Raises:
        StorageError: they cannot be written.
    """
    from safetensors.torch import save

    paths = name_row_file(out, ".safetensors"), name_row_file(out, ".json")
    write_atomic(paths[0], save({name: tensor.contiguous() for name, tensor in tensors.items()}))
    write_atomic(paths[1], json.dumps(about, indent=1).encode())
    return paths


def _check_source(path: Path, data: Images) -> bool:
    """Checks the fingerprint that the JSON file beside a safetensors file names; returns whether there is one."""
    about = path.with_suffix(".json")
    if path.suffix != ".safetensors" or not about.exists():
        return False
    try:
        fingerprint = parse_json(read_regular(about)).get("fingerprint")
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{show_path(about)} is no JSON object: {error}. Mend it, or move it away.") from error
    if fingerprint not in (None, data.fingerprint):
        raise DataError(
            f"{path} belongs to other data (fingerprint {str(fingerprint)[:12]}) than this training set "
            f"({data.fingerprint[:12]}). Name its own dataset with --dataset."
        )
    return fingerprint is not None


def _say_order(proved: bool, proofs: Sequence[str]) -> str:
    return "; ".join([*(["the fingerprint beside it is the training set's"] if proved else []), *proofs]) or UNPROVED


def _entries_of(column: Named, entries: Tensor) -> Named:
    """The column at some of its entries."""
    values = column.values
    kept = values[entries] if isinstance(values, Tensor) else tuple(values[place] for place in entries.tolist())
    return Named(column.name, column.title, kept)
