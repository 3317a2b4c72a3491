"""What an evaluator reports."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict


class Metric(NamedTuple):
    """A number that an evaluator reports."""

    name: str
    better: Literal["higher", "lower"]
    unit: Literal["fraction", "number"]


class Evaluation(BaseModel):
    """What an evaluator measured, at the *last* epoch; fractions, never percent.

    ``curve`` holds one entry per epoch that was tested or trained; ``per_class`` the top-1 of each class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float]
    per_class: list[float]
    curve: list[dict[str, float]]
    views: int
    steps: int
    seconds: float
    peak_memory: int
    result_digest: str
