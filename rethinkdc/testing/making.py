"""Asks a method of each kind that works on data for its result, and says what of that must be the same again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.context.run import RunContext
from rethinkdc.context.work import Purpose
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler, Score, TeacherSource
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.measurement import Evaluation
from rethinkdc.method import Method, named_methods
from rethinkdc.protocol.student import student_training
from rethinkdc.seeds import generator
from rethinkdc.storage import write_file
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.surroundings import encoded, images
from rethinkdc.testing.traces import Arguments
from rethinkdc.testing.verdicts import require
from rethinkdc.testing.watched import WatchedContext
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Drawn, Images, Supervision, ViewBatch, ViewKey

VIEWS = 8
"""Views that a labeler is asked for."""


class Asked(NamedTuple):
    """Who is asked, and with what.

    ``arguments``: what the method is given and must leave as it is; makers add to it.
    """

    method: Method
    data: Images
    context: WatchedContext
    bench: Bench
    arguments: Arguments


class LabelledBatch(NamedTuple):
    """What a labeler gave, and what its supervision said of one batch of views."""

    supervision: Supervision
    targets: dict[str, Tensor]
    loss: Tensor
    gradient: Tensor | None
    views: int


def make_set(asked: Asked) -> Any:
    """What a compressor returns, before the core looks at it."""
    method, bench = asked.method, asked.bench
    assert isinstance(method, Compressor)
    budget = bench.budget(len(asked.data.class_names), asked.context.ipc)
    whole = bench.registry.complete(method, budget.size, budget.classes)
    made: list[Any] = []

    def build(inner: RunContext, out: Path) -> None:
        made.append(whole.compress(asked.data, budget, inner))
        write_file(out / "made", b"")

    asks = list(named_methods(whole, "teacher", bench.registry.build))
    purpose: Purpose | None = "set" if asks else None
    key = {"try": method.name, "of": bench.registry.definition(whole)}
    asked.context.kept("tries", key, "synthesis", build, files=("made",), purpose=purpose)
    return made[0]


def make_scores(asked: Asked) -> Any:
    """What a score returns."""
    assert isinstance(asked.method, Score)
    return asked.method.score(asked.data, asked.context)


def make_labels(asked: Asked) -> Any:
    """What a labeler's supervision says of a batch that is rendered as the training loop would."""
    assert isinstance(asked.method, Labeler)
    compressed = first_rows(asked.data, asked.context.ipc or 1)
    asked.arguments.give("the compressed set", compressed)
    supervision = asked.method.prepare(compressed, asked.context)
    if not hasattr(supervision, "loss"):
        return supervision
    batch = _render_views(compressed, supervision, asked.context)
    targets = supervision.targets(batch)
    logits = torch.randn((len(batch.rows), len(asked.data.class_names)), generator=generator(0)).requires_grad_()
    loss = supervision.loss(logits, targets)
    usable = isinstance(loss, Tensor) and loss.requires_grad
    (gradient,) = torch.autograd.grad(loss.sum(), logits) if usable else (None,)
    return LabelledBatch(supervision, targets, loss.detach(), gradient, len(batch.rows))


def make_evaluation(asked: Asked) -> Any:
    """What an evaluator reports of a student of the first rows."""
    assert isinstance(asked.method, Evaluator)
    compressed = first_rows(asked.data, asked.context.ipc or 1)
    # Other images than those trained on, held as the training images are.
    test: Images = images(classes=len(asked.data.class_names), per_class=5, seed=1)
    test = test if isinstance(asked.data, DecodedImages) else encoded(test)
    asked.arguments.give("the compressed set", compressed)
    asked.arguments.give("the test images", test)
    supervision = asked.bench.registry.build(Labeler, "hard").prepare(compressed, asked.context)
    return asked.method.evaluate(compressed, supervision, test, asked.context)


def make_teacher(asked: Asked) -> Any:
    """What a source of teachers gives."""
    assert isinstance(asked.method, TeacherSource)
    asked.method.check(asked.bench.protocol, len(asked.data.class_names))
    return asked.method.provide(asked.context)


MAKERS: dict[str, Callable[[Asked], Any]] = {
    "compressor": make_set,
    "score": make_scores,
    "labeler": make_labels,
    "evaluator": make_evaluation,
    "teacher": make_teacher,
}
RESULTS: dict[str, type] = {
    "compressor": CompressedSet,
    "score": Tensor,
    "labeler": LabelledBatch,
    "evaluator": Evaluation,
    "teacher": Teacher,
}
"""What each kind gives."""


def comparable(result: Any, asked: Asked) -> dict[str, Any]:
    """The fields of a result that must be the same again.

    Raises:
        BrokenError: it is no result of the method's kind.
    """
    wanted, found = RESULTS[asked.method.kind], type(result).__name__
    name = "Supervision" if wanted is LabelledBatch else wanted.__name__
    require(isinstance(result, wanted), f"expected a {name}, found {found} ({result!r:.60})", differs="type")
    if isinstance(result, CompressedSet):
        return fields_of_set(result, asked.bench.size)
    if isinstance(result, Tensor):
        # NaN differs from itself: the rows that were scored are compared beside their scores.
        there = ~torch.isnan(result) if result.is_floating_point() else torch.ones_like(result, dtype=torch.bool)
        return {"scores": result[there], "rows": there.nonzero().flatten()}
    if isinstance(result, LabelledBatch):
        return {"targets": result.targets, "loss": result.loss, "cost": result.supervision.cost}
    if isinstance(result, Teacher):
        logits = result.logits(asked.data.canvases(torch.arange(VIEWS), asked.bench.size))
        return {"logits": logits, "mean": result.mean, "std": result.std, "test": result.test}
    return {"metrics": result.metrics, "per_class": result.per_class, "result_digest": result.result_digest}


def fields_of_set(made: CompressedSet, size: int) -> dict[str, Any]:
    """What of a compressed set a student may see, or a record tells."""
    return {
        "canvases": made.canvases(torch.arange(len(made)), size),
        "targets": made.targets,
        "sources": made.sources,
        "source_boxes": made.source_boxes,
        "cell_boxes": made.cell_boxes,
        "weights": made.weights,
        "soft_targets": made.soft_targets,
        "student_lr": made.student_lr,
        "view_rule": made.view_rule,
    }


def first_rows(data: Images, ipc: int) -> CompressedSet:
    """The first ``ipc`` rows of each class: what labelers and evaluators are tried on."""
    first = [(data.targets == index).nonzero().flatten()[:ipc] for index in range(len(data.class_names))]
    return CompressedSet.of_rows(data, torch.cat(first))


def _render_views(compressed: CompressedSet, supervision: Supervision, context: RunContext) -> ViewBatch:
    """Renders one batch as the training loop would for these labels."""
    training = student_training(
        compressed,
        supervision.mix,
        context.protocol,
        ipc=context.ipc,
        device=context.device,
        workers=context.workers,
    )
    own = Drawn(ViewKey(seed=0, epoch=0, batch=0), torch.arange(VIEWS) % len(compressed))
    return training.render(supervision.drawn(0) or own)
