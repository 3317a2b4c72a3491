"""Work: what goes on behind a context, and the only thing behind it that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rethinkdc.context.books import Books
from rethinkdc.training.memory import PeakMeter

Purpose = Literal["labels", "set"]
"""What a teacher is asked for, as the record says it."""


@dataclass
class Work:
    """One piece of work: an artefact that is being made, or a run.

    Attributes:
        folder: survives a kill; None where nothing needs one.
        books: what it told and cost.
        purpose: what teachers are asked for; None = what is being made may not ask one.
        meter: measures the memory of an artefact that is being made; None outside any.
        together: whether all ranks do this work, in one order, so that they can share a set that it makes.
        finished: whether others have finished the set that all ranks are making together; None outside any.
        part_calls: how often it has made parts.
    """

    folder: Path | None = None
    books: Books = field(default_factory=Books)
    purpose: Purpose | None = "labels"
    meter: PeakMeter | None = None
    together: bool = True
    finished: Callable[[], bool] | None = None
    part_calls: int = 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, this rank does what the others do not."""
        together, self.together = self.together, False
        try:
            yield
        finally:
            self.together = together

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, other work goes on that is measured on its own."""
        if self.meter:
            self.meter.pause()
        yield
        if self.meter:
            self.meter.resume()
