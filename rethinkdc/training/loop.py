"""The one training loop: students, teachers and proxies."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rethinkdc import interruption, ranks
from rethinkdc.choices import Precision
from rethinkdc.data.device_store import DeviceStore
from rethinkdc.data.store import Store
from rethinkdc.errors import RequestError
from rethinkdc.models import Penultimate
from rethinkdc.seeds import derive_seed
from rethinkdc.storage import digest, end_lost_work
from rethinkdc.training.ahead import in_order
from rethinkdc.training.aside import Aside
from rethinkdc.training.checkpoint import EVERY, Clock, load_checkpoint, save_checkpoint, tell_step
from rethinkdc.training.epoch_losses import EpochLosses
from rethinkdc.training.flatness import flatten
from rethinkdc.training.length import Length, Step
from rethinkdc.training.memory import keep_freed_memory
from rethinkdc.training.noise import reproducible, seed_noise
from rethinkdc.training.observer import Observer
from rethinkdc.training.precision import computing, usual_precision
from rethinkdc.training.predict import parameter_dtype
from rethinkdc.training.recipe import Recipe
from rethinkdc.training.share import share_of
from rethinkdc.training.together import Together, agreed_state
from rethinkdc.types import Progress, Supervision, ViewBatch, ViewKey
from rethinkdc.views import Normaliser, Views

# Raised whenever the same training would end with other weights: it belongs in the digest of all that is trained.
LOOP_REVISION = 1
_STATE = ("step", "seconds", "curve", "losses", "model", "optimizer")
"""What a checkpoint holds in any case."""


@dataclass(frozen=True)
class LoopSeeds:
    """Seeds of the order of the rows, of the views, and of the noise inside the network (dropout, drop-path)."""

    order: int
    views: int
    noise: int


@dataclass(frozen=True)
class TrainingLog:
    """What a training run did.

    Attributes:
        curve: mean loss of each epoch.
        steps: optimiser steps.
        views: images shown, counting each as often as it was.
        seconds: wall-clock time, that of earlier tries up to their checkpoint included.
        peak_memory: most bytes of GPU memory in use at once; 0 on the CPU.
    """

    curve: list[float]
    steps: int
    views: int
    seconds: float
    peak_memory: int


def train_network(
    model: nn.Module,
    store: Store,
    targets: Tensor,
    views: Views,
    supervision: Supervision,
    recipe: Recipe,
    length: Length,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    seeds: LoopSeeds,
    device: torch.device,
    weights: Tensor | None = None,
    workers: int = 0,
    precision: Precision | None = None,
    folder: Path | None = None,
    checkpoint_every: float = EVERY,
    observers: Sequence[Observer] = (),
    progress: Progress | None = None,
    description: str = "train",
    epoch_ended: Callable[[int, float], None] | None = None,
) -> TrainingLog:
    """Trains ``model`` in place, whose parameters are float32 or float64.

    Where the recipe averages weights, the model holds the average at the end, and observers of an epoch's end see it.
    Ranks that work together train one model: see :mod:`rethinkdc.training.together`.

    Args:
        model: the network; logits [B, C] from normalised images [B, 3, S, S].
        store: the pixels of N images.
        targets: int64 [N], class of each image.
        views: renders a batch from its key.
        supervision: gives the targets and the loss of each view; one that is an observer too sees every batch.
        recipe: optimiser and schedule.
        length: length and batch size, from ``recipe.length``.
        mean: channel means of the model's input, of pixels in 0..1.
        std: channel standard deviations of the same.
        seeds: all the randomness of the run; the global generators are left as they were.
        device: where to train.
        weights: float32 [N] with mean 1, loss weight of each image; None = all 1.
        workers: threads that render views ahead, unless all images are on the device; the result does not depend
            on it.
        precision: what a network of float32 computes in; None = bfloat16 on CUDA, float32 on a CPU.
        folder: where checkpoints go, so that a killed run resumes; None = none are kept.
        checkpoint_every: seconds between two checkpoints; more where one takes long to write.
        observers: see every batch.
        progress: where steps are reported.
        description: what the progress, and an interruption, calls what is trained.
        epoch_ended: called with the 0-based epoch and its mean loss.

    Raises:
        DivergedError: the loss is not finite.
        RankError: another rank ended.
        RequestError: an observer needs whole epochs and the length cuts the last one short, or the ranks cannot share
            a batch.
    """
    with (
        interruption.going(f"{description} training") as work,
        progress.task(description, length.steps) if progress else nullcontext(_ignore) as advance,
    ):
        work.heeds = True
        return _Training(
            model=model.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]
            store=store,
            targets=targets,
            views=views,
            supervision=supervision,
            recipe=recipe,
            length=length,
            mean=mean,
            std=std,
            seeds=seeds,
            device=device,
            weights=weights,
            workers=workers,
            precision=precision,
            folder=folder,
            checkpoint_every=checkpoint_every,
            observers=observers,
            epoch_ended=epoch_ended,
        ).run(advance)


def _ignore(done: int) -> None:
    """Progress that nobody asked for."""


@dataclass(kw_only=True)
class _Training:
    """One call of :func:`train_network`, and the state that its checkpoints hold."""

    model: nn.Module
    store: Store
    targets: Tensor
    views: Views
    supervision: Supervision
    recipe: Recipe
    length: Length
    mean: Sequence[float]
    std: Sequence[float]
    seeds: LoopSeeds
    device: torch.device
    weights: Tensor | None
    workers: int
    precision: Precision | None
    folder: Path | None
    checkpoint_every: float
    observers: Sequence[Observer]
    epoch_ended: Callable[[int, float], None] | None

    def __post_init__(self) -> None:
        if isinstance(self.supervision, Observer):
            self.observers = [*self.observers, self.supervision]
        if self._epoch_checkpoints and not self.length.whole:
            raise RequestError(
                "This training is observed row by row and must end with a whole epoch, but its "
                f"{self.length.steps} steps are not a multiple of the {self.length.batches} batches of an epoch: "
                "give the recipe epochs, or such a multiple."
            )
        self.together = Together(share_of(self.length.batch, self.recipe.norm_groups), self.device)
        self.optimizer = self.recipe.optimizer.make(self.model)
        self.dtype = parameter_dtype(self.model)
        self.normalise = Normaliser(self.mean, self.std, self.dtype, self.device)
        self.weights = None if self.weights is None else self.weights.to(self.device)
        self.average: AveragedModel | None = None
        if self.recipe.ema is not None:
            self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(self.recipe.ema))
            # The first update copies: the average begins with the initial weights.
            self.average.update_parameters(self.model)
        self.features: Penultimate | None = None
        self.aside = Aside(self.device) if self.supervision.cost.teacher_at_training else None
        self.step, self.losses = 0, EpochLosses(self.length, self.device)
        self.spent, self.started, self.clock = 0.0, time.perf_counter(), Clock(self.checkpoint_every)

    def run(self, advance: Callable[[int], None]) -> TrainingLog:
        """Trains from the checkpoint, or from the start, to the end."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            keep_freed_memory()
        self._restore()
        advance(self.step)
        self.model.train()
        with self.together.hearing(), ExitStack() as stack:
            self.trained = self.together.averaging(self.model)
            stack.enter_context(reproducible(self.device))
            if self.precision is not None:
                # Autocast is for the forward pass alone: neither losses nor tests are to lose digits.
                stack.enter_context(computing(self.device, "float32" if self.precision == "bf16" else self.precision))
            if any(observer.wants_features for observer in self.observers):
                self.features = stack.enter_context(Penultimate(self.model))
            rendered = stack.enter_context(closing(in_order(self._render, self._steps(), self._threads)))
            for step, batch in rendered:
                loss = self._train(step, batch)
                self.step += 1
                self._end_step(step, loss)
                advance(1)
        if self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        memory = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0
        return TrainingLog(self.losses.curve, self.length.steps, self.length.views, self._seconds, memory)

    def _steps(self) -> Iterator[tuple[Step, ViewKey]]:
        for number, step in enumerate(self.length.walk(self.seeds.order, self.step), self.step):
            if drawn := self.supervision.drawn(number):
                yield step._replace(rows=drawn.rows), drawn.key
            else:
                yield step, ViewKey(self.seeds.views, step.epoch, step.batch)

    def _render(self, work: tuple[Step, ViewKey]) -> tuple[Step, ViewBatch]:
        step, key = work
        places = None if self.together.alone else self.together.share.places(len(step.rows))
        return step, self.views.render(self.store, step.rows, self.targets[step.rows], key, places)

    def _train(self, step: Step, rendered: ViewBatch) -> Tensor:
        batch, count = rendered.to(self.device), len(step.rows)
        rate = self.recipe.optimizer.lr * self.recipe.schedule.factor(self.step, self.length)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # Before the model's noise is seeded, because a teacher may be asked here.
        with self.together.asking(count), self.aside.work() if self.aside else nullcontext():
            labels = self.supervision.targets(batch)
        pixels = self.normalise(batch.pixels)
        logits, loss = self._looked(pixels, batch, labels, count)
        if rho := self.recipe.optimizer.rho:
            flatten(self.model, rho, self.recipe.optimizer.alpha, lambda: self._looked(pixels, batch, labels, count))
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self._show(step, logits.detach().float(), batch.hard)
        return loss

    def _looked(self, pixels: Tensor, batch: ViewBatch, labels: dict[str, Tensor], count: int) -> tuple[Tensor, Tensor]:
        """Logits [B, C] of a batch of views, and its mean loss, whose gradients the weights hold afterwards."""
        seed_noise(self._noise, self.device)
        with self._autocast(), self.together.normalising(count):
            logits = self.trained(pixels)
        logits = logits if self.dtype == torch.float64 else logits.float()
        if self.aside:
            self.aside.join()
        losses = self.supervision.loss(logits, labels)
        losses = losses if self.weights is None else losses * self.weights[batch.rows]
        loss = self.together.mean(losses, count)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return logits, loss

    def _show(self, step: Step, logits: Tensor, hard: Tensor) -> None:
        """Shows the whole batch to those who watch."""
        watching = [observer for observer in self.observers if observer.wants_batches]
        if not watching:
            return
        count = len(step.rows)
        features = self.together.seen(self.features.features, count) if self.features else None
        all_logits, all_hard = self.together.seen(logits, count), self.together.seen(hard, count)
        if all_logits is not None and all_hard is not None:
            for observer in watching:
                observer.batch(step.epoch, step.rows, all_logits, all_hard, features)

    def _end_step(self, step: Step, loss: Tensor) -> None:
        """Ends the epoch and saves, where it is time to, and ends the work where any rank was asked to."""
        told = self.together.tell(loss, self.clock)
        self.losses.add(step, told.loss)
        last = self.step == self.length.steps
        ended = last or step.batch + 1 == self.length.batches
        if ended:
            self._end_epoch(step)
        if self.folder is not None and (last or told.due or (ended and self._epoch_checkpoints)):
            # A checkpoint of a diverged run would only diverge again.
            self.losses.require_finite(step)
            self._save(self.folder)
        end_lost_work()
        if told.asked and not last:
            # Not what this rank hears now: all end after the same step, whose checkpoint is written.
            interruption.ask(told.asked)
            interruption.heed()

    def _end_epoch(self, step: Step) -> None:
        mean = self.losses.end_epoch(step)
        shown = self.model if self.average is None else self.average.module
        self.together.copy_buffers([self.model, shown])
        for observer in self.observers:
            observer.epoch_ended(step.epoch, shown)
        # Whatever the first rank wrote meanwhile.
        ranks.meet("the end of an epoch")
        if self.epoch_ended is not None and ranks.writes():
            self.epoch_ended(step.epoch, mean)

    @property
    def _threads(self) -> int:
        """Threads that render ahead: none where all images are on the device, which is given its work in advance."""
        return 0 if isinstance(self.store, DeviceStore) and self.store.pixels is not None else self.workers

    @property
    def _numbers(self) -> Precision:
        return self.precision or usual_precision(self.device)

    def _autocast(self) -> torch.autocast:
        enabled = self._numbers == "bf16" and self.dtype == torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    @property
    def _epoch_checkpoints(self) -> bool:
        return any(observer.wants_epoch_checkpoints for observer in self.observers)

    @property
    def _noise(self) -> int:
        """The seed of a step's noise: of its own for each rank, whose rows are not those of the first."""
        rank = self.together.share.rank
        return derive_seed(self.seeds.noise, "noise", self.step, *(("rank", rank) if rank else ()))

    @property
    def _seconds(self) -> float:
        return self.spent + time.perf_counter() - self.started

    @property
    def _definition(self) -> str:
        recipe = self.recipe.model_dump(mode="json")
        # Bits depend on the device and the threads: a run resumed under others begins anew, instead of mixing two.
        place: list[Any] = [self.device.type, torch.get_num_threads()]
        if self._numbers != usual_precision(self.device):
            place.append(self._numbers)
        return digest([recipe, asdict(self.length), asdict(self.seeds), list(self.mean), list(self.std), place])

    def _save(self, folder: Path) -> None:
        if ranks.writes():
            self._write(folder)
        ranks.meet("a checkpoint")
        interruption.innermost().kept = tell_step(self.step)

    def _write(self, folder: Path) -> None:
        state: dict[str, Any] = {
            "definition": self._definition,
            "step": self.step,
            "seconds": self._seconds,
            "curve": self.losses.curve,
            "losses": self.losses.values.cpu(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        with self.clock.writing():
            state["observers"] = {type(observer).__name__: observer.state() for observer in self.observers}
            save_checkpoint(folder, state)

    def _restore(self) -> None:
        """Goes on from the checkpoint that the first rank finds, or begins."""
        state = agreed_state(self._found, self.folder)
        if state is None:
            for observer in self.observers:
                observer.restore(None)
            return
        self.step, self.spent, self.losses.curve = state["step"], state["seconds"], state["curve"]
        self.losses.values.copy_(state["losses"])
        interruption.innermost().kept = tell_step(self.step)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _found(self) -> dict[str, Any] | None:
        """The state of a checkpoint that all who watch can go on from."""
        state = load_checkpoint(self.folder, self._definition, _STATE) if self.folder is not None else None
        return state if state is not None and self._observers_go_on(state.get("observers", {})) else None

    def _observers_go_on(self, states: Mapping[str, dict[str, Any]]) -> bool:
        """Whether all that watch can go on from a checkpoint."""
        if all(observer.restore(states.get(type(observer).__name__, {})) for observer in self.observers):
            return True
        warnings.warn(
            f"What was observed of the training in {self.folder} is damaged, incomplete or of another version. The "
            "work starts again from its beginning.",
            stacklevel=2,
        )
        return False
