"""Files of predictions: compressed plain arrays, read whole or refused. Imports no torch."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rethinkdc.runs.kept_files import read_kept
from rethinkdc.runs.record import KeptPredictions


def read_arrays(kept: KeptPredictions, folder: Path) -> dict[str, NDArray[np.generic]]:
    """What a run's student said of every test image, by the names of :class:`~rethinkdc.measurement.Predictions`.

    Args:
        kept: the file, as the record names it.
        folder: of the record.

    Raises:
        DamagedError: the file is gone or was changed.
    """
    with np.load(io.BytesIO(read_kept(kept, folder, "predictions")), allow_pickle=False) as arrays:
        return dict(arrays)
