"""What a run cost: seconds, memory and images of each stage, and the bytes that a receiver stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rethinkdc.measurement import MOST

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
FIRST_STAGES = ("proxy", "teacher", "selection", "synthesis")
LAST_STAGES = ("labels", "training")
STAGES = FIRST_STAGES + LAST_STAGES
"""The stages that the framework names itself, in the order of a run; an author may name others."""


class Cost(BaseModel):
    """What a run cost, in seconds, bytes, and images that went through networks.

    Attributes:
        seconds: of each stage; those of shared artefacts are of their making, whenever that was.
        memory: bytes of resident memory that a stage took at its peak, without the stages inside it that are counted
            on their own.
        images_seen: images that went through a network, of each stage: one image through one network counts once for
            each pass, forwards alone or forwards and backwards. Those of shared artefacts are of their making, whenever
            that was. What a teacher is asked while the student trains counts under ``labels``, test images nowhere. A
            stage whose number is not known is left out: something in it was made by a version that did not count.
        total_images_seen: of all stages; None where that of one is not known, or where something came from elsewhere
            (a finished set, scores, rows, a trace, weights) with a making of its own.
        image_bytes: ``stored`` (lossless PNG), ``lossy`` (JPEG, quality 75) and ``recipe`` (rows and boxes to make the
            set again from the training set); None where that form does not exist or was not measured.
        label_bytes: of the labels, exactly as stored.
        teacher_bytes: of the teacher, where the receiver needs it.
        teacher_at_training: whether a teacher is asked while the student trains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: dict[str, Annotated[float, Field(ge=0, le=MOST)]] = {}
    memory: dict[str, Count] = {}
    images_seen: dict[str, Count] = {}
    total_images_seen: Count | None = None
    image_bytes: dict[str, Count | None] = {}
    label_bytes: Count = 0
    teacher_bytes: Count = 0
    teacher_at_training: bool = False

    @property
    def receiver_bytes(self) -> int | None:
        """What a receiver stores: images in the fixed lossy codec, labels, and the teacher where it is needed."""
        lossy = self.image_bytes.get("lossy")
        return None if lossy is None else lossy + self.label_bytes + self.teacher_bytes

    @property
    def label_ratio(self) -> float | None:
        """Bytes of labels over bytes of images in the fixed lossy codec."""
        lossy = self.image_bytes.get("lossy")
        return self.label_bytes / lossy if lossy else None


def order_stages(names: Iterable[str]) -> list[str]:
    """Stages in the order of a run: those that authors named come before labels and training, by name."""
    given = set(names)
    others = sorted(given - set(STAGES))
    return [name for name in (*FIRST_STAGES, *others, *LAST_STAGES) if name in given]


__all__ = ["STAGES", "Cost", "order_stages"]
