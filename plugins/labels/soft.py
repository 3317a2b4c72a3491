"""Soft labels asked of a teacher at every step: the online track (FKD, arXiv 2112.01528; arXiv 2502.06434)."""

from __future__ import annotations

from typing import ClassVar

from rethinkdc.contracts import CompressedSet, Context, Method, Supervision, Track, hookimpl
from rethinkdc.labels import OfViews, OnlineTargets, mix_op


class Soft(OfViews):
    """The teacher's probabilities of each mixed view, asked while training; one further forward a step."""

    name: ClassVar[str] = "soft"
    paper: ClassVar[str] = "arXiv 2502.06434"
    track: ClassVar[Track] = "online"

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:  # noqa: ARG002
        return OnlineTargets(self.ensemble(context), self.objective(context), mix_op(self.mix))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft``."""
    return [Soft]
