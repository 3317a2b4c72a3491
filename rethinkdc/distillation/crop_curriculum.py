"""Crops that begin with almost the whole image and become smaller (CDA, arXiv 2311.18838)."""

from __future__ import annotations

import math
from typing import Literal

Curve = Literal["cosine", "linear", "step"]
"""How the smallest area falls."""


def curriculum(iteration: int, milestone: float, curve: Curve, floor: float = 0.08) -> float:
    """The smallest area of a crop, as a share of the image.

    Args:
        iteration: 0-based.
        milestone: M, the iteration at which the curriculum has come to its end.
        curve: how it falls from 1 until then.
        floor: the area from then on.
    """
    if iteration >= milestone:
        return floor
    done = iteration / milestone
    height = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "step": 1.0}[curve]
    return floor + (1 - floor) * height
