"""Codings that are learned from some of the labels that they will code; what was learned is stored beside these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from rethinkdc.contracts.context import Context
from rethinkdc.data.chunks import joined
from rethinkdc.labels.coding import Coding
from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.labels.schedule import LabelSchedule
from rethinkdc.labels.shards import asked
from rethinkdc.storage import file_digest, load_tensors, write_tensors
from rethinkdc.types import ViewBatch

DECODER = "decoder.safetensors"


@runtime_checkable
class Learner(Protocol):
    """Learns a coding. What it learns counts as bytes of the labels: a receiver cannot decode without it."""

    @property
    def views(self) -> int:
        """Views from whose logits it learns, about."""
        ...

    def learn(self, logits: Tensor) -> dict[str, Tensor]:
        """What the coding needs to decode, exactly as stored, from float32 [n, C]; the same for the same logits."""
        ...

    def coding(self, learned: dict[str, Tensor]) -> Coding:
        """The coding of what :meth:`learn` gave."""
        ...

    def definition(self) -> dict[str, Any]:
        """JSON data that tells learners apart."""
        ...


def learn(
    learner: Learner,
    schedule: LabelSchedule,
    ensemble: Ensemble,
    render: Callable[[int], ViewBatch],
    key: dict[str, Any],
    context: Context,
) -> Path:
    """Learns from batches that are spread evenly over those which get labels: asks the teachers about them once more.

    Args:
        learner: learns.
        schedule: the batches that get labels.
        ensemble: the teachers.
        render: gives the views of a batch.
        key: all that the logits depend on.
        context: of the run.

    Returns:
        The file of what was learned.
    """
    wanted = min(schedule.count, -(-learner.views // schedule.length.batch))
    batches = [index * schedule.count // wanted for index in range(wanted)]

    def build(inner: Context, out: Path) -> None:
        def logits(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            numbers = [batches[span.start] for span in spans]
            for _, said in asked(numbers, ensemble, render, inner.workers):
                yield {"logits": said}

        chunks = inner.chunks("labels to learn from", wanted, 1, logits, unit="batches")
        write_tensors(out / DECODER, learner.learn(joined(chunks, "logits")))

    whole = {**key, "learner": learner.definition()}
    return context.artefact("label-decoders", whole, "labels", build, files=[DECODER]) / DECODER


def learned_coding(learner: Learner, decoder: Path) -> tuple[Coding, str]:
    """The coding of a file of :func:`learn`, and the file's digest, which the codes depend on."""
    return learner.coding(load_tensors(decoder)), file_digest(decoder)
