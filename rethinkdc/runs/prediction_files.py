"""Files of predictions: plain arrays, read whole or refused, and what they say of a record. Imports no torch."""

from __future__ import annotations

import io
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rethinkdc.errors import DamagedError
from rethinkdc.runs.kept_files import read_kept
from rethinkdc.runs.record import KeptPredictions, Record

_TYPES = {"predicted": "ui", "probability": "f", "rank": "ui", "log_probability": "f"}
"""Kinds of numbers, by the names of :class:`~rethinkdc.measurement.Predictions`."""
_WIDEST = 8
"""Bytes of a number."""
_FAULTS = (
    *(ValueError, KeyError, EOFError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, SyntaxError, TokenError),
)
"""What the readers of archives and of the headers of arrays raise."""
_HEADER = 4096
"""Bytes that precede the numbers of an array, at most."""
_TOP = re.compile(r"top(\d+)")
_COUNTED, _ROUNDED = 1e-9, 1e-6
"""What a metric of kept predictions may differ by: a top-k is a count of images; a loss, relative, kept in float32."""


def read_arrays(kept: KeptPredictions, folder: Path) -> dict[str, NDArray[np.generic]]:
    """What a run's student said of every test image, by the names of :class:`~rethinkdc.measurement.Predictions`.

    Args:
        kept: the file, as the record names it.
        folder: of the record.

    Raises:
        DamagedError: the file is gone, was changed, or holds something else.
    """
    return unpack_arrays(read_kept(kept, folder, "predictions"), kept)


def unpack_arrays(payload: bytes, kept: KeptPredictions) -> dict[str, NDArray[np.generic]]:
    """The arrays in the content of a file of predictions.

    Raises:
        DamagedError: it holds something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            return {name: _read_array(archive, name, kept.images) for name in _TYPES}
    except _FAULTS as error:
        raise DamagedError(f"The file {kept.file} holds no predictions: {error}.") from None


def per_image(arrays: Mapping[str, NDArray[np.generic]], metric: str) -> NDArray[np.float64] | None:
    """A metric of each test image, float64 [N]; None where predictions do not tell it."""
    if best := _TOP.fullmatch(metric):
        return np.asarray(arrays["rank"].astype(np.int64) < int(best[1]), dtype=np.float64)
    if metric == "loss":
        return -arrays["log_probability"].astype(np.float64)
    return None


def agrees(metric: str, told: float, recorded: float) -> bool:
    """Whether what predictions tell of a metric is what the record says, but for the rounding of what is kept."""
    allowed = _COUNTED if _TOP.fullmatch(metric) else _ROUNDED * abs(recorded) + _COUNTED
    return abs(told - recorded) <= allowed


def is_measured_here(record: Record) -> bool:
    """Whether the framework's own evaluator measured it: what others call top1 may be something else."""
    evaluator = record.definition.evaluator
    return (evaluator.distribution, evaluator.name) == (None, "standard")


def recompute(arrays: Mapping[str, NDArray[np.generic]], metrics: Iterable[str]) -> dict[str, float]:
    """The metrics that predictions tell, by name: means over the test images, 0 of none."""
    found = {metric: per_image(arrays, metric) for metric in metrics}
    return {
        metric: float(values.mean()) if len(values) else 0.0 for metric, values in found.items() if values is not None
    }


def disagreement(metric: str, told: float, recorded: float) -> str:
    """Says that predictions give another value than the record; empty where they agree."""
    if agrees(metric, told, recorded):
        return ""
    return f"they give {metric} {told:.6g}, and the record says {recorded:.6g}"


def fault_of_predictions(record: Record, folder: Path) -> str:
    """What shows that the predictions beside a record are not those of its run; empty where nothing does.

    A file that is not there, or not for this user, shows nothing: records are handed on without.

    Args:
        record: of the run.
        folder: where it lies.
    """
    kept = record.predictions
    if kept is None or not os.access(folder / Path(kept.file).name, os.R_OK):
        return ""
    try:
        arrays = read_arrays(kept, folder)
    except DamagedError:
        return f"has damaged predictions, {kept.file}"
    if not is_measured_here(record):
        return ""
    for metric, told in recompute(arrays, record.results).items():
        if said := disagreement(metric, told, record.results[metric]):
            return f"has predictions that disagree: {said}"
    return ""


def _read_array(archive: zipfile.ZipFile, name: str, images: int) -> NDArray[np.generic]:
    """One array of a number for each image. What the file claims is checked before memory is asked for."""
    about = archive.getinfo(f"{name}.npy")
    if about.file_size > images * _WIDEST + _HEADER:
        raise ValueError(f"{name} has {about.file_size:,} bytes for {images:,} images")
    with archive.open(about) as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError(f"{name} is no array of version 1.0")
        with warnings.catch_warnings():
            # Of headers that Python 2 wrote.
            warnings.simplefilter("ignore")
            shape, _, kind = npy.read_array_header_1_0(file)
        if shape != (images,) or kind.kind not in _TYPES[name]:
            raise ValueError(f"{name} is {kind} {list(shape)}, not a number for each of {images:,} images")
        return np.frombuffer(file.read(), dtype=kind, count=images)
