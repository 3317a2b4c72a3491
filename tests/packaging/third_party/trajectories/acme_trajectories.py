"""Trajectory matching as a stranger could have written it (after MTT, Cazenavette et al., CVPR 2022, arXiv 2203.11932).

Experts are trained on the training set, and their weights are kept after every epoch. Images, their soft labels and the
student's rate are then moved until a few steps on them lead where an epoch on real images leads.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from rethinkdc.contracts import (
    Budget,
    CompressedSet,
    Compressor,
    Context,
    FullTraining,
    Images,
    Method,
    Model,
    OfKind,
    Optimizer,
    Recipe,
    Reference,
    Schedule,
    TrainedNetwork,
    hookimpl,
)
from rethinkdc.distillation import RealImages, assemble_set, make_part

Weights = dict[str, Tensor]


class Trajectories(Compressor):
    """Images on which a few steps of a network end where an epoch on the training set ends."""

    name: ClassVar[str] = "acme-trajectories"
    family: ClassVar[str] = "distillation"
    paper: ClassVar[str] = "arXiv 2203.11932"

    experts: int = Field(default=2, ge=1, description="Networks whose trajectories are matched.")
    epochs: int = Field(default=2, ge=1, description="Epochs of each expert.")
    steps: int = Field(default=3, ge=1, description="Steps on the images that must equal one epoch of an expert.")
    iterations: int = Field(default=4, ge=1, description="Times that the images are moved.")
    lr: float = Field(default=1.0, gt=0, description="Rate of the images and of their labels.")
    network: Annotated[Reference, OfKind("model")] = Field(
        default=Reference(name="convnet", values={"depth": 1, "width": 4}), description="Architecture of the experts."
    )

    def rows_per_canvas(self) -> int:
        return 0

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        recipe, model = self._recipe(context), context.method(Model, self.network)
        experts = [
            context.train(recipe, "expert", index, model=model, stage="experts", keep_epochs=range(self.epochs + 1))
            for index in range(self.experts)
        ]

        def make(_: int) -> dict[str, Tensor]:
            # The images of all classes are moved together: one part, with a state of its own.
            state = self._matched(data, budget, context, experts)
            targets = torch.arange(budget.classes).repeat_interleave(budget.ipc)
            rate = float(state["rate"].exp())
            return make_part(
                state["images"], targets, recipe.mean, recipe.std, soft_targets=state["labels"], student_lr=rate
            )

        return assemble_set(context.parts(1, make), data.class_names)

    def _recipe(self, context: Context) -> FullTraining:
        proxy = context.protocol.proxy_recipe()
        training = Recipe(
            epochs=self.epochs,
            batch=16,
            optimizer=Optimizer(name="sgd", lr=0.05, momentum=0.0, weight_decay=0.0),
            schedule=Schedule(name="constant"),
        )
        return FullTraining(model=self.network, mean=proxy.mean, std=proxy.std, training=training)

    def _matched(self, data: Images, budget: Budget, context: Context, experts: list[TrainedNetwork]) -> dict[str, Any]:
        """Images normalised float32 [M, 3, S, S], logits [M, C] of their labels, and the logarithm of the rate."""
        kept = context.resumable("matching")
        state = kept.restore() or self._begun(data, budget, context)
        module = experts[0].network()
        for iteration in range(int(state["iteration"]), self.iterations):
            draws = context.generator("set", "matching", iteration)
            expert = experts[int(torch.randint(self.experts, (), generator=draws))]
            epoch = int(torch.randint(self.epochs, (), generator=draws))
            learned = {name: state[name].detach().requires_grad_() for name in ("images", "labels", "rate")}
            context.count_images(self.steps * len(state["images"]))
            loss = distance(module, expert.weights(epoch), expert.weights(epoch + 1), learned, self.steps)
            gradients = torch.autograd.grad(loss, list(learned.values()))
            moved = {
                name: (value - self.lr * gradient).detach()
                for (name, value), gradient in zip(learned.items(), gradients, strict=True)
            }
            state = {**moved, "iteration": iteration + 1}
            kept.keep(lambda: state)  # noqa: B023 - called at once
        return state

    def _begun(self, data: Images, budget: Budget, context: Context) -> dict[str, Any]:
        store, proxy = context.protocol.store, context.protocol.proxy_recipe()
        real = RealImages(data, store, proxy.mean, proxy.std, context.device)
        images = [
            real.start(self.name, label, budget.ipc, context.generator("set", "init", label))
            for label in range(budget.classes)
        ]
        labels = torch.eye(budget.classes).repeat_interleave(budget.ipc, dim=0) * 5
        return {"images": torch.cat(images), "labels": labels, "rate": torch.tensor(0.05).log(), "iteration": 0}


def distance(module: nn.Module, start: Weights, end: Weights, learned: Weights, steps: int) -> Tensor:
    """How far ``steps`` steps on the images end from ``end``, as a share of the way from ``start`` to ``end``."""
    weights = {name: value.clone().requires_grad_() for name, value in start.items()}
    soft = torch.softmax(learned["labels"], dim=1)
    for _ in range(steps):
        logits = functional_call(module, weights, (learned["images"],))
        gradients = torch.autograd.grad(F.cross_entropy(logits, soft), list(weights.values()), create_graph=True)
        rate = learned["rate"].exp()
        weights = {name: weights[name] - rate * gradient for name, gradient in zip(weights, gradients, strict=True)}
    missed = sum(((weights[name] - end[name]) ** 2).sum() for name in end)
    return torch.as_tensor(missed / sum(((start[name] - end[name]) ** 2).sum() for name in end))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``acme-trajectories``."""
    return [Trajectories]
