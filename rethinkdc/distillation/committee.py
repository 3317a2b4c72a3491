"""What compressors have in common that begin with real crops and match the BatchNorm statistics of several teachers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, model_validator
from torch import Tensor

from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Deviation, Setting
from rethinkdc.contracts.presets import chosen, fits, nearest_dataset
from rethinkdc.distillation.inverting import MatchingBatchNorm, require_batchnorm
from rethinkdc.distillation.recovering import Batch, Synthesis, real_images, require_size, stitched_images
from rethinkdc.errors import UnsupportedError
from rethinkdc.method import OfKind
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget

PATCHES = Deviation("patches that come as files", "those of rded", "how theirs were graded is not published")
"""Of what CV-DD, SRe2L++ and FADRM begin with."""


class Committee(MatchingBatchNorm):
    """Base of compressors that optimise real crops under several teachers with BatchNorm."""

    # A set of rded is part of these: a new revision of it must be one of theirs.
    init: Literal["rded", "real"] = Field(
        default="rded", description="What images begin as: the set of rded under the first teacher, or real ones."
    )
    teachers: Annotated[tuple[Reference, ...] | None, OfKind("teacher")] = Field(
        default=None, description="Networks that are matched; none = the paper's, where they can be had."
    )

    @model_validator(mode="after")
    def _somebody_teaches(self) -> Committee:
        if self.teachers == ():
            raise ValueError("teachers=[] names nobody; leave it out for the paper's teachers")
        return self

    def open_references(self, size: int, classes: int) -> dict[str, tuple[Reference, ...]]:
        if self.teachers is not None:
            return {}
        known = self._papers_teachers(size, classes)
        if known is None:
            raise UnsupportedError(
                f"{self.name}'s paper names no teachers that can be had for images of {size} px and {classes} classes. "
                f"Name your own, with BatchNorm2d: {self.name}:teachers=[trained,trained:recipe=strong]."
            )
        return {"teachers": known}

    def resolved(self, size: int, classes: int) -> dict[str, Setting]:
        settings = super().resolved(size, classes)
        if self.teachers is None and self._papers_teachers(size, classes) is None:
            settings["teachers"] = Setting(None, "to be named: the paper's cannot be had for such images")
        return settings

    def deviations(self, protocol: Protocol, ipc: int | None) -> dict[str, Deviation]:
        return {**super().deviations(protocol, ipc), "initial images": PATCHES}

    def asked(self, budget: Budget, context: Context) -> list[Teacher]:
        named = self.teachers or self.open_references(budget.size, budget.classes)["teachers"]
        teachers = [context.teacher(one) for one in named]
        for teacher in teachers:
            require_batchnorm(self.name, teacher.id, teacher.module)
            require_size(self.name, teacher, budget.size, f"{self.name}:teachers=[trained]")
        return teachers

    def initial(self, synthesis: Synthesis) -> Callable[[Batch], Tensor]:
        """The images that batches begin as, in the first teacher's normalisation; asked for once."""
        if self.init == "real":
            return lambda batch: real_images(synthesis, batch)
        return stitched_images(synthesis, self.teachers[0] if self.teachers else None)

    def _papers_teachers(self, size: int, classes: int) -> tuple[Reference, ...] | None:
        name, _ = nearest_dataset(size, classes)
        if not fits(name, size, classes):
            return None
        known: tuple[Reference, ...] | None = chosen(self.presets, size, classes).values.get("teachers")
        return known
