"""Optimising images: Adam, a cosine in each step, and the range of real pixels (SRe2L and what followed it)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from rethinkdc.distillation.resuming import image_state, restore_images
from rethinkdc.errors import DivergedImagesError
from rethinkdc.training.checkpoint import Resumable

BETAS = (0.5, 0.9)
"""Of SRe2L, CDA, DWA, LPLD, G-VBSM and EDC alike."""
_ADVICE = "lower lr or the weight of the statistics, or look at the teacher"
CHECK_EVERY = 32
"""Iterations between two looks at the losses: a look makes a GPU wait."""


class Stateful(Protocol):
    """What a loss moves on beside the images, such as moving averages."""

    def state(self) -> dict[str, Any]:
        """Tensors, numbers, texts, lists and dicts of them."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Puts back what :meth:`state` gave."""
        ...


class GradientSum:
    """Gradients of weights that add up over iterations, which nobody steps by meanwhile.

    Args:
        weights: whose gradients they are, in a fixed order.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights = list(weights)
        self.total = [torch.zeros_like(weight) for weight in self.weights]

    def add(self, gradients: Sequence[Tensor | None]) -> None:
        """Adds those of one iteration; None = a weight has none."""
        for total, gradient in zip(self.total, gradients, strict=True):
            if gradient is not None:
                total += gradient

    def state(self) -> dict[str, Any]:
        """The sums, on the CPU."""
        return {"total": [total.cpu() for total in self.total]}

    def restore(self, state: dict[str, Any]) -> None:
        """Puts back what :meth:`state` gave."""
        for total, kept in zip(self.total, state["total"], strict=True):
            total.copy_(kept)


def normalised_range(mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """What black and white are to a network: -m / s and (1 - m) / s of each channel, float32 [1, 3, 1, 1] both."""
    means, stds = (torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1) for values in (mean, std))
    return (-means / stds).float(), ((1 - means) / stds).float()


def cosine_rate(iteration: int, iterations: int, lr: float) -> float:
    """The learning rate of a 0-based iteration: lr * (1 + cos(pi t / T)) / 2, without a warm-up."""
    return lr * 0.5 * (1 + math.cos(math.pi * iteration / iterations))


def optimise(
    images: Tensor,
    loss: Callable[[Tensor, int], Tensor],
    *,
    iterations: int,
    lr: float,
    low: Tensor,
    high: Tensor,
    betas: tuple[float, float] = BETAS,
    where: str = "the images",
    advance: Callable[[int], None] | None = None,
    kept: Resumable | None = None,
    beside: Sequence[Stateful] = (),
    summed: GradientSum | None = None,
    edits: Mapping[int, Callable[[Tensor], Tensor]] | None = None,
) -> Tensor:
    """Moves images down a loss, within the range of real pixels, with an optimiser of their own.

    The *last* iterate is returned, as the papers' code does, whatever its loss. Only gradients of the images are taken.

    Args:
        images: normalised, [B, 3, S, S]; left as they are.
        loss: a scalar from the images and the 0-based iteration.
        iterations: T.
        lr: learning rate of the first iteration.
        low: smallest value of each channel, broadcast to the images: see :func:`normalised_range`.
        high: largest value.
        betas: of Adam.
        where: what an error calls the images: "batch 3 of 20".
        advance: called with the number of iterations done since the last call.
        kept: where a kill left off, and where the state goes now and then; None = a kill loses the images.
        beside: what else has a state that the loss moves on, in a fixed order.
        summed: adds up the loss's gradients of weights; None = only those of the images are taken.
        edits: what becomes of the images before a 0-based iteration, by its number, of any side; from then on a new
            optimiser moves them, at the rate of the iteration.

    Returns:
        float32 [B, 3, S, S], on the images' device.

    Raises:
        DivergedImagesError: a loss was not finite; names the iteration.
    """
    current, optimizer = _begun(images, lr, betas)
    low, high = low.to(current), high.to(current)
    beside = [*beside, summed] if summed else beside
    losses, first = torch.zeros(iterations, device=current.device), 0
    if kept is not None and (state := kept.restore()):
        if state["images"].shape != current.shape:
            current, optimizer = _begun(state["images"].to(current.device), lr, betas)
        first = restore_images(state, current, optimizer)
        for one, own in zip(beside, state["beside"], strict=True):
            one.restore(own)
        if advance is not None:
            advance(first)

    def state_of(done: int) -> dict[str, Any]:
        # Diverged images would only diverge again.
        require_finite(losses, done, where, _ADVICE)
        return {**image_state(done, current, optimizer), "beside": [one.state() for one in beside]}

    for iteration in range(first, iterations):
        if edits and iteration in edits:
            current, optimizer = _begun(edits[iteration](current.detach()), lr, betas)
        optimizer.param_groups[0]["lr"] = cosine_rate(iteration, iterations, lr)
        value = loss(current, iteration)
        if summed is None:
            (current.grad,) = torch.autograd.grad(value, current)
        else:
            current.grad, *others = torch.autograd.grad(value, [current, *summed.weights], allow_unused=True)
            summed.add(others)
        optimizer.step()
        with torch.no_grad():
            torch.clamp(current, low, high, out=current)
        losses[iteration] = value.detach()
        if (iteration + 1) % CHECK_EVERY == 0 or iteration + 1 == iterations:
            require_finite(losses, iteration + 1, where, _ADVICE)
            if advance is not None:
                advance(iteration + 1 - max(first, iteration - iteration % CHECK_EVERY))
        if kept is not None and iteration + 1 < iterations:
            kept.keep(lambda: state_of(iteration + 1), done=iteration + 1)  # noqa: B023 - called at once
    return current.detach()


def _begun(images: Tensor, lr: float, betas: tuple[float, float]) -> tuple[Tensor, torch.optim.Optimizer]:
    """A copy of images that takes gradients, and the optimiser of it."""
    current = images.detach().to(torch.float32).clone().requires_grad_()
    return current, torch.optim.Adam([current], lr=lr, betas=betas, eps=1e-8)


def require_finite(losses: Tensor, done: int, where: str, advice: str) -> None:
    """Checks the losses float32 [T] of the first ``done`` iterations.

    Raises:
        DivergedImagesError: names the first that is not finite; ``advice`` says what to try.
    """
    wrong = (~torch.isfinite(losses[:done])).nonzero().flatten()
    if not len(wrong):
        return
    iteration = int(wrong[0])
    raise DivergedImagesError(
        f"The loss of {where} is {float(losses[iteration])} in iteration {iteration + 1} of {len(losses)}: the images "
        "diverged. Parts that were finished are kept, and the same command goes on after them; if it ends here "
        f"again, {advice}.",
        iteration=iteration,
    )
