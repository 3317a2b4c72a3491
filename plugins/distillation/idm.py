"""IDM: improved distribution matching (Zhao et al., CVPR 2023, arXiv 2307.09742; uitrbn/IDM at fe23bbc).

Specified after IDM_cifar10.py, with the values of command.txt. All its commands have canvases of four cells (--aug) but
that of ImageNet with 50 images per class, which is factor=1 here. IDM_tiny.py begins them with whole images, by a
condition turned round; here they begin with four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts import (
    Budget,
    CompressedSet,
    Compressor,
    Context,
    Images,
    Method,
    Model,
    OfKind,
    Protocol,
    Reference,
    Setting,
    hookimpl,
)
from rethinkdc.distillation import (
    CHECK_EVERY,
    STRATEGIES,
    Dsa,
    Formation,
    Preset,
    Strategy,
    ViewKey,
    build_seeded,
    embedding,
    image_state,
    linear_classifier,
    mean_distance,
    nearest_dataset,
    nearest_ipc,
    require_finite,
    resolve,
    restore_images,
    seed_noise,
    synthesising,
)

FIRST, TRAINED = 3, 2
"""Networks at the beginning, and those that are trained after each iteration."""
_ALL = {"batch": 256, "interval": 30, "networks": 100, "steps": 10, "network": Reference(name="convnet")}
_LARGE: dict[str, Any] = {"weight": 3.0, "batch": 128, "interval": 50, "networks": 50}
_LARGE |= {"network": Reference(name="convnet", values={"depth": 6})}
COMMANDS: dict[str, dict[int, dict[str, Any]]] = {
    "cifar10": {
        1: {"weight": 0.5, "batch": 5000, "interval": 5, "window": 100},
        10: {"weight": 0.5, "window": 100},
        50: {"weight": 0.1, "window": 500},
    },
    "cifar100": {
        1: {"weight": 0.5, "batch": 5000, "interval": 5, "window": 100},
        10: {"weight": 0.1, "steps": 50, "window": 100},
        50: {"weight": 0.1, "window": 500},
    },
    "tiny-imagenet": {
        1: {"weight": 0.5, "window": 100},
        10: {"weight": 0.5, "window": 500},
        50: {"weight": 0.8, "steps": 50, "window": 1000},
    },
    "imagenet-1k": {
        1: {**_LARGE, "window": 200},
        10: {**_LARGE, "window": 1000},
        50: {**_LARGE, "networks": 100, "window": 500},
    },
}
"""Values by dataset and ipc that command.txt gives; ``window`` is its eval_interval."""


class IDM(Compressor):
    """Moves canvases of several training images to the mean features of real ones, under networks in training.

    Networks wait in a queue, are trained a little on real images after each iteration, and go when newer ones come. One
    is drawn in each iteration; the cells of a class must have the mean features of real images of the class, and be
    told by the network, which counts the more the better that network is. What is stored, and counted, are the
    canvases; students see every cell in every epoch, as in the authors' evaluation.
    """

    name: ClassVar[str] = "idm"
    family: ClassVar[str] = "distillation"
    paper: ClassVar[str] = "arXiv 2307.09742"

    iterations: int = Field(default=20_000, ge=1, description="Steps of each class's images.")
    factor: int = Field(default=2, ge=1, le=8, description="Cells per side of a canvas; 1 = whole images.")
    lr: float = Field(default=0.2, gt=0, description="Rate of the images.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of the images' SGD.")
    batch: int | None = Field(
        default=None, ge=1, description="Real images of a class in each step; none = the paper's."
    )
    weight: float | None = Field(
        default=None,
        ge=0,
        description="Of the cross-entropy, times the network's accuracy in percent; none = the paper's.",
    )
    window: int | None = Field(
        default=None, ge=1, description="Iterations after which accuracies are counted anew; none = the paper's."
    )
    networks: int | None = Field(default=None, ge=1, description="Networks in the queue at most; none = the paper's.")
    interval: int | None = Field(default=None, ge=1, description="Iterations between new networks; none = the paper's.")
    steps: int | None = Field(
        default=None, ge=0, description="Steps of a network's training at a time; none = the paper's."
    )
    images: int = Field(default=256, ge=1, description="Real images in a step of a network's training.")
    strategies: tuple[Strategy, ...] = Field(
        default=STRATEGIES, description="DSA's augmentations, one drawn for real and synthetic images alike; [] = none."
    )
    init: Literal["real", "noise"] = Field(default="real", description="What cells begin as; the paper's is real.")
    network: Annotated[Reference | None, OfKind("model")] = Field(
        default=None, description="Architecture of the networks; none = the paper's."
    )

    @property
    def seen_in_cells(self) -> bool:
        return self.factor > 1

    def rows_per_canvas(self) -> int:
        return 0

    def cells_per_side(self, size: int) -> int:  # noqa: ARG002 - the same for every size
        return self.factor

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        size, classes = protocol.store.size, protocol.data.classes
        name, _ = nearest_dataset(size, classes)
        commands = COMMANDS["imagenet-1k" if name == "imagenet-21k" else name]
        near = nearest_ipc(commands, ipc or 10)
        preset = Preset({**_ALL, **commands[near]}, f"command.txt of uitrbn/IDM at fe23bbc for ipc {near}")
        return resolve(self, {name: preset}, size, classes)

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        values = {name: one.value for name, one in self.settings(context.protocol, budget.ipc).items()}
        work = _Matching(self, values, data, budget, context)
        # All classes share the queue of networks: they are one part.
        return work.formed.assembled(work.run)


@dataclass
class _Waiting:
    """A network of the queue, and how often it was right of the images that it was trained on of late."""

    module: nn.Module
    trainer: torch.optim.Optimizer = field(init=False)
    hits: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        self.trainer = torch.optim.SGD(self.module.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def state(self) -> dict[str, Any]:
        weights, trainer = self.module.state_dict(), self.trainer.state_dict()
        return {"hits": self.hits, "seen": self.seen, "weights": weights, "trainer": trainer}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.hits, self.seen = int(state["hits"]), int(state["seen"])
        self.module.load_state_dict(state["weights"])
        self.trainer.load_state_dict(state["trainer"])


@dataclass
class _Matching:
    """One synthesis: all classes at once."""

    method: IDM
    values: Mapping[str, Any]
    data: Images
    budget: Budget
    context: Context
    queue: list[_Waiting] = field(default_factory=list)

    def __post_init__(self) -> None:
        method = self.method
        ops = [Dsa(strategies=method.strategies)] if method.strategies else []
        self.formed = Formation(method.name, self.data, self.budget, self.context, method.factor, ops, pixels=False)
        self.model = self.context.method(Model, self.values["network"])

    def run(self) -> Tensor:
        """The canvases after all iterations: normalised float32 [C * ipc, 3, S, S]; resumes after a kill."""
        method, context = self.method, self.context
        images = self.formed.begun(method.init).requires_grad_()
        optimizer = torch.optim.SGD([images], lr=method.lr, momentum=method.momentum)
        losses, first = torch.zeros(method.iterations, device=context.device), 0
        kept = context.resumable("matching")
        self.queue = [self._new(number) for number in range(FIRST)]
        if state := kept.restore():
            first = restore_images(state, images, optimizer)
            self.queue = [self._new(0) for _ in state["queue"]]
            for waiting, known in zip(self.queue, state["queue"], strict=True):
                waiting.restore(known)

        def state_of(iterations: int) -> dict[str, Any]:
            require_finite(losses, iterations, method.name, "lower lr")
            return {**image_state(iterations, images, optimizer), "queue": [one.state() for one in self.queue]}

        with synthesising(context, method.name, method.iterations) as done:
            done(first)
            for iteration in range(first, method.iterations):
                seed_noise(context.seeds.of("set", "noise", iteration), context.device)
                self._renew(iteration)
                losses[iteration] = self._match(iteration, images, optimizer)
                self._train(iteration)
                done(1)
                if (iteration + 1) % CHECK_EVERY == 0:
                    require_finite(losses, iteration + 1, method.name, "lower lr")
                kept.keep(lambda: state_of(iteration + 1), done=iteration + 1)  # noqa: B023 - called at once
        require_finite(losses, method.iterations, method.name, "lower lr")
        return images.detach()

    def _new(self, number: int) -> _Waiting:
        seed = self.context.seeds.of("set", "network", number)
        module = build_seeded(self.model, self.budget.classes, self.budget.size, seed)
        return _Waiting(module.to(self.context.device))

    def _renew(self, iteration: int) -> None:
        """Counts accuracies anew, and puts a new network into the queue, where it is time to."""
        if iteration and iteration % self.values["window"] == 0:
            for waiting in self.queue:
                waiting.hits = waiting.seen = 0
        interval = self.values["interval"]
        if iteration % interval == 0:
            if len(self.queue) >= self.values["networks"]:
                self.queue.pop(0)
            self.queue.append(self._new(FIRST + iteration // interval))

    def _match(self, iteration: int, images: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
        """A step after each class; the others' canvases go on with their momentum. Returns the mean distance."""
        context, ipc = self.context, self.budget.ipc
        draws = context.generator("set", "matched", iteration)
        waiting = self.queue[int(torch.randint(len(self.queue), (1,), generator=draws))]
        waiting.module.eval()
        weight = self.values["weight"] * 100 * waiting.hits / max(1, waiting.seen)
        total = torch.zeros((), device=context.device)
        for label in range(self.budget.classes):
            own = slice(label * ipc, (label + 1) * ipc)
            drawn = context.generator("set", "real", label, iteration)
            batch = self.formed.real.batch(label, self.values["batch"], drawn)
            canvases = images[own].detach().requires_grad_()
            cells = self.formed.cells(canvases)
            context.count_images(len(batch) + len(cells))
            key = ViewKey(context.seeds.of("set", "views", label), iteration, 0)
            loss = matched(waiting.module, self.formed.shown(batch, key), self.formed.shown(cells, key), label, weight)
            images.grad = torch.zeros_like(images)
            (images.grad[own],) = torch.autograd.grad(loss, canvases)
            optimizer.step()
            total += loss.detach()
        return total / self.budget.classes

    def _train(self, iteration: int) -> None:
        """Trains some networks of the queue for a few steps on real images, as they are."""
        draws = self.context.generator("set", "trained", iteration)
        for place in torch.randperm(len(self.queue), generator=draws)[:TRAINED].tolist():
            waiting = self.queue[place]
            waiting.module.train()
            for _ in range(self.values["steps"]):
                batch, targets = self.formed.real.mixed(self.method.images, draws)
                self.context.count_images(len(batch))
                logits = waiting.module(batch)
                waiting.trainer.zero_grad(set_to_none=True)
                F.cross_entropy(logits.float(), targets).backward()
                waiting.trainer.step()
                waiting.hits += int((logits.argmax(dim=1) == targets).sum())
                waiting.seen += len(targets)


def matched(network: nn.Module, real: Tensor, made: Tensor, label: int, weight: float) -> Tensor:
    """Squared distance of the mean features, and the weighted cross-entropy of the synthetic images.

    Args:
        network: as it is.
        real: normalised float [R, 3, S, S] of one class.
        made: normalised float [m, 3, S, S] of the same class; gradients flow through them.
        label: the class.
        weight: of the cross-entropy.
    """
    with embedding(network) as embed:
        with torch.no_grad():
            target = embed(real)
        features = embed(made)
    logits = linear_classifier(network)(features)
    targets = torch.full((len(made),), label, device=logits.device)
    return mean_distance(target, features) + weight * F.cross_entropy(logits.float(), targets)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``idm``."""
    return [IDM]
