"""Rules of protocols."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rethinkdc.contracts.kinds import Evaluator, Labeler
from rethinkdc.models import Model
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.making import first_rows
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.surroundings import images
from rethinkdc.testing.traces import stir
from rethinkdc.testing.verdicts import NotApplicableError, require

_LARGEST = 64
"""Side in pixels up to which a few steps take seconds on a CPU."""


@dataclass(frozen=True)
class ProtocolCase:
    """A protocol that is checked, and the folder of its tries."""

    protocol: Protocol
    registry: Registry
    folder: Path

    @cached_property
    def file(self) -> Path:
        """It, written as a file."""
        place = self.folder / f"{self.protocol.id}.toml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(write_toml(self.protocol), encoding="utf-8")
        return place


def _read(case: ProtocolCase) -> str:
    again = load_protocol(case.file)
    told = f"written as TOML and read again its digest is {again.digest[:12]}, not {case.protocol.digest[:12]}"
    require(again.digest == case.protocol.digest, told, differs="digest")
    require(again.teacher_digest == case.protocol.teacher_digest, "its teachers' digest is another", differs="teacher")
    return f"digest {case.protocol.digest[:12]}"


def _described(case: ProtocolCase) -> str:
    summary = case.protocol.summary.strip()
    require(summary, "it has no summary: the line that `rethinkdc list-protocols` shows", differs="summary")
    if not case.protocol.sources:
        return "no value names its source"
    return f"{len(case.protocol.sources)} values name their sources"


def _networks(case: ProtocolCase) -> str:
    networks = case.protocol.networks
    for key, reference in networks.items():
        built = case.registry.build(Model, reference)
        require(isinstance(built, Model), f"{key} = {reference} is no model", differs=key)
    return f"{len(networks)} networks are known"


def _trains(case: ProtocolCase) -> str:
    protocol = case.protocol
    if protocol.store.size > _LARGEST:
        raise NotApplicableError(f"images of {protocol.store.size} px: a few steps would take minutes on a CPU")
    classes = protocol.data.classes or 10
    data = images(classes=classes, per_class=4, size=protocol.store.size)
    stir()
    bench = Bench(case.registry, case.folder / "trains", data, protocol, 2, "cpu")
    context = bench.surround(bench.new_folder(), data, Seeds(), 2)
    compressed = first_rows(data, 2)
    # A soft protocol's own teachers are trained as short.
    labeler = case.registry.build(Labeler, "soft" if protocol.track == "soft" else "hard")
    supervision = labeler.prepare(compressed, context)
    test = images(classes=classes, per_class=2, size=protocol.store.size, seed=1)
    evaluation = case.registry.build(Evaluator, "standard").evaluate(compressed, supervision, test, context)
    return f"two steps, loss {evaluation.metrics['loss']:.2f}"


PROTOCOL: tuple[Rule[ProtocolCase], ...] = (
    Rule("works", "Written as a file and read again it is the same protocol.", _read),
    Rule("described", "It has a summary.", _described, ("works",)),
    Rule("networks", "Every network that it names is known.", _networks, ("works",)),
    Rule("trains", "A student trains under it, a few steps.", _trains, ("works", "networks"), long=True),
)
"""What a protocol must hold."""
