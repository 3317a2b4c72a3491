"""How labelers mix views, and what class indices take."""

from __future__ import annotations

from typing import Literal

from rethinkdc.compressed import CompressedSet
from rethinkdc.views import CutMix, MixUp, ViewOp

Mix = Literal["protocol", "cutmix", "mixup"]


def mix_op(mix: Mix | None) -> ViewOp | Literal["protocol"] | None:
    """The op that a labeler's ``mix`` names, with the field's defaults."""
    if mix in (None, "protocol"):
        return mix
    return CutMix() if mix == "cutmix" else MixUp()


def index_bytes(compressed: CompressedSet) -> int:
    """Bytes of the class indices of a set: of each the fewest whole bytes that hold every class."""
    bits = max(1, (len(compressed.class_names) - 1).bit_length())
    return -(-bits // 8) * len(compressed)
