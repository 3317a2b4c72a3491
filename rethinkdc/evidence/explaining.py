"""The question where an accuracy comes from: posed as a study of eight corners, and answered from its records."""

from __future__ import annotations

from dataclasses import replace

from rethinkdc.errors import RequestError
from rethinkdc.evidence.calls import ExplainCall
from rethinkdc.evidence.corners import CORNERS, Corner
from rethinkdc.evidence.explanation import FULL, Explanation, explain_corners
from rethinkdc.evidence.question import Progressing, Question, conditions_of, counted_of, main_metric, pose
from rethinkdc.evidence.subjects import LEARNED, find_protocol, find_subject, folder_for, write_noise
from rethinkdc.runs.options import part_of
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.study import Block, Study

BESIDE = ("random", "shuffled")
"""What stands beside the corners, under the same soft labels and new views."""
Part = Corner | str
"""A corner, or one of :data:`BESIDE`."""


def ask_explanation(call: ExplainCall, runner: Runner) -> Question[Part]:
    """Poses the question; nothing is trained.

    Raises:
        RequestError: the method is not known, its labels are not soft, or it has no number of images per class.
    """
    subject = find_subject(call.method, call, runner)
    labeler = call.labeler or subject.labeler
    protocol = find_protocol(subject, labeler, call, runner)
    folder = folder_for("explain", [call.method], call, protocol)
    study = part_of(
        call,
        Study,
        title=f"Where the accuracy of {subject} comes from",
        protocol=protocol,
        seeds=call.numbers,
        # Sizes are said by the blocks.
        ipc=None,
    )
    size = None if subject.opened is not None or call.ipc is None else (call.ipc,)
    own = Block(compressors=(subject.made,), labelers=(labeler,), ipc=size)
    (run, *_) = pose(study, {FULL: own}, runner, folder, "explain").parts[FULL]
    if run.labeler.track == "hard":
        raise RequestError(
            f"--labeler {labeler}: explain sets soft labels against hard ones; name soft ones such as soft, "
            "soft-stored or soft-static."
        )
    if run.ipc is None or run.size.images is not None:
        raise RequestError(
            f"explain {call.method}: its controls need so many images of each class, and this has {run.names.ipc}. "
            "Name a method with --ipc, or a set that has as many images of each class."
        )
    metric = main_metric(run)
    if metric.unit != "fraction" or metric.better != "higher":
        raise RequestError(
            f"--evaluator {call.evaluator}: explain attributes an accuracy; the evaluator measures {metric.name}."
        )
    controls = (run.ipc,)
    noise = "noise" if labeler != LEARNED else write_noise(subject, run.protocol.store.size, folder / "noise-set")
    whole = {"own": own, "noise": replace(own, compressors=(noise,), ipc=controls)}
    blocks: dict[Part, Block] = {
        corner: replace(
            whole[corner.images],
            labelers=("hard",) if corner.labels == "hard" else (labeler,),
            overrides=dict(corner.overrides) or None,
        )
        for corner in reversed(CORNERS)
    }
    if labeler != LEARNED:
        blocks |= {name: replace(own, compressors=(name,), ipc=controls) for name in BESIDE}
    return pose(study, blocks, runner, folder, "explain")


def answer_explanation(known: Progressing[Part]) -> Explanation:
    """The answer from what is known so far."""
    (run, *_), parts = known.question.parts[FULL], known.question.parts
    metric = main_metric(run)
    return explain_corners(
        {corner: known.outcome(corner, metric) for corner in CORNERS},
        {name: known.outcome(name, metric) for name in BESIDE if name in parts},
        method=run.names.compressor,
        conditions=conditions_of(run, metric),
        labeler=run.names.labeler,
        classes=run.layout.classes,
        counted=counted_of(run),
    )
