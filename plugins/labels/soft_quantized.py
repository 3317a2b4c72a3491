"""A share of the stored labels, of each the largest logits, shown again at falling temperatures (LPQLD).

From the paper (arXiv 2604.18135, IEEE TPAMI 2026) and the authors' code (he-y/soft-label-pruning-quantization-for-
dataset-distillation, commit 107c7a5), whose ImageNet-1K scripts are the defaults: every thirtieth of 300 epochs the
temperature falls from 20 by .7, down to 2; a tenth of the labels, of each the 50 largest of 1,000 logits. Their code
stores one epoch more of batches than the ratio says; not so here.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rethinkdc.contracts import Context, Method, Supervision, hookimpl
from rethinkdc.labels import (
    Coding,
    Cooling,
    CoolingTargets,
    Dense,
    LabelReader,
    LabelSchedule,
    StoredLabeler,
    StudentTraining,
    TopLogits,
    mix_op,
    pruned,
)


class SoftQuantized(StoredLabeler):
    """The ``k`` largest logits of the first of ``ratio`` parts of the stored batches, used again and again.

    Label and student have temperatures of their own: the label's falls, so that the same logits say something new, and
    the student's is fitted after each epoch. An epoch shows no batch twice, but for the short ones.
    """

    name: ClassVar[str] = "soft-quantized"
    paper: ClassVar[str] = "arXiv 2604.18135"
    distinct: ClassVar[bool] = True

    temperature: float | None = Field(
        default=None, gt=0, description="T of the labels in the first epochs (the paper: 20); none = the protocol's."
    )
    k: int = Field(default=50, ge=1, description="Logits kept of each view; all where there are no more classes.")
    ratio: float = Field(default=10.0, ge=1, description="How many times fewer labels than soft-stored.")
    decay: float = Field(default=0.7, gt=0, le=1, description="Factor on the labels' temperature at each fall.")
    every: float = Field(default=0.1, gt=0, le=1, description="Share of the epochs between two falls.")
    floor: float = Field(default=2.0, gt=0, description="The least temperature of the labels.")
    calibrated: bool = Field(
        default=True, description="Fit the student's temperature after each epoch; otherwise it is the labels'."
    )

    def coding(self, classes: int, context: Context) -> Coding:  # noqa: ARG002
        return TopLogits(self.k, classes) if self.k < classes else Dense()

    def batches(self, training: StudentTraining) -> int:
        return pruned(training.length, self.ratio)

    def supervise(self, reader: LabelReader, schedule: LabelSchedule, context: Context) -> Supervision:
        soft = self.softness(context)
        every = max(1, round(self.every * schedule.length.epochs))
        return CoolingTargets(
            reader,
            schedule,
            Cooling(soft.temperature, self.decay, every, self.floor),
            mix_op(self.mix),
            calibrated=self.calibrated,
            t_squared=soft.t_squared,
        )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-quantized``."""
    return [SoftQuantized]
