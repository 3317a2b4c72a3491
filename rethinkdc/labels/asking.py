"""What labelers that ask teachers have in common."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Labeler
from rethinkdc.errors import RequestError
from rethinkdc.labels.ensemble import Averaging, Ensemble
from rethinkdc.labels.losses import distillation
from rethinkdc.labels.mixing import Mix
from rethinkdc.labels.supervision import Objective
from rethinkdc.method import OfKind
from rethinkdc.protocol.protocol import SoftLabels
from rethinkdc.reference import Reference

LABEL_SEMANTICS = 1
"""Raised whenever the labels of the same views would be stored otherwise."""


class SoftLabeler(Labeler):
    """Base of labelers that ask teachers: who is asked, how sharp the labels are, how views are mixed."""

    family: ClassVar[str] = "labels"

    teachers: Annotated[tuple[Reference, ...] | None, OfKind("teacher")] = Field(
        default=None, description="Who is asked, their logits averaged; none = the protocol's teacher."
    )
    averaging: Averaging = Field(
        default="mean", description="How logits are averaged; normed = brought to one norm first."
    )
    mix: Mix | None = Field(default="protocol", description="How views are mixed; none = not.")

    def ensemble(self, context: Context) -> Ensemble:
        """The teachers, trained or loaded."""
        wanted: tuple[Reference | None, ...] = (None,) if self.teachers is None else self.teachers
        return Ensemble([context.teacher(reference) for reference in wanted], self.averaging)


class BatchStatistics(SoftLabeler):
    """Base of those that label views, not images: a teacher may take its batch's statistics."""

    teacher_bn: Literal["running", "batch"] = Field(
        default="running",
        description="Statistics of the teachers' BatchNorm: their own, or those of the batch that is asked.",
    )

    def ensemble(self, context: Context) -> Ensemble:
        ensemble = super().ensemble(context)
        if self.teacher_bn == "running":
            return ensemble
        return Ensemble([teacher.with_batch_statistics() for teacher in ensemble.teachers], self.averaging)


class Tempered(SoftLabeler):
    """Base of those whose loss is the divergence of two softmaxes at one temperature."""

    temperature: float | None = Field(default=None, gt=0, description="T of both softmaxes; none = the protocol's.")
    t_squared: bool | None = Field(default=None, description="Multiply the loss by T^2; none = as the protocol says.")

    def softness(self, context: Context) -> SoftLabels:
        """The temperature, and whether the loss is multiplied by its square.

        Raises:
            RequestError: neither the labeler nor the protocol has a temperature.
        """
        soft: SoftLabels | None = context.protocol.soft
        temperature = self.temperature if self.temperature is not None else soft and soft.temperature
        if temperature is None:
            raise RequestError(
                f"The protocol {context.protocol.id} has no temperature: give {self.name}:temperature=..., or choose "
                "a protocol for soft labels with `rethinkdc list-protocols`."
            )
        squared = self.t_squared if self.t_squared is not None else bool(soft and soft.t_squared)
        return SoftLabels(temperature=temperature, t_squared=squared)

    def objective(self, context: Context) -> Objective:
        """KL divergence at the temperature, of logits and logits."""
        soft = self.softness(context)
        return partial(_distilled, temperature=soft.temperature, t_squared=soft.t_squared)


class OfViews(Tempered, BatchStatistics):
    """Base of those that label views by the divergence of two softmaxes."""


def _distilled(logits: Tensor, soft: Tensor, hard: Tensor, *, temperature: float, t_squared: bool) -> Tensor:  # noqa: ARG001
    return distillation(logits, soft, temperature, t_squared=t_squared)
