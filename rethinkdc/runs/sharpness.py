"""Views beside test images: whether any is as sharp, from the geometry of a set and its protocol alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.types import Images
from rethinkdc.views import RandomResizedCrop

LEAST_LOSS = 1.5
"""How many times coarser than test images the sharpest view must be to be worth a word: tiles of 2 x 2 give 2."""
_LOOKED_AT = 50


@dataclass(frozen=True)
class Sharpness:
    """What decides how sharp views and test images are; all sides in pixels.

    Attributes:
        cell: side of what a view is cut out of: a cell of the canvas, or the whole of it.
        largest: the largest share of it that a view shows.
        view: side of a view.
        native: side of the dataset's images.
        shown: side at which a whole image is shown in the test.
    """

    cell: int
    largest: float
    view: int
    native: int
    shown: int

    @property
    def crop(self) -> int:
        """Side of the largest view, before it is enlarged."""
        return round(self.cell * math.sqrt(self.largest))

    @property
    def enlarged(self) -> float:
        """How many times the sharpest view enlarges the stored pixels."""
        return self.view / (self.cell * math.sqrt(self.largest))

    @property
    def loss(self) -> float:
        """How many times coarser than a test image the sharpest view is; 1 = as sharp, where both show a whole image.

        An image that was enlarged when it was stored, or is in the test, has no more detail than it came with.
        """
        trained = self.view / (min(self.cell, self.native) * math.sqrt(self.largest))
        tested = max(1.0, self.shown / self.native)
        return trained / tested


def sharpness_of(compressed: CompressedSet, protocol: Protocol, test: Images) -> Sharpness:
    """Looks at a set's cells, the protocol's crops and test, and the sides of some test images."""
    rule, size = compressed.view_rule, protocol.store.size
    in_cells = compressed.seen_in_cells and not rule.whole
    crops = [op.scale for op in protocol.training.views if isinstance(op, RandomResizedCrop)]
    scale = rule.scale or (crops[0] if crops else (1.0, 1.0))
    rows = torch.linspace(0, len(test) - 1, min(_LOOKED_AT, len(test)), dtype=torch.float64).round().long()
    return Sharpness(
        cell=int(compressed.cell_boxes[:, 2:].max()) if in_cells else size,
        largest=scale[1] if crops else 1.0,
        view=size,
        native=int(median(min(image.shape[1:]) for image in test.native(rows))),
        shown=protocol.test.resize,
    )


def doubt_of_sharpness(compressed: CompressedSet, test: Images, context: Context) -> str:
    """Says that no view is as sharp as the test images, where the student keeps statistics of them; else empty.

    Args:
        compressed: the set.
        test: the test images, of which the sides count.
        context: the run's.
    """
    protocol = context.protocol
    found = sharpness_of(compressed, protocol, test)
    if found.loss < LEAST_LOSS:
        return ""
    student = (context.student or protocol.student).model
    network = build_seeded(context.method(Model, student), len(compressed.class_names), protocol.store.size, 0)
    if not any(isinstance(layer, _BatchNorm) for layer in network.modules()):
        return ""
    return (
        f"No view is as sharp as the test images: each enlarges the stored pixels {found.enlarged:.3g} times or more "
        f"(crops of {found.crop} px at most, shown at {found.view} px), so the running statistics of the student's "
        f"BatchNorm are those of images {found.loss:.3g} times coarser, and the test may understate the set by many "
        "points (docs/pca.md). Remedies: for all methods a student without BatchNorm, such as resnet-light:norm=group; "
        "for this one some views of whole canvases, such as whole=0.25 of pca and combine."
    )
