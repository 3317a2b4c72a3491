"""The question what is better than a random subset: posed as a study, and answered from its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RequestError
from rethinkdc.evidence.calls import CompareCall
from rethinkdc.evidence.comparison import Comparison, Contender, Role, compare_outcomes
from rethinkdc.evidence.question import Progressing, Question, conditions_of, counted_of, main_metric, pose
from rethinkdc.evidence.subjects import Subject, find_protocol, find_subject, folder_for
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.runs.options import part_of
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.study import Block, Study


@dataclass(frozen=True)
class Entrant:
    """A part of a comparison: what takes part, and which student is trained on it; None = the protocol's."""

    made: str | StudySet
    role: Role
    student: str | None

    def __str__(self) -> str:
        name = str(Subject(self.made))
        return f"{name}, {self.student}" if self.student else name


def ask_comparison(call: CompareCall, runner: Runner) -> Question[Entrant]:
    """Poses the question; nothing is trained. What the methods are seen beside is added.

    ``random`` comes first, as all are compared with it. Under soft labels ``noise`` tells what these give away alone.
    ``full`` is the whole training set, trained as the sets are: by the same recipe, as many steps of as many images;
    of a schedule that moves by epochs, whose length the full set would change, each step is an epoch's share.

    Raises:
        RequestError: a method is not known, or the methods differ in the number of images.
    """
    if not call.methods:
        raise RequestError("compare needs a method or a set, as in: rethinkdc compare pca el2n:direction=easy")
    subjects = [find_subject(text, call, runner) for text in call.methods]
    protocol = find_protocol(subjects[0], call.labeler, call, runner)
    folder = folder_for("compare", call.methods, call, protocol)
    study = part_of(
        call,
        Study,
        # Sizes and students are said by the blocks.
        ipc=None,
        students=None,
        title=f"What is better than random: {', '.join(map(str, subjects))}",
        protocol=protocol,
        labelers=(call.labeler,),
        seeds=call.numbers,
    )
    first = _resolve(subjects, study, call, runner)
    ipc = first.ipc
    assert ipc is not None
    beside: dict[Role, Block] = {"random": Block(compressors=("random",), ipc=(ipc,))}
    if first.labeler.track != "hard":
        beside["noise"] = Block(compressors=("noise",), ipc=(ipc,))
    beside["full"] = Block(compressors=("full",), overrides=dict(_equal_steps(first.protocol, ipc)))
    blocks: dict[Entrant, Block] = {}
    for student in call.students or (None,):
        said = {} if student is None else {"student": student}
        blocks[Entrant("random", "random", student)] = _with(beside["random"], said)
        for subject in subjects:
            if subject.made not in beside:
                own = Block(compressors=(subject.made,), ipc=None if subject.opened is not None else (ipc,))
                blocks[Entrant(subject.made, "method", student)] = _with(own, said)
        for role, block in beside.items():
            blocks[Entrant(role, role, student)] = _with(block, said)
    later = [part for part in blocks if part.role in ("noise", "full")]
    return pose(study, blocks, runner, folder, "compare", later)


def answer_comparison(known: Progressing[Entrant]) -> Comparison:
    """The answer from what is known so far."""
    parts = known.question.parts
    first = next(runs[0] for part, runs in parts.items() if part.role == "random")
    metric = main_metric(first)
    contenders = [
        Contender(
            method=runs[0].names.compressor,
            role=part.role,
            student=runs[0].names.student,
            counted=counted_of(runs[0]),
            outcome=known.outcome(part, metric),
        )
        for part, runs in parts.items()
    ]
    return compare_outcomes(conditions_of(first, metric), first.names.labeler, contenders)


def _resolve(subjects: list[Subject], study: Study, call: CompareCall, runner: Runner) -> Run:
    """The first run of each method, all of one size; returns one of them.

    Without --ipc methods take the size of the first finished set, or else the protocol's.
    """
    folder = folder_for("compare", call.methods, call, "")
    runs: list[Run] = []
    ipc = call.ipc
    for subject in sorted(subjects, key=lambda one: one.opened is None):
        size = None if subject.opened is not None or ipc is None else (ipc,)
        block = Block(compressors=(subject.made,), ipc=size, seeds=call.numbers[:1])
        runs += pose(study, {"own": block}, runner, folder, "compare").parts["own"]
        ipc = ipc or (runs[0].ipc if subject.opened is not None else None)
    sizes = {(run.ipc, run.size.images): run.names for run in runs if _budgeted(run)}
    if len(sizes) > 1 or any(images is not None for _, images in sizes):
        told = ", ".join(f"{names.compressor} has {names.ipc}" for names in sizes.values())
        raise RequestError(f"compare needs sets of one number of images per class: {told}. Name methods with --ipc.")
    if not sizes:
        raise RequestError("compare needs a method that makes sets of --ipc images; the full set is added by itself.")
    return next(run for run in runs if _budgeted(run))


def _budgeted(run: Run) -> bool:
    return not isinstance(run.compressor, Compressor) or run.compressor.budgeted


def _equal_steps(protocol: Protocol, ipc: int) -> Mapping[str, Any]:
    """What makes the full set train as one of an ipc."""
    by_epoch = protocol.training.schedule.per == "epoch"
    return {"full_at_ipc": ipc, **({"training.schedule.per": "step"} if by_epoch else {})}


def _with(block: Block, said: Mapping[str, Any]) -> Block:
    return Block(**{**vars(block), **said})
