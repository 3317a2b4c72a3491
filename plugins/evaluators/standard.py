"""The standard evaluator: train a student from scratch, report the last epoch."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from rethinkdc.compressed import CompressedSet
from rethinkdc.context.context import Context
from rethinkdc.contracts.evaluation import Evaluation, Metric
from rethinkdc.contracts.hooks import hookimpl
from rethinkdc.contracts.kinds import Evaluator
from rethinkdc.evaluation.metrics import classification_metrics, per_class_top1
from rethinkdc.method import Method
from rethinkdc.models import weights_digest
from rethinkdc.models.model import build_seeded
from rethinkdc.protocol.protocol import Network
from rethinkdc.protocol.proxy import as_epoch
from rethinkdc.protocol.student import student_training
from rethinkdc.storage import digest, write_atomic
from rethinkdc.training.loop import LoopSeeds, train_network
from rethinkdc.training.predict import predict
from rethinkdc.types import Images, Supervision


class Standard(Evaluator):
    """Trains the protocol's student from scratch; top-1, top-5 and loss of the last epoch, per class, and a curve."""

    name: ClassVar[str] = "standard"
    family: ClassVar[str] = "evaluation"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("top1", "higher", "fraction"),
        Metric("top5", "higher", "fraction"),
        Metric("loss", "lower", "number"),
    )

    def evaluate(
        self, compressed: CompressedSet, supervision: Supervision, test: Images, context: Context
    ) -> Evaluation:
        protocol, seeds = context.protocol, context.seeds
        student = context.student or protocol.student
        size, classes = protocol.store.size, len(compressed.class_names)
        training = student_training(compressed, supervision.mix, protocol, ipc=context.ipc, workers=context.workers)
        length = training.length
        network = build_seeded(context.method("model", student.model), classes, size, seeds.of("student", "init"))
        tester = _Curve(test, student, context, {as_epoch(value, length.epochs) for value in protocol.curve})
        fitted = train_network(
            network,
            training.store,
            compressed.targets,
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
            observers=[tester],
            progress=context.progress,
            description="student",
            epoch_ended=context.epoch_ended,
        )
        logits = tester.logits(network)
        metrics = classification_metrics(logits, test.targets)
        per_class = per_class_top1(logits, test.targets, classes)
        curve = [
            {"epoch": float(epoch), "train_loss": loss, **tester.points.get(epoch, {})}
            for epoch, loss in enumerate(fitted.curve, start=1)
        ]
        predictions = hashlib.sha256(logits.argmax(dim=1).numpy().tobytes()).hexdigest()
        return Evaluation(
            metrics=metrics,
            per_class=per_class,
            curve=curve,
            views=fitted.views,
            steps=fitted.steps,
            seconds=fitted.seconds,
            peak_memory=peak_memory(context.device),
            result_digest=digest([metrics, per_class, curve, predictions, weights_digest(network)]),
        )


class _Curve:
    """Tests the student at the protocol's epochs; what it measured outlives a kill."""

    wants_features = False
    wants_epoch_checkpoints = False

    def __init__(self, test: Images, student: Network, context: Context, epochs: set[int]) -> None:
        self.test, self.student, self.context, self.epochs = test, student, context, epochs
        self.file = Path(context.folder) / "curve.json"
        known = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.points: dict[int, dict[str, float]] = {int(epoch): point for epoch, point in known.items()}

    def logits(self, network: nn.Module) -> Tensor:
        """Float32 [N, C] of the test images under the protocol's test view."""
        return predict(
            network,
            self.test,
            self.context.protocol.test,
            mean=self.student.mean,
            std=self.student.std,
            device=self.context.device,
            workers=self.context.workers,
        )

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        """Nothing to see in a batch."""

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        """Tests after the 0-based ``epoch`` when the protocol lists it."""
        if epoch + 1 in self.epochs:
            self.points[epoch + 1] = classification_metrics(self.logits(model), self.test.targets)
            write_atomic(self.file, json.dumps(self.points).encode())


def peak_memory(device: torch.device) -> int:
    """Bytes: the CUDA allocator's peak, or the process's peak resident size on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the evaluator ``standard``."""
    return [Standard]
