"""Work: what goes on behind a context, and the only thing behind it that changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import nn

from rethinkdc.context.books import Books
from rethinkdc.training.memory import PeakMeter


class ImageCounter:
    """Counts the images that go through networks, whichever piece of work a network was made for.

    Attributes:
        total: images so far; one image through one network counts once for each pass.
    """

    def __init__(self) -> None:
        self.total = 0


def count_passes(module: nn.Module, counter: ImageCounter) -> None:
    """From now on counts the images of each batch that is given to ``module``, or to a copy of it."""

    def count(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        counter.total += len(inputs[0])

    module.register_forward_pre_hook(count)


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
        part_calls: how often it has made parts.
        part: folder of the part that is being made, for its states; None outside any.
        counter: of images, shared by all the work of a run, so that a network counts for what is being made.
    """

    folder: Path | None = None
    books: Books = field(default_factory=Books)
    purpose: Purpose | None = "labels"
    meter: PeakMeter | None = None
    part_calls: int = 0
    part: Path | None = None
    counter: ImageCounter = field(default_factory=ImageCounter)

    def __post_init__(self) -> None:
        self._counted_before, self._images_known = self.counter.total, True

    @property
    def images(self) -> int | None:
        """Images that this work, without the artefacts that it used, put through networks in all tries; None = unknown.

        It is not known where a try of an earlier version, which did not count, is gone on with.
        """
        return self.counter.total - self._counted_before - self.books.nested_images if self._images_known else None

    def count_images(self, count: int | None) -> None:
        """Counts images; None = there were some, and nobody knows how many."""
        self.counter.total += count or 0
        self._images_known = self._images_known and count is not None

    @contextmanager
    def making(self, part: Path) -> Iterator[None]:
        """Inside, a part is being made whose states lie in a folder of its own, which goes with the last of them."""
        around, self.part = self.part, part
        try:
            yield
        finally:
            self.part = around

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, other work goes on that is measured on its own."""
        if self.meter:
            self.meter.pause()
        yield
        if self.meter:
            self.meter.resume()
