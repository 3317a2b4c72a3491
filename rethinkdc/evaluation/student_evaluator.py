"""What evaluators that train a student have in common; one of them says what it measures of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rethinkdc import ranks
from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Evaluator
from rethinkdc.data.chunks import joined
from rethinkdc.evaluation.metrics import classification_metrics, per_class_top1, predictions_of
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.models import weights_digest
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.protocol.protocol import Network
from rethinkdc.protocol.proxy import as_epoch
from rethinkdc.protocol.student import student_training
from rethinkdc.storage import digest
from rethinkdc.training.loop import LoopSeeds, train_network
from rethinkdc.training.memory import peak_memory
from rethinkdc.training.predict import BATCH, predict_batches
from rethinkdc.types import Images, Supervision


class Student:
    """A trained student that is asked what it says of images.

    Attributes:
        module: logits [B, C] from images [B, 3, S, S] in the student's normalisation.
    """

    def __init__(self, module: nn.Module, network: Network, context: Context) -> None:
        self.module = module
        self._network, self._context = network, context
        self._kept: tuple[str, Tensor] | None = None

    def logits(self, images: Images) -> Tensor:
        """Float32 [N, C] of images under the protocol's test view; those asked for last are kept."""
        if self._kept is None or self._kept[0] != images.fingerprint:
            self._kept = images.fingerprint, self._tested(images)
        return self._kept[1]

    def _tested(self, images: Images) -> Tensor:
        context = self._context

        def logits(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for said in predict_batches(
                self.module,
                images,
                context.protocol.test,
                mean=self._network.mean,
                std=self._network.std,
                device=context.device,
                workers=context.workers,
                batches=[torch.arange(span.start, span.stop) for span in spans],
            ):
                yield {"logits": said.logits}

        # Of one training many are tested: those of another epoch are not taken for these.
        of = ranks.decided(lambda: [weights_digest(self.module), images.fingerprint], "the student that is tested")
        return joined(context.chunks("test", len(images), BATCH, logits, unit="test images", of=of), "logits")


class StudentEvaluator(Evaluator):
    """Base of evaluators that train the protocol's student from scratch and report its last epoch.

    One more metric is one more :class:`Metric` and a :meth:`measure` that adds its value::

        class Calibrated(StudentEvaluator):
            name = "calibrated"
            metrics = (*StudentEvaluator.metrics, Metric("ece", "lower", "fraction"))

            def measure(self, student, test):
                return {**super().measure(student, test), "ece": error(student.logits(test), test.targets)}
    """

    family: ClassVar[str] = "evaluation"
    together: ClassVar[bool] = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("top1", "higher", "fraction"),
        Metric("top5", "higher", "fraction"),
        Metric("loss", "lower", "number"),
    )

    def measure(self, student: Student, test: Images) -> dict[str, float]:
        """The value of each metric that the class declares, of a student on the test images; fractions, no percent."""
        return classification_metrics(student.logits(test), test.targets)

    def evaluate(
        self, compressed: CompressedSet, supervision: Supervision, test: Images, context: Context
    ) -> Evaluation:
        protocol, seeds = context.protocol, context.seeds
        student = context.student or protocol.student
        size, classes = protocol.store.size, len(compressed.class_names)
        training = student_training(
            compressed,
            supervision.mix,
            protocol,
            ipc=context.ipc,
            device=context.device,
            workers=context.workers,
        )
        length = training.length
        model = context.method(Model, student.model)
        network = build_seeded(model, classes, size, seeds.of("student", "init"))
        curve = _Curve(self, student, test, context, {as_epoch(value, length.epochs) for value in protocol.curve})
        log = train_network(
            network,
            training.store,
            training.targets,
            training.views,
            supervision,
            training.recipe,
            length,
            mean=student.mean,
            std=student.std,
            seeds=LoopSeeds(*(seeds.of("student", name) for name in ("order", "views", "noise"))),
            device=context.device,
            weights=compressed.weights,
            workers=context.workers,
            folder=context.folder / "student",
            observers=[curve],
            progress=context.progress,
            description="student",
            epoch_ended=context.epoch_ended,
        )
        trained = Student(network, student, context)
        metrics, logits = self.measure(trained, test), trained.logits(test)
        per_class = per_class_top1(logits, test.targets, classes)
        points = [
            {"epoch": float(epoch), "train_loss": loss, **curve.points.get(epoch, {})}
            for epoch, loss in enumerate(log.curve, start=1)
        ]
        said = predictions_of(logits, test.targets)
        predicted = hashlib.sha256(said.predicted.numpy().tobytes()).hexdigest()
        return Evaluation(
            metrics=metrics,
            per_class=per_class,
            predicted=said.predicted.bincount(minlength=classes).tolist(),
            curve=points,
            views=log.views,
            steps=log.steps,
            seconds=log.seconds,
            peak_memory=peak_memory(context.device),
            result_digest=digest([metrics, per_class, points, predicted, weights_digest(network)]),
            predictions=said,
        )


class _Curve:
    """Tests the student at the protocol's epochs; what it measured is part of the student's checkpoint."""

    wants_batches = False
    wants_features = False
    wants_epoch_checkpoints = False

    def __init__(
        self, evaluator: StudentEvaluator, student: Network, test: Images, context: Context, epochs: set[int]
    ) -> None:
        self.evaluator, self.student, self.test = evaluator, student, test
        self.context, self.epochs = context, epochs
        self.points: dict[int, dict[str, float]] = {}

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        """Sees nothing in a batch."""

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        """Tests after the 0-based ``epoch`` when the protocol lists it."""
        if epoch + 1 in self.epochs:
            student = Student(model, self.student, self.context)
            self.points[epoch + 1] = self.evaluator.measure(student, self.test)

    def state(self) -> dict[str, Any]:
        """What was measured so far."""
        return {"points": dict(self.points)}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Goes on with what was measured."""
        self.points = dict(state.get("points", {})) if state else {}
        return state is None or "points" in state
