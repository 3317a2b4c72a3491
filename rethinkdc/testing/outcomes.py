"""What a method of each kind that works on data gives, checked against its contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rethinkdc.compressed import CompressedSet
from rethinkdc.context.run import RunContext
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler, Score, TeacherSource
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.method import Method
from rethinkdc.models import weights_digest
from rethinkdc.protocol.student import student_training
from rethinkdc.seeds import Seeds, generator
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.comparing import require
from rethinkdc.testing.surroundings import encoded, images
from rethinkdc.types import Drawn, Images, Supervision, ViewBatch, ViewKey

_VIEWS = 8
"""Views that a labeler is asked for."""


def _try_compressor(method: Method, data: Images, seeds: Seeds, bench: Bench) -> dict[str, Any]:
    assert isinstance(method, Compressor)
    budget, name = bench.budget, method.name
    surroundings = bench.fresh(data, seeds, bench.ipc if method.budgeted else None)
    result = surroundings.compress(bench.registry.reference(method), data, budget)
    require(result.class_names == data.class_names, f"{name} changed the class names")
    if method.budgeted:
        require(len(result) == budget.total, f"{name} made {len(result)} canvases; the budget is {budget.total}")
        if method.balanced:
            require(
                set(result.histogram()) == {budget.ipc}, f"{name} declares balance; per class: {result.histogram()}"
            )
    require(
        result.seen_in_cells == method.seen_in_cells,
        f"{name} declares seen_in_cells = {method.seen_in_cells}; its set's view_rule and cells say otherwise",
    )
    canvases = result.canvases(torch.arange(len(result)), budget.size)
    require(
        canvases.dtype == torch.uint8 and canvases.shape == (len(result), 3, budget.size, budget.size),
        f"{name} made canvases of {canvases.dtype} {list(canvases.shape)}; the protocol stores {budget.size} px",
    )
    _check_beside(result, data, name)
    return {
        "canvases": canvases,
        "targets": result.targets,
        "sources": result.sources,
        "source_boxes": result.source_boxes,
        "cell_boxes": result.cell_boxes,
        "weights": result.weights,
        "soft_targets": result.soft_targets,
        "student_lr": result.student_lr,
        "view_rule": result.view_rule,
    }


def _check_beside(result: CompressedSet, data: Images, name: str) -> None:
    """Checks what a set holds beside its images."""
    require(
        bool(((result.sources >= -1) & (result.sources < len(data))).all()),
        f"{name} names sources outside -1..{len(data) - 1}",
    )
    require(
        result.targets.dtype == torch.int64
        and bool(((result.targets >= 0) & (result.targets < len(data.class_names))).all()),
        f"{name} gives targets that are no class index",
    )
    if result.soft_targets is not None:
        wanted = (len(result), len(data.class_names))
        require(result.soft_targets.shape == wanted, f"{name} learned labels of {list(result.soft_targets.shape)}")
        require(bool(torch.isfinite(result.soft_targets).all()), f"{name} learned labels that are not finite")
    if result.cells > 1 and result.size is not None:
        corners = result.cell_boxes[:, :2] + result.cell_boxes[:, 2:]
        require(
            bool(
                (result.cell_boxes >= 0).all()
                and (result.cell_boxes[:, 2:] > 0).all()
                and (corners <= result.size).all()
            ),
            f"{name} has cells outside its canvas of {result.size} px: {result.cell_boxes.tolist()}",
        )
    if result.source_boxes is not None:
        require(result.source_boxes.shape == (*result.sources.shape, 4), f"{name}: one source box for each cell")
        shown = result.sources >= 0
        sizes = torch.tensor([image.shape[1:] for image in data.native(result.sources[shown])])
        boxes = result.source_boxes[shown]
        inside = (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > 0).all() and (boxes[:, :2] + boxes[:, 2:] <= sizes).all()
        require(bool(inside), f"{name} has source boxes outside their training images")


def _try_score(method: Method, data: Images, seeds: Seeds, bench: Bench) -> dict[str, Any]:
    assert isinstance(method, Score)
    scores = method.score(data, bench.fresh(data, seeds, bench.ipc))
    require(
        scores.dtype == torch.float32 and scores.shape == (len(data),),
        f"{method.name} must give float32 [{len(data)}], found {scores.dtype} {list(scores.shape)}",
    )
    scored, pooled = scores[~torch.isnan(scores)], method.pooled(len(data))
    require(len(scored) == pooled, f"{method.name} must score {pooled} of {len(data)} rows, and scores {len(scored)}")
    # NaN differs from itself: the rows that were scored are compared beside their scores.
    return {"scores": scored, "rows": (~torch.isnan(scores)).nonzero().flatten()}


def _try_labeler(method: Method, data: Images, seeds: Seeds, bench: Bench) -> dict[str, Any]:
    assert isinstance(method, Labeler)
    surroundings = bench.fresh(data, seeds, bench.ipc)
    result = _take_first_rows(data, bench.ipc)
    supervision = method.prepare(result, surroundings)
    cost = supervision.cost
    require(cost.label_bytes >= 0 and cost.teacher_bytes >= 0, f"{method.name} states a negative cost: {cost}")
    batch = _render_views(result, supervision, surroundings)
    targets = supervision.targets(batch)
    views = len(batch.rows)
    short = {key: list(value.shape) for key, value in targets.items() if len(value) != views}
    require(not short, f"{method.name} gives targets whose first dimension is not the batch's {views}: {short}")
    logits = torch.randn((views, len(data.class_names)), generator=generator(0)).requires_grad_()
    loss = supervision.loss(logits, targets)
    require(
        loss.dtype == torch.float32 and loss.shape == (views,),
        f"{method.name} must give an unreduced float32 loss [{views}], found {loss.dtype} {list(loss.shape)}",
    )
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    finite = bool(torch.isfinite(loss).all() and torch.isfinite(gradient).all())
    require(finite, f"{method.name} gives a loss or a gradient that is not finite")
    return {"targets": targets, "loss": loss.detach(), "cost": cost}


def _try_evaluator(method: Method, data: Images, seeds: Seeds, bench: Bench) -> dict[str, Any]:
    assert isinstance(method, Evaluator)
    surroundings = bench.fresh(data, seeds, bench.ipc)
    result = _take_first_rows(data, bench.ipc)
    labeler = bench.registry.build(Labeler, "hard")
    # Other images than those trained on, held as the training images are.
    test: Images = images(classes=len(data.class_names), per_class=5, seed=1)
    test = test if isinstance(data, DecodedImages) else encoded(test)
    evaluation = method.evaluate(result, labeler.prepare(result, surroundings), test, surroundings)
    declared = {metric.name: metric for metric in method.metrics}
    require(
        set(evaluation.metrics) == set(declared),
        f"{method.name} declares {sorted(declared)} and reports {sorted(evaluation.metrics)}",
    )
    for name, value in evaluation.metrics.items():
        inside = declared[name].unit != "fraction" or 0 <= value <= 1
        require(np.isfinite(value) and inside, f"{method.name} reports {name} = {value}, a {declared[name].unit}")
    require(len(evaluation.per_class) == len(data.class_names), f"{method.name} must report one value for each class")
    return {"metrics": evaluation.metrics, "per_class": evaluation.per_class, "result_digest": evaluation.result_digest}


def _try_teacher(method: Method, data: Images, seeds: Seeds, bench: Bench) -> dict[str, Any]:
    assert isinstance(method, TeacherSource)
    teacher = method.provide(bench.fresh(data, seeds, bench.ipc))
    before = weights_digest(teacher.module)
    pixels = data.canvases(torch.arange(_VIEWS), bench.size)
    logits, wanted = teacher.logits(pixels), (_VIEWS, len(data.class_names))
    require(
        logits.dtype == torch.float32 and logits.shape == wanted and bool(torch.isfinite(logits).all()),
        f"{method.name} must give finite float32 logits {list(wanted)}, found {logits.dtype} {list(logits.shape)}",
    )
    frozen = not any(parameter.requires_grad for parameter in teacher.module.parameters())
    require(frozen, f"{method.name} gives a teacher whose parameters take a gradient")
    require(not any(module.training for module in teacher.module.modules()), f"{method.name} is in training mode")
    require(weights_digest(teacher.module) == before, f"{method.name} changes when it is asked")
    return {"logits": logits, "mean": teacher.mean, "std": teacher.std, "test": teacher.test}


def _take_first_rows(data: Images, ipc: int) -> CompressedSet:
    """Takes the first ``ipc`` rows of each class: what labelers and evaluators are tried on."""
    first = [(data.targets == index).nonzero().flatten()[:ipc] for index in range(len(data.class_names))]
    return CompressedSet.of_rows(data, torch.cat(first))


def _render_views(result: CompressedSet, supervision: Supervision, surroundings: RunContext) -> ViewBatch:
    """Renders one batch as the training loop would for these labels."""
    training = student_training(
        result,
        supervision.mix,
        surroundings.protocol,
        ipc=surroundings.ipc,
        device=surroundings.device,
        workers=surroundings.workers,
    )
    own = Drawn(ViewKey(seed=0, epoch=0, batch=0), torch.arange(_VIEWS) % len(result))
    return training.render(supervision.drawn(0) or own)


OUTCOMES: dict[str, Callable[[Method, Images, Seeds, Bench], dict[str, Any]]] = {
    "compressor": _try_compressor,
    "score": _try_score,
    "labeler": _try_labeler,
    "teacher": _try_teacher,
    "evaluator": _try_evaluator,
}
"""By kind: tries a method on data with seeds, checks what it gives, and returns what must be the same again."""
