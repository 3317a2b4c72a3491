"""The synthesis of a set whose students follow experts' trajectories: what is drawn, moved and kept (MTT)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rethinkdc.contracts.context import Context
from rethinkdc.distillation.class_images import RealImages
from rethinkdc.distillation.resuming import synthesising
from rethinkdc.distillation.trajectory_parameters import ALL, TrajectoryParameters
from rethinkdc.distillation.unrolling import Learned, Pull, StudentStep, Weights, match
from rethinkdc.errors import DivergedImagesError
from rethinkdc.protocol.full_training import TrainedNetwork
from rethinkdc.training.noise import seed_noise
from rethinkdc.types import Budget, Images, ViewKey
from rethinkdc.views import DifferentiableViews, Dsa

_ADVICE = "Lower lr, rate or rate_lr, or the steps."


@dataclass
class Matching:
    """One synthesis.

    Attributes:
        method: that is carried out.
        values: its resolved parameters.
        data: the training set.
        budget: of the set.
        context: of the making.
        experts: networks of the whole training set, with their weights after each epoch.
    """

    method: TrajectoryParameters
    values: Mapping[str, Any]
    data: Images
    budget: Budget
    context: Context
    experts: Sequence[TrainedNetwork]

    def __post_init__(self) -> None:
        device, size = self.context.device, self.budget.size
        recipe = self.experts[0].recipe
        self.whitening = self.context.whitening().to(device) if self.method.zca else None
        store = self.context.protocol.store
        self.real = RealImages(self.data, store, recipe.mean, recipe.std, device, self.whitening)
        self.targets = torch.arange(self.budget.classes, device=device).repeat_interleave(self.budget.ipc)
        ops = [Dsa(strategies=self.method.strategies)] if self.method.strategies else []
        self.views = DifferentiableViews(ops, size=size, shared=False)
        self.module = self.experts[0].network().to(device).train()

    def run(self, begin: Callable[[], dict[str, Tensor]]) -> tuple[Tensor, Tensor | None, float]:
        """Images float32 [M, 3, S, S], logits [M, C] of learned labels, the student's rate; resumes after a kill.

        Args:
            begin: what is learned, but the rate, as it begins; asked where nothing was kept.
        """
        kept, context = self.context.resumable("matching"), self.context
        rate = torch.tensor(float(self.values["rate"]))
        state = kept.restore() or {"learned": {**begin(), "rate": rate}, "done": 0}
        with synthesising(context, self.method.name, self.method.iterations) as done:
            moving = _Moving(state, self.method, self.values, context.device)
            done(moving.done)
            for iteration in range(moving.done, self.method.iterations):
                pull = self._match(moving, iteration)
                self._require_finite(pull, iteration)
                moving.move(pull)
                self._require_rate(moving, iteration)
                done(1)
                if iteration + 1 < self.method.iterations:
                    kept.keep(moving.state, done=iteration + 1)
        return moving.result()

    def expert_weights(self, expert: int, epoch: int) -> Weights:
        """The weights of an expert after an epoch, on the device of students."""
        weights = self.experts[expert].weights(epoch)
        return {name: weights[name].to(self.context.device) for name, _ in self.module.named_parameters()}

    def real_start(self) -> Tensor:
        """Random real images of each class, as networks see them: float32 [M, 3, S, S]."""
        return torch.cat(
            [
                self.real.start(self.method.name, label, self.budget.ipc, self.context.generator("set", "init", label))
                for label in range(self.budget.classes)
            ]
        )

    def _match(self, moving: _Moving, iteration: int) -> Pull:
        context = self.context
        expert, epoch = self._drawn(iteration)
        seed_noise(context.seeds.of("set", "noise", iteration), context.device)
        learned = moving.learned
        targets = learned.get("labels", self.targets)
        steps = self._steps(iteration)
        # Each step is taken forwards, and once more on the way back.
        context.count_images(2 * sum(len(step.rows) for step in steps))
        return match(
            self.module,
            self.expert_weights(expert, epoch),
            self.expert_weights(expert, epoch + self.values["expert_epochs"]),
            Learned(learned["images"], targets, learned["rate"]),
            steps,
            self.method.through,
        )

    def _drawn(self, iteration: int) -> tuple[int, int]:
        """An expert, each once in as many iterations as there are, and the epoch that a student begins at."""
        cycle, place = divmod(iteration, len(self.experts))
        order = torch.randperm(len(self.experts), generator=self.context.generator("set", "experts", cycle))
        starts = self.method.starts(self.values, iteration)
        draws = self.context.generator("set", "start", iteration)
        return int(order[place]), starts[int(torch.randint(len(starts), (), generator=draws))]

    def _steps(self, iteration: int) -> list[StudentStep]:
        """Batches of the set in random orders, one order after another."""
        wanted, count = self.values["steps"], len(self.targets)
        size = count if self.values["batch"] == ALL else min(self.values["batch"], count)
        draws, batches = self.context.generator("set", "batches", iteration), list[Tensor]()
        while len(batches) < wanted:
            batches.extend(torch.randperm(count, generator=draws).to(self.targets.device).split(size))
        seed = self.context.seeds.of("set", "views")
        return [
            StudentStep(rows, _Shown(self.views, ViewKey(seed, iteration, step)))
            for step, rows in enumerate(batches[:wanted])
        ]

    def _require_finite(self, pull: Pull, iteration: int) -> None:
        if not bool(torch.isfinite(pull.loss) & torch.isfinite(pull.images).all() & torch.isfinite(pull.rate)):
            raise DivergedImagesError(
                f"{self.method.name}: a student's distance is {float(pull.loss):g}, or its gradient not finite, in "
                f"iteration {iteration + 1} of {self.method.iterations}. {_ADVICE}",
                iteration=iteration,
            )

    def _require_rate(self, moving: _Moving, iteration: int) -> None:
        if float(moving.learned["rate"]) <= 0:
            raise DivergedImagesError(
                f"{self.method.name}: the student's rate has become {float(moving.learned['rate']):g} in iteration "
                f"{iteration + 1} of {self.method.iterations}, and a student needs a positive one. Lower rate_lr "
                f"(found {self.values['rate_lr']:g}), or begin with a larger rate.",
                iteration=iteration,
            )


@dataclass(frozen=True)
class _Shown:
    """The views of one step."""

    views: DifferentiableViews
    key: ViewKey

    def __call__(self, images: Tensor) -> Tensor:
        return self.views.render(images, self.key)


class _Moving:
    """What is learned, and the SGD that moves it."""

    def __init__(
        self, state: Mapping[str, Any], method: TrajectoryParameters, values: Mapping[str, Any], device: torch.device
    ) -> None:
        self.learned = {name: value.to(device) for name, value in state["learned"].items()}
        rates = {"images": values["lr"], "rate": values["rate_lr"], "labels": values.get("labels_lr")}
        momentum = {"labels": values.get("labels_momentum")}
        self.optimizer = torch.optim.SGD(
            [
                {"params": [value], "lr": rates[name], "momentum": momentum.get(name, method.momentum)}
                for name, value in self.learned.items()
            ]
        )
        self.threshold, self.decay, self.done = values.get("threshold"), values.get("ema"), int(state["done"])
        average = state.get("average", state["learned"]["images"])
        self.average = None if self.decay is None else average.to(device, copy=True)
        if "optimizer" in state:
            self.optimizer.load_state_dict(state["optimizer"])

    def move(self, pull: Pull) -> None:
        """One step down; none where the student ended further away than the threshold allows."""
        self.done += 1
        if self.threshold is not None and float(pull.loss) > self.threshold:
            return
        for name, value in self.learned.items():
            value.grad = getattr(pull, name)
        self.optimizer.step()
        if self.average is not None and self.decay is not None:
            self.average.mul_(self.decay).add_(self.learned["images"], alpha=1 - self.decay)

    def state(self) -> dict[str, Any]:
        """What :meth:`__init__` is given after a kill."""
        learned = {name: value.detach().cpu() for name, value in self.learned.items()}
        average = {} if self.average is None else {"average": self.average.cpu()}
        return {"learned": learned, "optimizer": self.optimizer.state_dict(), "done": self.done, **average}

    def result(self) -> tuple[Tensor, Tensor | None, float]:
        """Images, or their moving average; learned labels; rate."""
        images = self.learned["images"] if self.average is None else self.average
        return images, self.learned.get("labels"), float(self.learned["rate"])
