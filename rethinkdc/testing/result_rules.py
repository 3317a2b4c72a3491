"""Rules of what a method gives: as much as was asked for, of the right types, within range."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet, check_budget
from rethinkdc.contracts.kinds import Compressor, Evaluator, Score
from rethinkdc.errors import ContractError
from rethinkdc.measurement import Evaluation
from rethinkdc.models import weights_digest
from rethinkdc.testing.case import Case
from rethinkdc.testing.making import VIEWS, LabelledBatch
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.set_rules import check_beside, check_view_rule
from rethinkdc.testing.verdicts import BrokenError, require
from rethinkdc.training.teacher import Teacher

_WORKS = ("works",)


def _works(case: Case) -> str:
    case.first  # noqa: B018 - the try that the other rules look at
    return ""


def _budget(case: Case) -> str:
    method, made = cast(Compressor, case.method), cast(CompressedSet, case.first.result)
    budget = case.bench.budget(len(case.data.class_names))
    balanced = method.balanced and not method.listed
    try:
        check_budget(made, method.name, budget, budgeted=method.budgeted, balanced=balanced)
    except ContractError as error:
        raise BrokenError(str(error), differs="canvases") from None
    return f"{len(made)} canvases, {'each class alike' if balanced else 'as the method divides them'}"


def _set_types(case: Case) -> None:
    made, size = cast(CompressedSet, case.first.result), case.bench.size
    canvases = case.first.fields["canvases"]
    wanted = (len(made), 3, size, size)
    require(
        canvases.dtype == torch.uint8 and canvases.shape == wanted,
        f"expected canvases of torch.uint8 {list(wanted)}, found {canvases.dtype} {list(canvases.shape)}",
        differs="canvases",
    )
    require(made.cell_boxes.dtype == torch.int32, f"cell_boxes are {made.cell_boxes.dtype}", differs="cell_boxes")


def _set_range(case: Case) -> None:
    check_beside(cast(CompressedSet, case.first.result), case.data)


def _set_targets(case: Case) -> None:
    made, classes = cast(CompressedSet, case.first.result), case.data.class_names
    require(
        made.class_names == classes, f"expected the classes {classes}, found {made.class_names}", differs="class_names"
    )
    inside = bool(((made.targets >= 0) & (made.targets < len(classes))).all())
    found = sorted(set(made.targets.tolist()))
    require(
        made.targets.dtype == torch.int64 and inside and made.targets.shape == (len(made),),
        f"expected targets int64 in 0..{len(classes) - 1}, found {made.targets.dtype} {found[:8]}",
        differs="targets",
    )


def _views(case: Case) -> None:
    check_view_rule(cast(Compressor, case.method), cast(CompressedSet, case.first.result))


def _score_types(case: Case) -> None:
    scores, rows = cast(Tensor, case.first.result), len(case.data)
    require(
        scores.dtype == torch.float32 and scores.shape == (rows,),
        f"{case.method.name} must give float32 [{rows}], found {scores.dtype} {list(scores.shape)}",
        differs="scores",
    )


def _score_range(case: Case) -> None:
    method, rows = cast(Score, case.method), len(case.data)
    scored, pooled = len(case.first.fields["scores"]), method.pooled(rows)
    require(
        scored == pooled, f"{method.name} must score {pooled} of {rows} rows, and scores {scored}", differs="scores"
    )


def _label_types(case: Case) -> None:
    batch = cast(LabelledBatch, case.first.result)
    short = {key: list(value.shape) for key, value in batch.targets.items() if len(value) != batch.views}
    require(
        not short, f"targets whose first dimension is not the batch's {batch.views}: {short}", differs=", ".join(short)
    )
    found = f"{batch.loss.dtype} {list(batch.loss.shape)}"
    require(
        batch.loss.dtype == torch.float32 and batch.loss.shape == (batch.views,),
        f"{case.method.name} must give an unreduced float32 loss [{batch.views}], found {found}",
        differs="loss",
    )


def _label_range(case: Case) -> None:
    batch = cast(LabelledBatch, case.first.result)
    cost = batch.supervision.cost
    require(cost.label_bytes >= 0 and cost.teacher_bytes >= 0, f"a negative cost: {cost}", differs="cost")
    require(batch.gradient is not None, "a loss without a gradient: no student can learn from it", differs="loss")
    assert batch.gradient is not None
    finite = bool(torch.isfinite(batch.loss).all() and torch.isfinite(batch.gradient).all())
    require(finite, "a loss, or a gradient, that is not finite", differs="loss")


def _metrics(case: Case) -> None:
    result, method = cast(Evaluation, case.first.result), cast(Evaluator, case.method)
    declared = {metric.name: metric for metric in method.metrics}
    require(
        set(result.metrics) == set(declared),
        f"{method.name} declares {sorted(declared)} and reports {sorted(result.metrics)}",
        differs=", ".join(sorted(set(result.metrics) ^ set(declared))),
    )
    require(len(declared) == len(method.metrics), "two metrics have one name", differs="metrics")


def _metric_range(case: Case) -> None:
    result, method = cast(Evaluation, case.first.result), cast(Evaluator, case.method)
    units = {metric.name: metric.unit for metric in method.metrics}
    for name, value in result.metrics.items():
        inside = units.get(name) != "fraction" or 0 <= value <= 1
        require(np.isfinite(value) and inside, f"{name} = {value}, and it is a {units.get(name)}", differs=name)
    classes = len(case.data.class_names)
    require(
        len(result.per_class) == classes,
        f"expected one value for each of {classes} classes, found {len(result.per_class)}",
        differs="per_class",
    )


def _logits(case: Case) -> None:
    wanted, logits = (VIEWS, len(case.data.class_names)), case.first.fields["logits"]
    require(
        logits.dtype == torch.float32 and logits.shape == wanted and bool(torch.isfinite(logits).all()),
        f"expected finite float32 logits {list(wanted)}, found {logits.dtype} {list(logits.shape)}",
        differs="logits",
    )


def _still(case: Case) -> None:
    teacher = cast(Teacher, case.first.result)
    taking = [name for name, parameter in teacher.module.named_parameters() if parameter.requires_grad]
    require(not taking, f"parameters of the teacher take a gradient: {', '.join(taking[:3])}", differs="requires_grad")
    training = any(module.training for module in teacher.module.modules())
    require(not training, "the teacher is in training mode: call eval()", differs="training")
    before = weights_digest(teacher.module)
    teacher.logits(case.data.canvases(torch.arange(VIEWS), case.bench.size))
    require(weights_digest(teacher.module) == before, "its weights change when it is asked", differs="weights")


WORKS: Rule[Case] = Rule("works", "It gives a result of its kind on small images.", _works)
BY_KIND: dict[str, tuple[Rule[Case], ...]] = {
    "compressor": (
        Rule("budget", "A set has exactly the canvases that it was asked for, in each class.", _budget, _WORKS),
        Rule("types", "Canvases are uint8 at the protocol's size.", _set_types, _WORKS),
        Rule("targets", "Targets are class indices, and the classes those of the training set.", _set_targets, _WORKS),
        Rule("range", "Sources, boxes and learned labels lie where they can.", _set_range, _WORKS),
        Rule("views", "Its sets are viewed as the class declares.", _views, _WORKS),
    ),
    "score": (
        Rule("types", "Scores are one float32 number for each training row.", _score_types, _WORKS),
        Rule("range", "As many rows are scored as pooled() says.", _score_range, ("works", "types")),
    ),
    "labeler": (
        Rule("types", "Targets go with the batch, and the loss is float32, one for each view.", _label_types, _WORKS),
        Rule("range", "Loss and gradient are finite, and no cost is negative.", _label_range, ("works", "types")),
    ),
    "evaluator": (
        Rule("metrics", "It reports the metrics that it declares.", _metrics, _WORKS),
        Rule("range", "Values are finite, fractions lie in 0..1, and each class has one.", _metric_range, _WORKS),
    ),
    "teacher": (
        Rule("logits", "Logits are finite float32 numbers, one for each class of the data.", _logits, _WORKS),
        Rule("still", "A teacher is frozen, in evaluation mode, and the same after it was asked.", _still, _WORKS),
    ),
}
"""What each kind gives."""
