"""What a question is about: a method, or a finished set, and the labels that belong to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError

from rethinkdc.compressed import CompressedSet, export_folder, set_name
from rethinkdc.contracts.kinds import Compressor, Labeler
from rethinkdc.errors import RequestError
from rethinkdc.evidence.calls import Asking
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.finished import protocol_of
from rethinkdc.runs.ground import resolve_ground
from rethinkdc.runs.identity import identity_of
from rethinkdc.runs.opening import open_set
from rethinkdc.runs.runner import Runner
from rethinkdc.seeds import Seeds, generator
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.study import Block

LEARNED = "soft-static:source=learned"
_NOISE_SEED = 0


@dataclass(frozen=True)
class Subject:
    """What a question is about.

    Attributes:
        made: what stands among a study's compressors.
        opened: the finished set; None for a method.
        protocol: what the set was made under; None where nobody knows, or for a method.
    """

    made: str | StudySet
    opened: CompressedSet | None = None
    protocol: str | None = None

    def __str__(self) -> str:
        """What people call it: of a set never where it lies."""
        return self.made if isinstance(self.made, str) else self.made.name or set_name(self.made.set)

    @property
    def labeler(self) -> str:
        """Its own soft labels: those that the set brings, or else the online teacher's."""
        return LEARNED if self.opened is not None and self.opened.soft_targets is not None else "soft"


def find_subject(text: str, call: Asking, runner: Runner) -> Subject:
    """The method or the finished set of this name.

    Args:
        text: a reference to a compressor, or the place of a set; what may be both is the method.
        call: names the dataset.
        runner: knows what is installed.

    Raises:
        RequestError: there is neither, or the set cannot be read.
    """
    made = _read(text if _is_method(text, runner.registry) or not Path(text).exists() else str(Path(text).resolve()))
    if not isinstance(made, StudySet):
        return Subject(made)
    opened = open_set(made.finished, runner.cache.root)
    return Subject(made, opened, protocol_of(identity_of(opened), str(made), call.dataset, runner.registry))


def find_protocol(subject: Subject, labeler: str, call: Asking, runner: Runner) -> str:
    """The protocol of a question, by its id or file: the one asked for, the set's, or the default for these labels.

    Raises:
        RequestError: none fits the dataset and the labels.
    """
    if call.protocol:
        return call.protocol
    built = runner.registry.build(Labeler, labeler)
    known = runner.registry.protocols.all()
    made_under = known.get(subject.protocol) if subject.protocol else None
    if made_under and made_under.admits(built.track):
        return made_under.id
    ground = resolve_ground(
        runner.registry,
        runner.cache,
        dataset=call.dataset or (made_under.default_dataset if made_under else None),
        protocol=None,
        seeds=Seeds.all(0),
        backing=call.backing,
        labeler=built,
    )
    return ground.protocol.id


def write_noise(subject: Subject, size: int, folder: Path) -> StudySet:
    """Writes a set of noise that bears the labels of a finished set; one that is there already is the same.

    Whatever the set brings beside its pixels stays: classes, learned labels, weights, cells and how it is viewed.

    Args:
        subject: the finished set.
        size: side of its images in pixels, where the set does not say.
        folder: where to.
    """
    own = subject.opened
    assert own is not None
    side = own.size or size
    draws = generator(_NOISE_SEED)
    part = {
        "canvases": torch.randint(0, 256, (len(own), 3, side, side), generator=draws, dtype=torch.uint8),
        "targets": own.targets,
        **({} if own.weights is None else {"weights": own.weights}),
        **({} if own.soft_targets is None else {"soft_targets": own.soft_targets}),
    }
    noise = CompressedSet.of_canvases(
        [part],
        own.class_names,
        cell_boxes=own.cell_boxes if own.size else None,
        view_rule=own.view_rule,
        student_lr=own.student_lr,
        numbered=own.numbered,
    )
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        export_folder(noise, folder, size=side)
    return StudySet(set=str(folder.resolve()), name="noise with its labels")


def folder_for(question: str, methods: Sequence[str], call: Asking, protocol: str) -> Path:
    """The folder of a question: the one asked for, or one below ``./evidence`` that is named after the question."""
    if call.out:
        return Path(call.out)
    words = [question, *(Path(method).name for method in methods), *([f"ipc{call.ipc}"] if call.ipc else [])]
    if call.dataset:
        words.insert(1, Path(call.dataset).name)
    elif protocol not in DERIVED:
        words.insert(1, Path(protocol).stem)
    return Path("evidence") / re.sub(r"[^\w.=-]+", "-", "-".join(words)).strip("-")[:100]


def _is_method(text: str, registry: Registry) -> bool:
    try:
        registry.build(Compressor, text)
    except RequestError:
        return False
    return True


def _read(text: str) -> str | StudySet:
    try:
        (made,) = Block(compressors=(text,)).compressors or ()
    except ValidationError as error:
        raise RequestError(f"{text}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    return made


__all__ = ["LEARNED", "Subject", "find_protocol", "find_subject", "folder_for", "write_noise"]
