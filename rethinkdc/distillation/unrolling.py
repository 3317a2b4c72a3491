"""How far a training on synthetic images ends from where an expert's led, and how that moves what is learned (MTT)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from rethinkdc.training.precision import widened

Weights = Mapping[str, Tensor]
"""Parameters of a network by their names; buffers are no part of them."""
Through = Literal["all", "each"]
"""Whether the gradient flows through all steps, or through each as if where it begins depended on nothing (TESLA)."""


class StudentStep(NamedTuple):
    """One step of a student: int64 [B], which images it sees, and how these are augmented, with gradients."""

    rows: Tensor
    view: Callable[[Tensor], Tensor]


class Pull(NamedTuple):
    """What a matching gives.

    Attributes:
        loss: || w_N - w* ||^2 / || w_0 - w* ||^2, a scalar.
        images: its gradient by the images, [M, 3, S, S].
        rate: its gradient by the student's rate, a scalar.
        labels: its gradient by the logits of learned labels, [M, C]; None where labels are classes.
    """

    loss: Tensor
    images: Tensor
    rate: Tensor
    labels: Tensor | None


@dataclass(frozen=True)
class Learned:
    """What is learned.

    Attributes:
        images: normalised float [M, 3, S, S].
        targets: int64 [M], classes; or float [M, C], logits whose softmax is the label.
        rate: the student's rate, a scalar.
    """

    images: Tensor
    targets: Tensor
    rate: Tensor


def match(
    module: nn.Module,
    start: Weights,
    end: Weights,
    learned: Learned,
    steps: Sequence[StudentStep],
    through: Through = "all",
) -> Pull:
    """Trains from ``start`` by plain gradient steps, and differentiates the distance to ``end`` by what was learned.

    The gradient is that of the unrolled training (arXiv 2203.11932, algorithm 1), taken backwards a step at a time.
    With v the gradient by the weights after a step of rate a, and g(w, x) the gradient that the step takes, its images
    get -a d(g . v)/dx, and the weights before it v - a d(g . v)/dw. So one step's graph is held at a time, and of the
    others their weights alone. ``each`` passes v on as it is, as TESLA does (arXiv 2211.10586): from two steps on that
    is another gradient. TESLA's code holds all weights too; in it, images get half of theirs (``2 *`` a tuple of one).

    Args:
        module: the student's architecture, in training mode.
        start: weights of the expert, where the student begins.
        end: its weights some epochs later.
        learned: images, labels and rate, on the module's device; left as they are.
        steps: of the student, in their order.
        through: which gradient.
    """
    names = [name for name, _ in module.named_parameters()]
    first, goal = ([weights[name] for name in names] for weights in (start, end))
    rate = learned.rate.detach()
    current, path = first, []
    for step in steps:
        path.append(current)
        # Recorded for the views alone: a step forwards needs no graph of its gradient.
        gradients = _Step(module, names, learned, step, current).gradients(graph=False)
        current = [weight - rate * gradient for weight, gradient in zip(current, gradients, strict=True)]
    way = _squared(first, goal)
    loss = _squared(current, goal) / way
    pull = [2 * (weight - wanted) / way for weight, wanted in zip(current, goal, strict=True)]
    images, by_rate = torch.zeros_like(learned.images), torch.zeros_like(rate)
    labels = torch.zeros_like(learned.targets) if learned.targets.is_floating_point() else None
    for step, weights in zip(reversed(steps), reversed(path), strict=True):
        one = _Step(module, names, learned, step, weights)
        product = _dot(one.gradients(graph=True), pull)
        wanted = [*one.learned, *(one.weights if through == "all" else [])]
        by_images, *others = torch.autograd.grad(product, wanted)
        images.index_add_(0, step.rows, -rate * by_images)
        if labels is not None:
            labels.index_add_(0, step.rows, -rate * others.pop(0))
        by_rate -= product.detach()
        if through == "all":
            pull = [value - rate * change for value, change in zip(pull, others, strict=True)]
    return Pull(loss, images, by_rate, labels)


class _Step:
    """One step's images, labels and weights as leaves, and the gradient of its loss by the weights."""

    def __init__(
        self, module: nn.Module, names: Sequence[str], learned: Learned, step: StudentStep, weights: Sequence[Tensor]
    ) -> None:
        self.module, self.names, self.view = module, names, step.view
        self.weights = [weight.detach().requires_grad_() for weight in weights]
        self.images = learned.images[step.rows].detach().requires_grad_()
        self.targets = learned.targets[step.rows].detach()
        if self.targets.is_floating_point():
            self.targets.requires_grad_()

    @property
    def learned(self) -> list[Tensor]:
        return [self.images, *([self.targets] if self.targets.is_floating_point() else [])]

    def gradients(self, *, graph: bool) -> tuple[Tensor, ...]:
        """Of the mean cross-entropy by the weights."""
        shown = self.view(self.images if graph else self.images.detach())
        logits = widened(functional_call(self.module, dict(zip(self.names, self.weights, strict=True)), (shown,)))
        targets = self.targets.softmax(dim=1) if self.targets.is_floating_point() else self.targets
        loss = F.cross_entropy(logits, targets)
        return torch.autograd.grad(loss, self.weights, create_graph=graph)


def _squared(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return torch.stack([(one - other).square().sum() for one, other in zip(a, b, strict=True)]).sum()


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return torch.stack([(one * other).sum() for one, other in zip(a, b, strict=True)]).sum()
