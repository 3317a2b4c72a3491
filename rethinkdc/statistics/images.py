"""The test set's own error: what another draw of test images would have said."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rethinkdc.statistics.paired import CONFIDENCE

RESAMPLES = 9999
_BLOCK = 2**18
"""Numbers that are drawn at once: 9999 draws of 10,000 values would fill a machine's memory."""


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
    rows, size = len(differences), max(1, _BLOCK // len(values))
    sums = [
        _sum_of(draws.multinomial(rows, counts / rows, size=min(size, resamples - done)), values)
        for done in range(0, resamples, size)
    ]
    means = np.concatenate(sums) / len(differences)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return ImageInterval(float(_sum_of(counts, values) / len(differences)), low, high, len(differences))


def _sum_of(counts: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value as often as it was drawn: int64 [..., V], float64 [V] -> float64 [...].

    Running sums are added in one order everywhere; a product of matrices adds as the machine likes best.
    """
    running: NDArray[np.float64] = np.cumsum(counts * values, axis=-1)
    # A copy: a view would hold all of the block.
    return np.array(running[..., -1])
