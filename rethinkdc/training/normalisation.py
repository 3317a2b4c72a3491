"""Statistics of BatchNorm: of a batch that ranks share, or of groups of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from rethinkdc.ranks.collectives import counts_here, sum_up


class SharedStatistics(TorchFunctionMode):
    """Inside, BatchNorm in training normalises by the statistics of the whole batch, of which each rank has a piece.

    So do teachers that take their batch's statistics. Whatever calls ``F.batch_norm`` is reached: networks stay as
    they are, and so do their checkpoints. It is for use inside :func:`rethinkdc.ranks.collectives.sharing_batch`.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is not F.batch_norm:
            return func(*args, **(kwargs or {}))
        given = _given(*args, **(kwargs or {}))
        if not given["training"]:
            return func(**given)
        return _shared(given)


class GroupedStatistics(TorchFunctionMode):
    """Inside, BatchNorm in training normalises each group of rows by itself, as replicas of a network do.

    The running statistics are those of the first group, as ``torch.nn.DataParallel`` keeps the first replica's.

    Args:
        sizes: rows of each group, one after the other; a rank that has none goes along with a row that does not count.
        keeps: whether the first group is this rank's.
    """

    def __init__(self, sizes: Sequence[int], *, keeps: bool) -> None:
        super().__init__()
        self.sizes, self.keeps = [size for size in sizes if size], keeps

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is not F.batch_norm:
            return func(*args, **(kwargs or {}))
        given = _given(*args, **(kwargs or {}))
        if not given["training"]:
            return func(**given)
        return _grouped(given, self.sizes, keeps=self.keeps)


def _given(
    input: Tensor,  # noqa: A002 - torch's name
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> dict[str, Any]:
    """The arguments of ``F.batch_norm`` by name."""
    return locals()


def _grouped(given: dict[str, Any], sizes: list[int], *, keeps: bool) -> Tensor:
    rows: Tensor = given["input"]
    if not sizes:
        # One row that does not count, and of which some layers have no statistics.
        return F.batch_norm(**{**given, **_units(rows), "training": False})
    alone = {"running_mean": None, "running_var": None}
    parts = []
    for place, part in enumerate(rows.split(sizes)):
        parts.append(F.batch_norm(**{**given, "input": part, **({} if keeps and not place else alone)}))
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _units(rows: Tensor) -> dict[str, Tensor]:
    kind = torch.float64 if rows.dtype == torch.float64 else torch.float32
    mean = torch.zeros(rows.shape[1], dtype=kind, device=rows.device)
    return {"running_mean": mean, "running_var": torch.ones_like(mean)}


def _shared(given: dict[str, Any]) -> Tensor:
    rows, counts = given["input"], counts_here()
    sums = _sums(rows.detach(), counts=counts)
    total, mean = sums[0, 0], sums[1] / sums[0, 0]
    variance = (sums[2] / total - mean.square()).clamp_(min=0)
    if (running := given["running_mean"]) is not None:
        momentum = given["momentum"]
        unbiased = variance * (total / (total - 1).clamp(min=1))
        running.lerp_(mean.to(running.dtype), momentum)
        given["running_var"].lerp_(unbiased.to(running.dtype), momentum)
    normalised: Tensor = _Normalised.apply(
        rows, given["weight"], given["bias"], mean, variance, total, given["eps"], counts
    )
    return normalised


def _sums(rows: Tensor, *, counts: bool) -> Tensor:
    """Float64 [3, C]: over all ranks the number of values of each channel, their sum and the sum of their squares.

    Of a rank's own values from its mean and variance, in float64, so that nothing is lost where the mean is large.
    """
    sums = torch.zeros(3, rows.shape[1], dtype=torch.float64, device=rows.device)
    if counts:
        mean, variance = (value.double() for value in torch.batch_norm_update_stats(rows, None, None, 0.0))
        count = rows.numel() // rows.shape[1]
        sums[0], sums[1], sums[2] = count, count * mean, count * (variance + mean.square())
    return sum_up(sums)


class _Normalised(torch.autograd.Function):
    """Normalises by statistics that all ranks have in common, through which gradients flow to the rows of all."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        total: Tensor,
        eps: float,
        counts: bool,
    ) -> Tensor:
        kind = rows.dtype if rows.dtype == torch.float64 else torch.float32
        mean, variance = mean.to(kind), variance.to(kind)
        ctx.save_for_backward(rows, weight, mean, variance, total)
        ctx.eps, ctx.counts = eps, counts
        return F.batch_norm(rows, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        rows, weight, mean, variance, total = ctx.saved_tensors
        (grad,) = grads
        scale = torch.ones_like(mean) if weight is None else weight
        to_rows, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            grad, rows, scale, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        # What the statistics contribute: the mean gradient, and its part along the normalised rows.
        shared = sum_up(torch.stack([to_bias, to_weight]).double()) / total
        if ctx.counts:
            inverse = (variance + ctx.eps).rsqrt()
            along = shared[1].to(mean.dtype) * inverse
            factor, offset = -scale * inverse * along, scale * inverse * (along * mean - shared[0].to(mean.dtype))
            shape = [1, -1] + [1] * (rows.dim() - 2)
            to_rows = to_rows.addcmul_(rows, factor.view(shape).to(rows.dtype)).add_(offset.view(shape).to(rows.dtype))
        return to_rows, None if weight is None else to_weight, None if weight is None else to_bias, *[None] * 5
