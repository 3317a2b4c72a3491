"""What the labels of a set say of its own views: whether they name the classes that the images are of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.data.store import CanvasStore
from rethinkdc.notes import Notes
from rethinkdc.protocol.student import student_training
from rethinkdc.types import Drawn, Supervision, ViewBatch, ViewKey

_LEAST = 20
"""Images below which an agreement tells nothing."""
_MOST = 256
_ERRORS = 2
"""Standard errors of a proportion within which an agreement is not told from chance."""


@dataclass(frozen=True)
class Agreement:
    """How often labels name the class of what is seen.

    Attributes:
        hits: views whose label is largest at their own class; of a mix, at the class that fills most of it.
        views: how many were looked at.
        images: how many different images they show.
        largest: share of the commonest class among them: naming it alone is right so often.
    """

    hits: int
    views: int
    images: int
    largest: float

    def at_chance(self) -> bool:
        """Whether the labels agree no more often than naming one class alone, within the error of so few images."""
        error = _ERRORS * math.sqrt(self.largest * (1 - self.largest) / max(1, self.images))
        return self.images >= _LEAST and self.largest < 1 and self.hits / self.views <= self.largest + error


def measure_agreement(compressed: CompressedSet, supervision: Supervision, context: Context) -> Agreement | None:
    """Looks at one batch or more of the set's own views; None where the labels are no soft ones.

    Args:
        compressed: the set.
        supervision: its labels.
        context: the run's; whoever it asks for labels is asked once more.
    """
    training = student_training(compressed, supervision.mix, context.protocol, ipc=context.ipc)
    store = context.protocol.store
    # Nothing is kept: a few views do not need all canvases.
    pixels = CanvasStore(compressed, store.size, store.fit, store.interpolation, limit_bytes=0)
    named, seen, rows = [], [], []
    for step in range(training.length.steps):
        drawn = supervision.drawn(step) or _own(step, training.length.batch, len(training.targets), context)
        batch = training.views.render(pixels, drawn.rows, training.targets[drawn.rows], drawn.key)
        on_device = batch.to(context.device)
        said = _said(supervision.targets(on_device))
        if said is None:
            return None
        named.append(said.argmax(dim=1).cpu())
        seen.append(_shown(batch))
        rows.append(drawn.rows)
        if sum(map(len, rows)) >= min(_MOST, 4 * len(training.targets)):
            break
    if not rows:
        return None
    shown = torch.cat(seen)
    largest = float(shown.bincount().max()) / len(shown)
    hits = int((torch.cat(named) == shown).sum())
    return Agreement(hits, len(shown), len(torch.cat(rows).unique()), largest)


def doubt_of_labels(agreement: Agreement | None, notes: Notes) -> str:
    """Says that labels are at chance on the set's own views, with the likeliest cause; empty where they are not.

    Args:
        agreement: what was measured.
        notes: the run's, which tell what its teachers are worth on the test images.
    """
    if agreement is None or not agreement.at_chance():
        return ""
    return (
        f"The labels name another class than the image's own for {1 - agreement.hits / agreement.views:.0%} of "
        f"{agreement.views:,} of the set's own views, as naming one class would. Likeliest cause: {_why(notes)}."
    )


def _why(notes: Notes) -> str:
    of_labels = [about for about in notes.teachers.values() if "labels" in about.purposes]
    measured = [about.top1 for about in of_labels if about.top1 is not None]
    if not of_labels:
        return "learned labels whose classes are in another order than the set's"
    if measured and min(measured) > 0.5:
        return (
            f"views that say nothing to a teacher that is right of {min(measured):.2%} of the test images: crops or "
            "cells too small, or images of another normalisation"
        )
    return "a teacher that knows little of this data, or whose classes are in another order"


def _own(step: int, batch: int, images: int, context: Context) -> Drawn:
    """Views that nobody has drawn yet: of the rows one after the other."""
    rows = torch.arange(step * batch, (step + 1) * batch) % images
    return Drawn(ViewKey(context.seeds.of("labels", "agreement"), 0, step), rows)


def _said(targets: dict[str, Tensor]) -> Tensor | None:
    """Logits or probabilities [B, C] among the targets of a batch."""
    return targets.get("soft", targets.get("probabilities"))


def _shown(batch: ViewBatch) -> Tensor:
    """Int64 [B]: the class of what fills most of each view."""
    if batch.partner_hard is None or batch.area is None:
        return batch.hard
    return torch.where(batch.area > 0.5, batch.partner_hard, batch.hard)
