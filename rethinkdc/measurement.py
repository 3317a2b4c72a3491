"""What an evaluator reports. Imports no torch: records are read without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from torch import Tensor


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


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a student says of every test image, enough for top-k, loss, calibration, agreement and paired tests.

    Attributes:
        predicted: int64 [N], the class that it names.
        probability: float16 [N], that it gives to this class, in 0..1.
        rank: int64 [N], place of the true class among all, from 0 = right.
        log_probability: float32 [N], natural logarithm of what it gives to the true class.
    """

    predicted: Tensor
    probability: Tensor
    rank: Tensor
    log_probability: Tensor

    def __len__(self) -> int:
        return len(self.predicted)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictions):
            return NotImplemented
        import torch

        return all(torch.equal(value, getattr(other, name)) for name, value in vars(self).items())

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> CoreSchema:
        """Taken as they are: what the tensors are, torch knows."""
        return core_schema.is_instance_schema(cls)


MOST = 1e100
"""No measured number is larger: beyond it squares overflow."""


class Evaluation(BaseModel):
    """What an evaluator measured, at the *last* epoch; fractions, never percent.

    ``metrics`` has one number for each metric that the evaluator declares. ``curve`` holds one entry per epoch that was
    tested or trained; ``per_class`` the top-1 of each class; ``predicted`` how many test images each class was named
    for, empty where that is not known. ``predictions`` lie in a file beside the record, not in it; None where an
    evaluator has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    metrics: dict[str, float]
    per_class: list[float]
    predicted: list[int] = []
    curve: list[dict[str, float]]
    views: Annotated[int, Field(ge=0)]
    steps: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0, le=MOST)]
    peak_memory: Annotated[int, Field(ge=0)]
    result_digest: str
    predictions: Predictions | None = Field(default=None, exclude=True, repr=False)

    def fault(self, metrics: Sequence[Metric]) -> str:
        """What no evaluation of these metrics can be; empty where nothing is.

        Args:
            metrics: what its evaluator declares.
        """
        declared = {metric.name: metric for metric in metrics}
        if len(declared) < len(metrics) or declared.keys() != self.metrics.keys():
            told = (", ".join(sorted(names)) or "none" for names in ([one.name for one in metrics], self.metrics))
            return "declared are the metrics {}; measured were {}".format(*told)
        for name, value in self.metrics.items():
            if declared[name].unit == "fraction" and not 0 <= value <= 1:
                return f"{name} is {value}, and a fraction lies in 0..1"
            if not abs(value) <= MOST:
                return f"{name} is {value}, which is no measured number"
        if odd := [value for value in self.per_class if not 0 <= value <= 1]:
            return f"per_class has {odd[0]}, and a fraction lies in 0..1"
        if odd := [value for point in self.curve for value in point.values() if not abs(value) <= MOST]:
            return f"curve has {odd[0]}, which is no measured number"
        return ""
