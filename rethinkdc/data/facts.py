"""What the reading of a dataset found beside its images, and what it assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    """What a user should know of how the files of a dataset were read.

    Attributes:
        notes: what was assumed, a sentence each.
        passed_over: what was left out, and how many files or links of each kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    notes: tuple[str, ...] = ()
    passed_over: dict[str, int] = {}

    @classmethod
    def of(cls, passed_over: Iterable[Mapping[str, int]], notes: Iterable[str] = ()) -> Facts:
        """Adds up what several parts of a dataset left out."""
        total: Counter[str] = Counter()
        for part in passed_over:
            total.update(part)
        # Two parts that were read alike say the same.
        return cls(notes=tuple(dict.fromkeys(notes)), passed_over=dict(sorted(total.items())))

    def tell(self) -> str:
        """One sentence for what was left out and one for each note; empty when there is nothing to tell."""
        counted = ", ".join(f"{count:,} x {what}" for what, count in self.passed_over.items())
        return " ".join([f"Passed over: {counted}."] * bool(counted) + list(self.notes))
