"""Hard labels: the class index, no teacher at the receiver."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rethinkdc.contracts import CompressedSet, Context, Labeler, Method, Supervision, Track, hookimpl
from rethinkdc.labels import HardTargets, Mix, index_bytes, mix_op


class Hard(Labeler):
    """Class index and cross-entropy; a mix weights both classes by the area really pasted."""

    name: ClassVar[str] = "hard"
    family: ClassVar[str] = "labels"
    track: ClassVar[Track] = "hard"

    mix: Mix | None = Field(default="protocol", description="How views are mixed; none = not.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Share of the target spread over all classes.")

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:  # noqa: ARG002
        return HardTargets(mix_op(self.mix), self.label_smoothing, label_bytes=index_bytes(compressed))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``hard``."""
    return [Hard]
