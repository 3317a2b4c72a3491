"""One record against itself and the files beside it. Imports no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rethinkdc.errors import DamagedError, RecordError
from rethinkdc.runs.kept_files import read_kept
from rethinkdc.runs.prediction_files import agrees, is_measured_here, recompute, unpack_arrays
from rethinkdc.runs.record import KeptFile, Record
from rethinkdc.runs.records import Records
from rethinkdc.storage import read_regular, show_path
from rethinkdc.verification.results import Checked, Fault, Status

Arrays = Mapping[str, NDArray[np.generic]]
_BINS = 15
_HALF = 1e-3
"""What a probability may differ by, relative to itself: float16 has 11 bits."""
_TINY = 1e-6
_DIGITS = 12
"""Of a digest, that are told."""
_MOVE = "Copy the record from its origin, or move it away and run it again"
_AGAIN = "Copy the file from its origin; `rethinkdc verify {key} --replay` tells whether the run gives the result again"


@dataclass
class _Looked:
    """What is found while a record is looked at."""

    faults: list[Fault] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    recomputed: dict[str, float] | None = None


def closed_folder(place: Path, root: Path, why: str) -> Checked:
    """A folder of which nothing can be said, since it cannot be read."""
    fault = Fault("folder", f"cannot be read: {why}", "Ask its owner for permission to read it.")
    return Checked(show_path(place.relative_to(root)), "", "faulty", (fault,))


def check_record(path: Path, root: Path) -> tuple[Checked, Record | None]:
    """Checks a record, and computes again what the files beside it allow.

    Args:
        path: of its file.
        root: what its name is told below.

    Returns:
        What was found, and the record; None where the file is none.
    """
    name = show_path(path.relative_to(root))
    try:
        record = Records(path.parent.parent).read_in_place(path)
    except RecordError as error:
        return Checked(name, "", "faulty", (Fault("record", error.fault, f"{_MOVE}."),)), None
    looked = _Looked()
    looked.faults += _faults_of_sums(record)
    _check_predictions(record, path.parent, looked)
    _read(record, record.sheet, path.parent, "contact sheet", looked)
    status: Status = "verified"
    if looked.faults:
        status = "faulty"
    elif record.results and looked.recomputed is None:
        status = "without predictions"
    checked = Checked(name, record.key, status, tuple(looked.faults), looked.recomputed, tuple(looked.missing))
    return checked, record


def _faults_of_sums(record: Record) -> Iterator[Fault]:
    """What its own numbers contradict."""
    if record.evaluation and record.result_digest != record.evaluation.result_digest:
        yield Fault(
            "result digest",
            "has two digests of its result",
            f"{_MOVE}.",
            str(record.result_digest)[:_DIGITS],
            record.evaluation.result_digest[:_DIGITS],
        )
    definition = record.definition
    wanted = definition.images
    if wanted is None and definition.ipc is not None and definition.compressor.kind != "set":
        wanted = definition.ipc * len(record.histogram)
    if record.histogram and wanted is not None and sum(record.histogram) != wanted:
        yield Fault(
            "histogram", "has a set of another size than its definition", f"{_MOVE}.",
            f"{sum(record.histogram):,} images", f"{wanted:,}",
        )  # fmt: skip


def _check_predictions(record: Record, folder: Path, looked: _Looked) -> None:
    kept = record.predictions
    payload = _read(record, kept, folder, "predictions", looked)
    if kept is None or payload is None:
        return
    try:
        arrays = unpack_arrays(payload, kept)
    except DamagedError as error:
        looked.faults.append(Fault("predictions", f"names predictions that are none: {error}", f"{_MOVE}."))
        return
    looked.recomputed = {}
    if not is_measured_here(record):
        looked.missing.append(
            f"its metrics are those of the evaluator {record.names.evaluator}, which alone knows them"
        )
        return
    looked.faults += _faults_of_arrays(record, arrays)
    looked.recomputed |= recompute(arrays, record.results)
    for metric, told in looked.recomputed.items():
        if not agrees(metric, told, recorded := record.results[metric]):
            said = f"its predictions give another {metric}"
            looked.faults.append(Fault(metric, said, _again(record), f"{recorded:.9g}", f"{told:.9g}"))
    if kept.images:
        looked.recomputed["ece"] = _calibration_error(arrays)


def _faults_of_arrays(record: Record, arrays: Arrays) -> Iterator[Fault]:
    """What predictions say of each image must fit together, and with how often each class was named."""
    assert record.evaluation
    predicted, rank = (arrays[name].astype(np.int64) for name in ("predicted", "rank"))
    share, of_true = arrays["probability"].astype(np.float64), np.exp(arrays["log_probability"].astype(np.float64))
    right = rank == 0
    near = _HALF * share + _TINY
    odd = ~np.isfinite(share + of_true) | (share < 0) | (share > 1) | (of_true > share + near)
    odd |= right & (np.abs(share - of_true) > near)
    odd |= (predicted < 0) | (rank < 0)
    if odd.any():
        first = int(np.flatnonzero(odd)[0])
        yield Fault(
            "predictions",
            f"its predictions contradict themselves for {int(odd.sum()):,} images, the first of them {first}",
            _again(record),
            f"{of_true[first]:.4g} for the true class, in place {int(rank[first]) + 1}",
            f"at most {share[first]:.4g}, that of the class named",
        )
    elif classes := len(record.evaluation.predicted):
        named = np.bincount(predicted, minlength=classes).tolist()
        if named != record.evaluation.predicted:
            place = next(
                index
                for index, pair in enumerate(zip([*named, 0], [*record.evaluation.predicted, 0], strict=False))
                if pair[0] != pair[1] or index == classes
            )
            told = record.evaluation.predicted[place] if place < classes else 0
            said = f"its predictions name class {place} otherwise often"
            yield Fault("predicted", said, _again(record), f"{told:,}", f"{named[place]:,}")


def _calibration_error(arrays: Arrays) -> float:
    """Expected calibration error over bins of equal width of what the student gives to the class that it names."""
    share, right = arrays["probability"].astype(np.float64), arrays["rank"] == 0
    bins = np.minimum((share * _BINS).astype(np.int64), _BINS - 1)
    apart = np.bincount(bins, weights=right - share, minlength=_BINS)
    return float(np.abs(apart).sum() / len(share))


def _read(record: Record, kept: KeptFile | None, folder: Path, what: str, looked: _Looked) -> bytes | None:
    """The content of a file beside the record; None where there is none, or another."""
    if kept is None:
        return None
    path = folder / Path(kept.file).name
    if not os.access(path, os.R_OK):
        looked.missing.append(f"its {what}, {path.name}: not here, or closed to this user")
        return None
    try:
        return read_kept(kept, folder, what)
    except DamagedError as error:
        try:
            found = hashlib.sha256(read_regular(path)).hexdigest()[:_DIGITS]
        except OSError:
            looked.faults.append(Fault(what, f"its {what} cannot be read: {error}", _again(record)))
            return None
        said = f"its {what}, {path.name}, was changed"
        looked.faults.append(Fault(what, said, _again(record), f"SHA-256 {found}", kept.sha256[:_DIGITS]))
        return None


def _again(record: Record) -> str:
    return f"{_AGAIN.format(key=record.key)}."
