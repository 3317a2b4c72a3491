"""Predictions beside a record: one compressed file of plain arrays, named by its content."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.measurement import Predictions
from rethinkdc.runs.record import KeptPredictions, Record
from rethinkdc.runs.records import Records
from rethinkdc.runs.schemas import KEEPS_PREDICTIONS
from rethinkdc.storage import write_atomic

_NAMED = 24
"""Characters of the digest that name a file."""
_NARROW = (np.uint8, np.uint16, np.int64)


def keep_predictions(records: Records, key: str, predictions: Predictions) -> KeptPredictions:
    """Writes predictions beside the records of a run; equal ones of several attempts are one file.

    Raises:
        RequestError: the folder cannot be written.
    """
    held = io.BytesIO()
    np.savez_compressed(
        held,
        predicted=_narrow(predictions.predicted),
        probability=predictions.probability.numpy(),
        rank=_narrow(predictions.rank),
        log_probability=predictions.log_probability.numpy(),
    )
    payload = held.getvalue()
    sha256 = hashlib.sha256(payload).hexdigest()
    kept = KeptPredictions(file=f"{sha256[:_NAMED]}.npz", sha256=sha256, bytes=len(payload), images=len(predictions))
    path = records.folder / key / kept.file
    try:
        if not path.exists():
            write_atomic(path, payload)
    except OSError as error:
        raise RequestError(f"Cannot write predictions into {path.parent}: {error.strerror}.") from error
    return kept


def read_predictions(record: Record, records: str | Path | None = None) -> Predictions:
    """Reads what a run's student said of every test image.

    Args:
        record: of the run.
        records: the folder that it lies in; None = ``RETHINKDC_RECORDS`` or ``./records``.

    Raises:
        RequestError: none were kept; says why.
        DamagedError: the file is gone or was changed.
    """
    folder = Records(Path(records) if records else None)
    if record.predictions is None:
        why = (
            f"it was written under schema {record.written_as}, which kept none; --force runs it again"
            if record.written_as < KEEPS_PREDICTIONS
            else "it has no result"
            if not record.results
            else "--no-predictions, or an evaluator without any"
        )
        raise RequestError(f"The record {folder.path(record.key, record.attempt)} has no predictions: {why}.")
    path = folder.folder / record.key / Path(record.predictions.file).name
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise DamagedError(f"Cannot read the predictions {path}: {error.strerror}. Copy it from its origin.") from error
    if hashlib.sha256(payload).hexdigest() != record.predictions.sha256:
        raise DamagedError(f"The file {path} is not the one that the record names. Copy it from its origin.")
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        return Predictions(
            predicted=torch.from_numpy(arrays["predicted"].astype(np.int64)),
            probability=torch.from_numpy(arrays["probability"]),
            rank=torch.from_numpy(arrays["rank"].astype(np.int64)),
            log_probability=torch.from_numpy(arrays["log_probability"]),
        )


def _narrow(values: Tensor) -> np.ndarray:
    """The same whole numbers in the least type that holds them."""
    largest = int(values.max()) if len(values) else 0
    kind = next(kind for kind in _NARROW if largest <= np.iinfo(kind).max)
    return values.numpy().astype(kind)
