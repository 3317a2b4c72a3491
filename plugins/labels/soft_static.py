"""One soft label for each image: the static track."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import (
    CompressedSet,
    Context,
    Method,
    RequestError,
    Supervision,
    Track,
    UnsupportedError,
    hookimpl,
    joined,
)
from rethinkdc.labels import (
    LABEL_SEMANTICS,
    Ensemble,
    OverCells,
    StaticTargets,
    Tempered,
    load_tensors,
    mix_op,
    student_training,
    write_tensors,
)

_FILE = "labels.safetensors"
_BATCH = 256
_ON_DEVICE = 256 << 20


class SoftStatic(Tempered):
    """One soft label for each image, whatever its view: what the teacher says of it, or what was learned.

    Of an image that is seen whole, the teachers' logits are the label. Of a canvas whose views show one of n cells
    each, it is the mean of n labels, p = 1/n sum_c softmax(z_c / T), with the logits z_c of cell c enlarged as the
    student sees it, before anything is drawn at random. Stored is T log p, whose softmax at T is p.
    """

    name: ClassVar[str] = "soft-static"
    track: ClassVar[Track] = "static"

    source: Literal["predicted", "learned"] = Field(
        default="predicted",
        description="The teachers' logits of the stored image, or those that the set brings (learned).",
    )

    @property
    def takes_learned(self) -> bool:
        return self.source == "learned"

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        soft = self.softness(context)
        learned = self.takes_learned
        labels, size = self._learned(compressed) if learned else self._predicted(compressed, soft.temperature, context)
        # A small table lies where the batches are: looking up rows elsewhere would make a GPU wait at every step.
        if labels.numel() * labels.element_size() <= _ON_DEVICE:
            labels = labels.to(context.device)
        return StaticTargets(labels, soft.temperature, t_squared=soft.t_squared, mix=mix_op(self.mix), label_bytes=size)

    def _learned(self, compressed: CompressedSet) -> tuple[Tensor, int]:
        labels = compressed.soft_targets
        if labels is None:
            raise UnsupportedError(
                f"The set of {compressed.card.method or 'this run'} brings no learned soft labels. "
                "Use soft-static without source=learned: a teacher then predicts them."
            )
        return labels, labels.numel() * labels.element_size()

    def _predicted(self, compressed: CompressedSet, temperature: float, context: Context) -> tuple[Tensor, int]:
        ensemble, store = self.ensemble(context), context.protocol.store
        asked: Ensemble | OverCells = ensemble
        key: dict[str, Any] = {
            "semantics": LABEL_SEMANTICS,
            "set": compressed.fingerprint,
            "store": store.model_dump(mode="json"),
            "teachers": [ensemble.digests, self.averaging],
        }
        if compressed.seen_in_cells:
            training = student_training(compressed, None, context.protocol, ipc=context.ipc)
            asked = OverCells.of(training, ensemble, temperature)
            # Not in the key of images that are seen whole: their labels are what they always were.
            key["cells"] = asked.definition()

        def asked_of(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for span in spans:
                rows = torch.arange(span.start, span.stop)
                shown = compressed.canvases(rows, store.size, store.fit, store.interpolation)
                yield {"logits": asked.logits(shown).half()}

        def build(inner: Context, out: Path) -> None:
            chunks = inner.chunks("labels", len(compressed), _BATCH, asked_of, unit="images")
            logits = joined(chunks, "logits")
            if not bool(torch.isfinite(logits).all()):
                row = int((~torch.isfinite(logits)).any(dim=1).nonzero()[0, 0])
                raise RequestError(f"A teacher gives image {row} of the set a logit that float16 cannot hold.")
            write_tensors(out / _FILE, {"logits": logits})

        file = context.artefact("static-labels", key, "labels", build, files=[_FILE]) / _FILE
        return load_tensors(file)["logits"], file.stat().st_size


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-static``."""
    return [SoftStatic]
