"""Predictions beside a record: one compressed file of plain arrays, named by its content."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rethinkdc.measurement import Predictions
from rethinkdc.runs.kept_files import keep_file, read_file
from rethinkdc.runs.prediction_files import unpack_arrays
from rethinkdc.runs.record import KeptPredictions, Record
from rethinkdc.runs.records import Records
from rethinkdc.runs.schemas import KEEPS_PREDICTIONS

_NARROW = (np.uint8, np.uint16, np.int64)


def keep_predictions(records: Records, key: str, predictions: Predictions) -> KeptPredictions:
    """Writes predictions beside the records of a run; equal ones of several attempts are one file.

    Raises:
        StorageError: it cannot be written.
    """
    held = io.BytesIO()
    np.savez_compressed(
        held,
        predicted=_narrow(predictions.predicted),
        probability=predictions.probability.numpy(),
        rank=_narrow(predictions.rank),
        log_probability=predictions.log_probability.numpy(),
    )
    kept = keep_file(records, key, held.getvalue(), ".npz", "predictions")
    return KeptPredictions(**kept.model_dump(), images=len(predictions))


def read_predictions(record: Record, records: str | Path | None = None) -> Predictions:
    """Reads what a run's student said of every test image.

    Args:
        record: of the run.
        records: the folder that it lies in; None = ``RETHINKDC_RECORDS`` or ``./records``.

    Raises:
        RequestError: none were kept; says why.
        DamagedError: the file is gone, was changed, or holds something else.
    """
    folder = Records(Path(records) if records else None)
    payload = read_file(
        record,
        record.predictions,
        folder,
        "predictions",
        KEEPS_PREDICTIONS,
        "--no-predictions, or an evaluator without any",
    )
    assert record.predictions is not None
    arrays = unpack_arrays(payload, record.predictions)
    return Predictions(
        predicted=torch.from_numpy(arrays["predicted"].astype(np.int64)),
        probability=torch.from_numpy(arrays["probability"].astype(np.float16)),
        rank=torch.from_numpy(arrays["rank"].astype(np.int64)),
        log_probability=torch.from_numpy(arrays["log_probability"].astype(np.float32)),
    )


def _narrow(values: Tensor) -> np.ndarray:
    """The same whole numbers in the least type that holds them."""
    largest = int(values.max()) if len(values) else 0
    kind = next(kind for kind in _NARROW if largest <= np.iinfo(kind).max)
    return values.numpy().astype(kind)
