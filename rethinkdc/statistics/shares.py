"""Shares of a few images."""

from __future__ import annotations

import math

from rethinkdc.statistics.paired import CONFIDENCE


def bound_share(found: int, count: int) -> tuple[float, float]:
    """95 % interval of a share, as fractions (Wilson, JASA 22, 1927): ``found`` of ``count`` of at least one."""
    from scipy.special import ndtri

    z = float(ndtri((1 + CONFIDENCE) / 2))
    share, shrunk = found / count, 1 + z * z / count
    middle = (share + z * z / (2 * count)) / shrunk
    half = z / shrunk * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)
