"""What compressors share that match trajectories (MTT, arXiv 2203.11932; FTD, 2211.11004; DATM, 2310.05773).

Specified after GeorgeCazenavette/mtt-distillation at 50dccea, AngusDujw/FTD-distillation at 711532a and
NUS-HPC-AI-Lab/DATM at 97ae510. Experts are trained once and kept epoch by epoch; all of these methods share them.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor, Deviation, Setting
from rethinkdc.contracts.presets import FALLBACK, Preset, nearest_dataset, resolve
from rethinkdc.distillation.class_images import RealImages
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.distillation.unrolling import Learned, Pull, StudentStep, Through, Weights, match
from rethinkdc.errors import DivergedImagesError, RequestError
from rethinkdc.method import OfKind
from rethinkdc.models import Model
from rethinkdc.protocol.full_training import TrainedNetwork
from rethinkdc.protocol.protocol import FullTraining, Network, Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.noise import reproducible, seed_noise
from rethinkdc.training.precision import computing
from rethinkdc.training.recipe import Optimizer, Recipe, Schedule
from rethinkdc.types import Budget, Images, ViewKey
from rethinkdc.views import STRATEGIES, DifferentiableViews, Dsa, Strategy

ALL = "all"
"""A batch of a student that is the whole set."""
ZCA = "zca"
"""Not a parameter that is open: what the authors did is shown, and not done unasked, as protocols test pixels."""
_ADVICE = "Lower lr, rate or rate_lr, or the steps."


class TrajectoryMatching(Compressor, ABC):
    """Base of compressors that move images until a student's steps on them lead where an expert's epochs lead.

    ``presets`` holds what a paper gives for each dataset and number of images per class; parameters that are none are
    taken from there.
    """

    family: ClassVar[str] = "distillation"
    presets: ClassVar[Mapping[str, Mapping[int, Preset]]]

    iterations: int = Field(default=5000, ge=1, description="Times that the images are moved.")
    steps: int | None = Field(default=None, ge=1, description="Steps of a student; none = the paper's.")
    expert_epochs: int | None = Field(
        default=None, ge=1, description="Epochs of an expert that these steps stand for; none = the paper's."
    )
    last_start: int | None = Field(
        default=None, ge=1, description="A student begins at an expert's epoch below this; none = the paper's."
    )
    batch: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(
        default=None, description="Images of each step, or all; none = the paper's."
    )
    lr: float | None = Field(default=None, gt=0, description="Rate of the images; none = the paper's.")
    rate: float | None = Field(
        default=None, gt=0, description="Rate of the student, where its learning begins; none = the paper's."
    )
    rate_lr: float | None = Field(default=None, ge=0, description="Rate of the student's rate; none = the paper's.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of the SGD of images and rate.")
    experts: int = Field(default=100, ge=1, description="Networks whose trajectories are kept.")
    epochs: int = Field(default=50, ge=1, description="Epochs of each expert.")
    expert_lr: float = Field(default=0.01, gt=0, description="Rate of the experts' SGD.")
    expert_batch: int = Field(default=256, ge=1, description="Images in a batch of theirs.")
    strategies: tuple[Strategy, ...] = Field(
        default=STRATEGIES, description="DSA's augmentations of experts and students; [] = none."
    )
    through: Through = Field(
        default="all", description="Gradient through all steps of a student, or through each alone, as TESLA."
    )
    zca: bool = Field(
        default=False, description="Experts and students see ZCA-whitened images; the set is stored as pixels again."
    )
    network: Annotated[Reference, OfKind("model")] = Field(
        default=Reference(name="convnet"), description="Architecture of experts and students."
    )

    def rows_per_canvas(self) -> int:
        return 0

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        if ipc is None:
            return super().settings(protocol, ipc)
        return self.resolved(protocol.store.size, protocol.data.classes, ipc)

    def resolved(self, size: int, classes: int, ipc: int) -> dict[str, Setting]:
        """Every parameter's value for canvases of one size, classes and images of each, and where it comes from."""
        name, _ = nearest_dataset(size, classes)
        return resolve(self, {name: self._preset(size, classes, ipc) or Preset({}, "")}, size, classes)

    def _preset(self, size: int, classes: int, ipc: int) -> Preset | None:
        """What the paper gives for such canvases and the nearest number of images; None = nothing."""
        name, _ = nearest_dataset(size, classes)
        table = self.presets.get(name, self.presets.get(FALLBACK.get(name, ""), {}))
        if not table:
            return None
        nearest = min(table, key=lambda known: (max(known, ipc) / min(known, ipc), known))
        values, source = table[nearest]
        return Preset(values, f"{source}, ipc {nearest}" + (f"; the nearest to {ipc}" if nearest != ipc else ""))

    def published(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        settings = super().published(protocol, ipc)
        found = self._preset(protocol.store.size, protocol.data.classes, ipc) if ipc is not None else None
        return (
            settings
            if found is None or ZCA not in found.values
            else {**settings, ZCA: Setting(found.values[ZCA], found.source)}
        )

    def deviations(self, protocol: Protocol, ipc: int | None) -> dict[str, Deviation]:
        chosen = Deviation("best on the test images", "the last", "nothing is chosen on test images")
        clipped = Deviation("as floats", "rounded and clipped as pixels", "views are pixels, but of whitened images")
        views = {} if self.zca or not self.strategies else {"views of experts": clipped}
        return {**super().deviations(protocol, ipc), "iterate": chosen, **views}

    # -- what a subclass may say otherwise ------------------------------------------------------------------------

    def expert_optimizer(self, values: Mapping[str, Any]) -> Optimizer:  # noqa: ARG002 - flat trajectories heed them
        """Of the experts: plain SGD."""
        return Optimizer(name="sgd", lr=self.expert_lr, momentum=0.0, weight_decay=0.0)

    def starts(self, values: Mapping[str, Any], iteration: int) -> range:  # noqa: ARG002 - a curriculum heeds it
        """The epochs of an expert that a student may begin at in a 0-based iteration."""
        return range(values["last_start"])

    def begin(self, matching: Matching) -> dict[str, Tensor]:
        """What is learned, as it begins: ``images``, and ``labels`` [M, C] where they are learned too."""
        return {"images": matching.real_start()}

    # -- the same for all ------------------------------------------------------------------------------------------

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        settings = self.resolved(budget.size, budget.classes, budget.ipc)
        values = {key: setting.value for key, setting in settings.items()}
        self._require_values(values, budget)
        recipe = self._recipe(context.protocol.proxy_recipe(), values)
        model = context.method(Model, self.network)
        experts = [
            # Of the axis of teachers: sets of several seeds match the same experts, as the papers' do.
            context.train(
                recipe,
                "expert",
                index,
                model=model,
                axis="teacher",
                stage="experts",
                keep_epochs=range(self.epochs + 1),
                whitened=self.zca,
            )
            for index in range(self.experts)
        ]
        matching = Matching(self, values, data, budget, context, experts)

        def make(index: int) -> dict[str, Tensor]:
            # A student trains on all images: the set is one part, with states of its own.
            assert index == 0
            images, labels, rate = matching.run()
            mean, std = recipe.mean, recipe.std
            if matching.whitening is not None:
                images, mean, std = matching.whitening.undo(images), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
            return make_part(images, matching.targets.cpu(), mean, std, soft_targets=labels, student_lr=rate)

        return assemble_set(context.parts(1, make), data.class_names)

    def _recipe(self, proxy: Network, values: Mapping[str, Any]) -> FullTraining:
        views = (Dsa(strategies=self.strategies, mean=proxy.mean, std=proxy.std),) if self.strategies else ()
        training = Recipe(
            epochs=self.epochs,
            batch=self.expert_batch,
            optimizer=self.expert_optimizer(values),
            schedule=Schedule(name="constant"),
            views=views,
        )
        return FullTraining(model=self.network, mean=proxy.mean, std=proxy.std, training=training)

    def _require_values(self, values: Mapping[str, Any], budget: Budget) -> None:
        """Refuses before anything is trained what the paper has no value for, and epochs that experts do not have."""
        named = {key for table in self.presets.values() for preset in table.values() for key in preset.values}
        if missing := sorted(key for key in named if values[key] is None):
            raise RequestError(
                f"{self.name}'s paper has no values for {budget.classes} classes at {budget.size} px. Give "
                f"{', '.join(missing)}, as in {self.name}:steps=20; its values for {', '.join(self.presets)} are shown "
                f"by `rethinkdc show {self.name} --dataset NAME`."
            )
        first, last = self.starts(values, 0), self.starts(values, self.iterations)
        if not first or not last:
            raise RequestError(
                f"{self.name} has no epoch to begin at: they go from {(last if first else first).start} up to, and "
                f"without, {(last if first else first).stop}. Lower first_start, or raise last_start and first_last."
            )
        needed = max(*first, *last) + values["expert_epochs"]
        if needed > self.epochs:
            raise RequestError(
                f"{self.name} ends students at an expert's epoch {needed} (last_start={values['last_start']}, "
                f"expert_epochs={values['expert_epochs']}), and experts have {self.epochs}. Give {self.name}:epochs="
                f"{needed} or more, or a smaller last_start."
            )


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

    method: TrajectoryMatching
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

    def run(self) -> tuple[Tensor, Tensor | None, float]:
        """Images float32 [M, 3, S, S], logits [M, C] of learned labels, the student's rate; resumes after a kill."""
        kept, context = self.context.resumable("matching"), self.context
        state = kept.restore() or self._begun()
        with (
            computing(context.device, context.protocol.precision),
            reproducible(context.device),
            context.progress.task(self.method.name, self.method.iterations) as done,
        ):
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

    def _begun(self) -> dict[str, Any]:
        return {"learned": {**self.method.begin(self), "rate": torch.tensor(float(self.values["rate"]))}, "done": 0}

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
        self, state: Mapping[str, Any], method: TrajectoryMatching, values: Mapping[str, Any], device: torch.device
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
