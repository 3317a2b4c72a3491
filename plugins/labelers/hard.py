"""Hard labels: the class index, no teacher at the receiver."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.contracts import Labeler
from rethinkdc.hookspecs import hookimpl
from rethinkdc.method import Method
from rethinkdc.training.targets import HardTargets
from rethinkdc.types import Supervision, Track
from rethinkdc.views import CutMix


class Hard(Labeler):
    """Class index and cross-entropy; a mix weights both classes by the area really pasted."""

    name: ClassVar[str] = "hard"
    family: ClassVar[str] = "labels"
    track: ClassVar[Track] = "hard"

    mix: Literal["protocol", "cutmix"] | None = Field(
        default="protocol", description="How views are mixed; none = not."
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Share of the target spread over all classes.")

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:  # noqa: ARG002
        mix = CutMix() if self.mix == "cutmix" else self.mix
        # A class index takes the fewest whole bytes that hold every class.
        index_bytes = max(1, math.ceil(math.log2(max(2, len(compressed.class_names))) / 8))
        return HardTargets(mix, self.label_smoothing, label_bytes=index_bytes * len(compressed))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``hard``."""
    return [Hard]
