"""How a network is trained: the part of a protocol that the loop reads."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import Tensor, nn

from rethinkdc.errors import RequestError
from rethinkdc.training.length import Length
from rethinkdc.types import ViewRule
from rethinkdc.views import AnyViewOp, FixedViews, ViewOp, Views

_Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Part(BaseModel):
    """A part of a recipe.

    ``later`` names the fields that came after version 1: they are left out of what is dumped where they hold their
    default, so that older protocols keep their digest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _leave_out_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dumped: dict[str, Any] = dump(self)
        for name in self.later:
            if getattr(self, name) == type(self).model_fields[name].default:
                dumped.pop(name, None)
        return dumped


class Optimizer(_Part):
    """AdamW or SGD. ``decay="weights"`` spares every tensor that is not named "weight" or has one dimension.

    With ``rho`` each step takes its gradient at the highest loss nearby, which needs a second pass: see
    :func:`rethinkdc.training.flatness.flatten`.
    """

    later: ClassVar[tuple[str, ...]] = ("rho", "alpha", "learned_lr")

    name: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0, description="rate before the schedule's factor")
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="SGD only")
    nesterov: bool = Field(default=False, description="SGD only")
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="AdamW only")
    decay: Literal["weights", "all"] = Field(default="weights", description="which tensors the weight decay pulls on")
    rho: float = Field(default=0.0, ge=0, description="GSAM's radius, adaptive as ASAM's; 0 = plain steps")
    alpha: float = Field(default=0.0, ge=0, description="weight of GSAM's surrogate gap; with rho only")
    learned_lr: bool = Field(default=False, description="a set's learned rate takes lr's place, where it brings one")

    @model_validator(mode="after")
    def _check_alpha(self) -> Optimizer:
        if self.alpha and not self.rho:
            raise ValueError(f"alpha is GSAM's and needs rho; found alpha {self.alpha} with rho 0")
        return self

    def make(self, model: nn.Module) -> torch.optim.Optimizer:
        """The torch optimiser over the trainable parameters of ``model``, in groups by weight decay."""
        groups = self._group_parameters(model)
        if self.name == "adamw":
            return torch.optim.AdamW(groups, lr=self.lr, betas=self.betas, fused=True)
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, fused=True)

    def _group_parameters(self, model: nn.Module) -> list[dict[str, Any]]:
        named = [(name, tensor) for name, tensor in model.named_parameters() if tensor.requires_grad]
        decayed = {name for name, tensor in named if self.decay == "all" or ("weight" in name and tensor.ndim > 1)}
        groups = [
            {"params": [tensor for name, tensor in named if name in decayed], "weight_decay": self.weight_decay},
            {"params": [tensor for name, tensor in named if name not in decayed], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]


class Schedule(_Part):
    """The factor on the learning rate, held over an epoch or a step and changed after it.

    With t of T epochs (or steps) done, after a linear ``warmup`` over the first W of them: cosine
    0.5 (1 + cos(pi (t - W) / (stretch (T - W)))), so that the last epoch's factor is above 0; linear
    1 - (t - W) / (stretch (T - W)); ``step`` multiplies by ``gamma`` at each milestone. Warm-up, milestones and tail
    are fractions of T. The warm-up goes through (t + 1) / W, or with a ``start`` through start + (1 - start) t / W, as
    torch's ``LinearLR``. From a ``tail`` on the factor is the cosine's where the tail begins, times 1 - t / T, as in
    EDC's code (arXiv 2404.13733): there it drops at once, and then to 0.
    """

    later: ClassVar[tuple[str, ...]] = ("stretch", "start", "tail")

    name: Literal["cosine", "linear", "constant", "step"] = "cosine"
    per: Literal["epoch", "step"] = "epoch"
    warmup: float = Field(default=0.0, ge=0, lt=1, description="fraction of the training")
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(), description="fractions of the training"
    )
    gamma: float = Field(default=0.1, gt=0, description="factor at each milestone")
    stretch: float = Field(
        default=1.0, ge=1, description="cosine and linear: its length over the training's; 2 ends at half"
    )
    start: float | None = Field(default=None, ge=0, le=1, description="factor that the warm-up begins with")
    tail: float | None = Field(default=None, gt=0, lt=1, description="cosine only: after which the rate falls to 0")

    @model_validator(mode="after")
    def _check_shape(self) -> Schedule:
        if self.stretch != 1 and self.name not in ("cosine", "linear"):
            raise ValueError(f"stretch is for cosine or linear schedules; found {self.stretch} with name {self.name!r}")
        if self.tail is not None and (self.name != "cosine" or self.warmup):
            raise ValueError(f"tail is for cosine schedules without a warm-up; found {self.tail} with {self.name!r}")
        if self.start is not None and not self.warmup:
            raise ValueError(f"start is for a warm-up; found {self.start} with a warm-up of 0")
        return self

    def factor(self, step: int, length: Length) -> float:
        """The factor during 0-based ``step``."""
        done, total = (step // length.batches, length.epochs) if self.per == "epoch" else (step, length.steps)
        warm = round(self.warmup * total)
        if done < warm:
            return (done + 1) / warm if self.start is None else self.start + (1 - self.start) * done / warm
        if self.name == "cosine":
            if self.tail is not None and done > self.tail * total:
                return 0.5 * (1 + math.cos(math.pi * self.tail / self.stretch)) * (1 - done / total)
            return 0.5 * (1 + math.cos(math.pi * (done - warm) / (self.stretch * (total - warm))))
        if self.name == "linear":
            return 1 - (done - warm) / (self.stretch * (total - warm))
        if self.name == "step":
            return float(self.gamma ** sum(done >= round(milestone * total) for milestone in self.milestones))
        return 1.0


class Recipe(_Part):
    """Optimiser, schedule, length, batch and views of a training run.

    Exactly one of ``epochs`` and ``steps`` is given. ``steps`` may be a table by ipc: an entry counts exactly,
    between two entries the steps follow a straight line in log ipc and log steps, and beyond the table its nearest
    entry counts. ``batch`` may be one too: the entry of the largest ipc up to the set's counts, below all the
    first. With ``ema`` the training ends with, and is tested at, a moving average of the weights: average = ema x
    average + (1 - ema) x weights after each step, from the initial weights on. With ``fixed_views`` each image has
    one view, mix included, that is drawn once and shown in every epoch. With ``norm_groups`` BatchNorm normalises
    each of so many equal parts of a batch by itself, as the replicas of ``torch.nn.DataParallel`` do, and the
    running statistics are those of the first; the result does not depend on how many ranks share the batch.
    """

    later: ClassVar[tuple[str, ...]] = ("ema", "fixed_views", "norm_groups")

    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    epochs: _Positive | None = None
    steps: _Positive | dict[_Positive, _Positive] | None = None
    batch: _Positive | dict[_Positive, _Positive] = 128
    views: tuple[AnyViewOp, ...] = ()
    mix: AnyViewOp | None = None
    ema: float | None = Field(default=None, gt=0, lt=1, description="decay per step of the average of the weights")
    fixed_views: bool = Field(default=False, description="each image has one view, drawn once, in every epoch")
    norm_groups: int = Field(
        default=1, ge=1, le=1024, description="parts of a batch that BatchNorm normalises each by itself"
    )

    @model_validator(mode="after")
    def _check_one_length(self) -> Recipe:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(f"give exactly one of epochs ({self.epochs}) and steps ({self.steps})")
        for name in ("steps", "batch"):
            if getattr(self, name) == {}:
                raise ValueError(f"the table of {name} by ipc is empty")
        return self

    def length(self, rows: int, ipc: int | None = None) -> Length:
        """The length for a set of ``rows`` images.

        Raises:
            RequestError: the set is empty, or the steps or batches are a table and ``ipc`` is None.
        """
        if rows < 1:
            raise RequestError("There is nothing to train on: the set has no images.")
        batch = min(self.batch_at(ipc), rows)
        batches = -(-rows // batch)
        if self.epochs is not None:
            return Length(rows, batch, self.epochs * batches, self.epochs)
        assert self.steps is not None
        steps = self.steps if isinstance(self.steps, int) else _interpolate_steps(self.steps, ipc)
        return Length(rows, batch, steps, -(-steps // batches))

    def batch_at(self, ipc: int | None) -> int:
        """Images in a batch of a set of ``ipc``, which may have fewer.

        Raises:
            RequestError: the batches are a table and ``ipc`` is None.
        """
        if isinstance(self.batch, int):
            return self.batch
        known = sorted(self.batch)
        return self.batch[known[max(0, bisect_right(known, _known_ipc(ipc, "batches", self.batch)) - 1)]]

    def at(self, rate: float | None) -> Recipe:
        """The same at a rate that a set brings; as it is where it brings none, or the recipe fixes its own."""
        if rate is None or not self.optimizer.learned_lr:
            return self
        return self.model_copy(update={"optimizer": self.optimizer.model_copy(update={"lr": rate})})

    def make_views(
        self, mix: ViewOp | None, targets: Tensor, *, size: int, rule: ViewRule, cell_boxes: Tensor | None
    ) -> Views:
        """What renders the views of a training: new ones in each epoch, or one of each image.

        Args:
            mix: mixes them, None = nothing does; labels may come with a mix of their own.
            targets: int64 [N], class of each image of the set.
            size: side of a view in pixels.
            rule: where a view lies.
            cell_boxes: int32 [cells, 4] as (y, x, height, width) on the canvas, where the rule asks for cells.
        """
        if self.fixed_views:
            return FixedViews(self.views, mix, size=size, rule=rule, cell_boxes=cell_boxes, targets=targets)
        return Views(self.views, mix, size=size, rule=rule, cell_boxes=cell_boxes)


def _interpolate_steps(table: Mapping[int, int], ipc: int | None) -> int:
    ipc = _known_ipc(ipc, "steps", table)
    known = sorted(table)
    above = bisect_left(known, ipc)
    if above == len(known):
        return table[known[-1]]
    if known[above] == ipc or above == 0:
        return table[known[above]]
    low, high = known[above - 1], known[above]
    share = math.log(ipc / low) / math.log(high / low)
    return round(table[low] * math.pow(table[high] / table[low], share))


def _known_ipc(ipc: int | None, what: str, table: Mapping[int, int]) -> int:
    if ipc is None:
        raise RequestError(
            f"The recipe's {what} are a table by ipc ({dict(table)}), and this training has no ipc. "
            f"Give the recipe one number of {what}{', or epochs' * (what == 'steps')}."
        )
    return ipc
