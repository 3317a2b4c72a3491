"""Matching the statistics of what layers are given (SRe2L, arXiv 2306.13092; G-VBSM, arXiv 2311.17950)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rethinkdc.distillation.channels import ChannelStatistics
from rethinkdc.distillation.statistics import Statistic

Targets = Mapping[str, Mapping[str, ChannelStatistics]]
"""Statistics by the name of a kind, then by the name of a layer."""


class Goal(NamedTuple):
    """What statistics should be, and the share of the loss that this makes out."""

    share: float
    targets: Targets


def distance(found: ChannelStatistics, target: ChannelStatistics, variance: float = 1.0) -> Tensor:
    """How far one layer's statistics are from what they should be.

    ``variance`` * ||V - v||_2 + ||M - m||_2, norms over the channels that are neither squared nor divided by their
    number: SRe2L's recover/utils.py; the weight is DWA's.

    Returns:
        A scalar, to which gradients of ``found`` flow.
    """
    off_variance: Tensor = torch.linalg.vector_norm(target.variance - found.variance)
    off_mean: Tensor = torch.linalg.vector_norm(target.mean - found.mean)
    return variance * off_variance + off_mean


class Smoothing:
    """Moving averages of statistics whose gradients are those of the newest: a straight-through estimate.

    The first statistic *is* the average, so that it is never drawn to 0; the authors' code begins at 0, where a
    statistic is at first (1 - keep) of what it should be.

    Args:
        keep: alpha, share that the average keeps of itself in each step; 0 = no smoothing.
        from_zero: begin as the authors' code does.
    """

    def __init__(self, keep: float, *, from_zero: bool = False) -> None:
        self.keep = keep
        self.from_zero = from_zero
        self._averages: dict[tuple[str, str], ChannelStatistics] = {}

    def smoothed(self, place: tuple[str, str], found: ChannelStatistics) -> ChannelStatistics:
        """Moves the average of a place on: its value is returned, with the gradient of ``found``."""
        if not self.keep:
            return found
        now = ChannelStatistics(*(part.detach() for part in found))
        before = self._averages.get(place)
        if before is None and self.from_zero:
            before = ChannelStatistics(*(torch.zeros_like(part) for part in now))
        average = now if before is None else ChannelStatistics(*map(self._moved, before, now))
        self._averages[place] = average
        # Newest less itself: nothing in value, all of the gradient.
        return ChannelStatistics(*(mean + newest - new for mean, newest, new in zip(average, found, now, strict=True)))

    def state(self) -> dict[str, Any]:
        """The averages, by kind and layer."""
        return {
            "averages": [
                [*place, average.mean.cpu(), average.variance.cpu()] for place, average in self._averages.items()
            ]
        }

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Puts averages back that :meth:`state` gave."""
        self._averages = {
            (kind, layer): ChannelStatistics(mean.to(device), variance.to(device))
            for kind, layer, mean, variance in state["averages"]
        }

    def _moved(self, average: Tensor, newest: Tensor) -> Tensor:
        return self.keep * average + (1 - self.keep) * newest


class StatisticsMatching:
    """Sees what layers of a frozen network are given, and says how far its smoothed statistics are from the goals.

    A context manager: hooks sit on the layers inside, and never outlive it. The averages begin with the object: one for
    each network and batch of images, so that nothing of one batch is left in the next. A layer that the network calls
    more than once in a forward pass is seen as it was last; one without a target, or that it does not call, does not
    count.

    Args:
        module: in evaluation mode, so that its running statistics stay.
        kinds: what is measured, with different names.
        goals: what each kind should be, by layer; their terms add up.
        keep: of the smoothing.
        from_zero: whether its averages begin at 0, as in the authors' code.

    Raises:
        ValueError: a target is of a kind, or for a layer, that is not looked at.
    """

    def __init__(
        self,
        module: nn.Module,
        kinds: Sequence[Statistic],
        goals: Sequence[Goal],
        keep: float = 0.0,
        *,
        from_zero: bool = False,
    ) -> None:
        self.module = module
        self.kinds = kinds
        device = next(module.parameters()).device
        self.goals = [Goal(goal.share, _on(goal.targets, device)) for goal in goals]
        self.layers = {
            name: layer for name, layer in module.named_modules() if any(kind.looks_at(layer) for kind in kinds)
        }
        known = {(kind.name, name) for kind in kinds for name, layer in self.layers.items() if kind.looks_at(layer)}
        for goal in goals:
            if unknown := {(kind, name) for kind, own in goal.targets.items() for name in own} - known:
                raise ValueError(f"Targets for {sorted(unknown)} fit none of {sorted(known)}.")
        self._left_out: Collection[str] = ()
        self._smoothing = Smoothing(keep, from_zero=from_zero)
        self._seen: dict[tuple[str, str], ChannelStatistics] = {}
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> StatisticsMatching:
        self._hooks.append(self.module.register_forward_pre_hook(lambda *_: self._seen.clear()))
        for name, layer in self.layers.items():
            looking = [kind for kind in self.kinds if kind.looks_at(layer)]
            self._hooks.append(layer.register_forward_pre_hook(self._seeing(name, looking)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        # What was seen holds on to the graph of the last forward pass.
        self._seen.clear()

    def leave_out(self, layers: Collection[str]) -> None:
        """From the next forward pass on these layers, by name, are not looked at; their averages stay as they are."""
        self._left_out = layers

    def loss(self, first: float = 10.0, variance: float = 1.0) -> Tensor:
        """The distances of all kinds and layers in the last forward pass, added up; once for each pass.

        Args:
            first: multiplier of the network's first layer that is looked at, whether or not it is left out.
            variance: weight of the variances beside the means.

        Returns:
            A scalar, with gradients; 0 where every layer is left out.

        Raises:
            RuntimeError: no layer was called inside.
        """
        if not self._seen and not self._left_out:
            raise RuntimeError("No layer was called since the matching began: run the network inside it.")
        terms = []
        for index, name in enumerate(self.layers):
            for kind in self.kinds:
                place = (kind.name, name)
                if place not in self._seen:
                    continue
                found = self._smoothing.smoothed(place, self._seen[place])
                for share, targets in self.goals:
                    if name in targets.get(kind.name, {}):
                        weight = share * (first if index == 0 else 1.0)
                        terms.append(weight * distance(found, targets[kind.name][name], variance))
        return torch.stack(terms).sum() if terms else next(self.module.parameters()).new_zeros(())

    def state(self) -> dict[str, Any]:
        """What the smoothing keeps, so that matching goes on after a kill."""
        return self._smoothing.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what :meth:`state` gave."""
        self._smoothing.restore(state, next(self.module.parameters()).device)

    def _seeing(self, name: str, kinds: Sequence[Statistic]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def see(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            if name not in self._left_out:
                for kind in kinds:
                    self._seen[kind.name, name] = kind.overall(given[0])

        return see


def _on(targets: Targets, device: torch.device) -> Targets:
    return {
        kind: {name: ChannelStatistics(mean.to(device), variance.to(device)) for name, (mean, variance) in own.items()}
        for kind, own in targets.items()
    }
