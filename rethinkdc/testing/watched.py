"""A context that notes what a method asks it for, and that may end the process at any moment of its work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rethinkdc.context.run import RunContext
from rethinkdc.contracts.context import Context
from rethinkdc.models import weights_digest
from rethinkdc.protocol.proxy import FrozenProxy
from rethinkdc.reference import Reference
from rethinkdc.training.checkpoint import EVERY, Resumable
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import ChunksMaker, PartsMaker


@dataclass
class Watch:
    """What was asked for.

    Attributes:
        asked: names of what keeps work over kills: ``parts``, ``chunks``, ``resumable``.
        artefacts: kinds of what was kept in the cache.
        networks: those that were handed out, each with its hooks and its weights at that time.
        moment: is called whenever a piece of work begins or is kept.
    """

    asked: set[str] = field(default_factory=set)
    artefacts: set[str] = field(default_factory=set)
    networks: list[tuple[nn.Module, int, str]] = field(default_factory=list)
    moment: Callable[[], None] = lambda: None

    def hand_out(self, network: nn.Module) -> None:
        """Notes a network that the method gets, which others get too."""
        self.networks.append((network, count_hooks(network), weights_digest(network)))

    def marked(self) -> list[str]:
        """What was done to the networks that were handed out."""
        found = []
        for network, hooks, weights in self.networks:
            if count_hooks(network) != hooks:
                found.append("hooks of a network that it was given")
            if weights_digest(network) != weights:
                found.append("weights of a network that it was given")
        return sorted(set(found))


def count_hooks(network: nn.Module) -> int:
    """Hooks of a network and of all in it."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in network.modules() for kind in kinds)


@dataclass(frozen=True, kw_only=True)
class WatchedContext(RunContext):
    """A run's context that is watched; states and chunks are written at once, so that tiny work is kept too."""

    watch: Watch = field(default_factory=Watch)
    keeps_every: float = 0.0

    def artefact(
        self, kind: str, key: Any, stage: str, build: Callable[[Context, Path], float | None], *, files: Sequence[str]
    ) -> Path:
        self.watch.artefacts.add(kind)
        return super().artefact(kind, key, stage, build, files=files)

    def parts(self, count: int, make: PartsMaker, *, files: Sequence[str] | None = None) -> Sequence[dict[str, Tensor]]:
        self.watch.asked.add("parts")

        def made(index: int) -> dict[str, Tensor]:
            self.watch.moment()
            part = make(index)
            self.watch.moment()
            return part

        return super().parts(count, made, files=files)

    def chunks(
        self, name: str, count: int, step: int, make: ChunksMaker, *, unit: str = "rows", of: Any = None
    ) -> Sequence[dict[str, Tensor]]:
        self.watch.asked.add("chunks")

        def made(spans: Sequence[range]) -> Iterator[Mapping[str, Tensor]]:
            for result in make(spans):
                self.watch.moment()
                yield result

        return super().chunks(name, count, step, made, unit=unit, of=of)

    def resumable(self, name: str, *, every: float = EVERY) -> Resumable:  # noqa: ARG002 - here always at once
        self.watch.asked.add("resumable")
        kept = super().resumable(name, every=0.0)
        keep = kept.keep

        def watched(state: Callable[[], dict[str, Any]], *, now: bool = False, done: int | None = None) -> bool:
            written = keep(state, now=now, done=done)
            self.watch.moment()
            return written

        kept.keep = watched  # type: ignore[method-assign]
        return kept

    def teacher(self, reference: Reference | str | None = None) -> Teacher:
        teacher = super().teacher(reference)
        self.watch.hand_out(teacher.module)
        return teacher

    def proxy_network(self) -> FrozenProxy:
        proxy = super().proxy_network()
        self.watch.hand_out(proxy.network)
        return proxy
