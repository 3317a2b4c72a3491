"""Soft labels of every epoch's views, stored once (FKD, arXiv 2112.01528; SRe2L's relabelling, arXiv 2306.13092)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from rethinkdc.contracts import Context, Method, hookimpl
from rethinkdc.labels import Coding, Dense, StoredLabeler


class SoftStored(StoredLabeler):
    """The teacher's logits of every view of every epoch, stored; the views are drawn again, the teacher is gone."""

    name: ClassVar[str] = "soft-stored"
    paper: ClassVar[str] = "arXiv 2112.01528"

    dtype: Literal["float16", "float32"] = Field(
        default="float16", description="Of the stored logits; float32 loses nothing."
    )

    def coding(self, classes: int, context: Context) -> Coding:  # noqa: ARG002
        return Dense(self.dtype)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-stored``."""
    return [SoftStored]
