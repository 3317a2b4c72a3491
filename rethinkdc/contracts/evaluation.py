"""What an evaluator reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Metric:
    """A number that an evaluator reports.

    Attributes:
        name: its key in :attr:`Evaluation.metrics`, and its name in tables.
        better: which end is good; boards rank by it.
        unit: a ``fraction`` lies in 0..1 and is shown in percent; a ``number`` is shown as it is.
    """

    name: str
    better: Literal["higher", "lower"]
    unit: Literal["fraction", "number"]

    def gain(self, value: float, other: float) -> float:
        """How much better ``value`` is than ``other``; negative where it is worse."""
        return value - other if self.better == "higher" else other - value


class Evaluation(BaseModel):
    """What an evaluator measured, at the *last* epoch; fractions, never percent.

    ``metrics`` has one number for each metric that the evaluator declares. ``curve`` holds one entry per epoch that was
    tested or trained; ``per_class`` the top-1 of each class; ``predicted`` how many test images each class was named
    for, empty where that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float]
    per_class: list[float]
    predicted: list[int] = []
    curve: list[dict[str, float]]
    views: int
    steps: int
    seconds: float
    peak_memory: int
    result_digest: str
