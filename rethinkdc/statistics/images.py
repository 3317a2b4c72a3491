"""The test set's own error: what another draw of test images would have said."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rethinkdc.statistics.paired import CONFIDENCE

RESAMPLES = 9999


@dataclass(frozen=True)
class ImageInterval:
    """Where a mean over test images lies at 95 %: from ``low`` to ``high``."""

    mean: float
    low: float
    high: float
    images: int


def resample_images(differences: NDArray[np.float64], resamples: int = RESAMPLES) -> ImageInterval:
    """Percentile interval of the mean over test images, by the bootstrap over images.

    Paired, where each value is what two students differ by on one image: both are always drawn together. Images of one
    value are drawn together too, by their number, which has the same distribution and costs nothing. The seed is the
    digest of the values and their numbers: the same predictions give the same interval, in whatever order.

    Args:
        differences: float64 [N], one value an image.
        resamples: sets of N images that are drawn with replacement.

    Raises:
        ValueError: there is no image.
    """
    if not len(differences):
        raise ValueError("an interval over test images needs an image")
    values, counts = np.unique(differences, return_counts=True)
    content = hashlib.sha256(values.tobytes() + counts.astype(np.int64).tobytes()).digest()
    draws = np.random.Generator(np.random.PCG64(int.from_bytes(content[:16], "little")))
    drawn = draws.multinomial(len(differences), counts / len(differences), size=resamples)
    means = drawn @ values / len(differences)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return ImageInterval(float(counts @ values / len(differences)), low, high, len(differences))
