"""How a run's student is trained on a compressed set: what its evaluator and its labeler must agree on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.data.device_store import place_store
from rethinkdc.data.store import CanvasStore, Store
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.training.length import Length
from rethinkdc.training.recipe import Recipe
from rethinkdc.types import Drawn, ViewBatch
from rethinkdc.views import Views, views_per_image

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class StudentTraining:
    """The recipe of a run, its length on this set, and its views.

    Attributes:
        compressed: what the student is trained on.
        targets: int64 [rows of an epoch], class of each: of each canvas, or of each cell that is an image of its own.
        recipe: the protocol's; the reference's for a full set.
        length: length and batch size.
        views: renders a batch from its key.
        protocol: whose store is followed.
        device: that trains, and on which views may be cut.
        workers: threads that make the canvases.
    """

    compressed: CompressedSet
    targets: Tensor
    recipe: Recipe
    length: Length
    views: Views
    protocol: Protocol
    device: torch.device
    workers: int

    @cached_property
    def store(self) -> Store:
        """The pixels, made when they are first asked for."""
        store = self.protocol.store
        canvases = CanvasStore(self.compressed, store.size, store.fit, store.interpolation, workers=self.workers)
        return place_store(canvases, self.device, workers=self.workers)

    def render(self, drawn: Drawn) -> ViewBatch:
        """One batch of views, mixed, not normalised."""
        return self.views.render(self.store, drawn.rows, self.targets[drawn.rows], drawn.key)


def student_training(
    compressed: CompressedSet,
    mix: Any,
    protocol: Protocol,
    *,
    ipc: int | None,
    device: torch.device = _CPU,
    workers: int = 0,
) -> StudentTraining:
    """The training of the run's student on ``compressed``.

    Args:
        compressed: what the student is trained on.
        mix: the supervision's: an op, None, or ``"protocol"``.
        protocol: the run's.
        ipc: the run's images per class; None for the full set.
        device: that trains, and on which views may be cut.
        workers: threads that make the canvases.
    """
    like = protocol.full_at_ipc if ipc is None else None
    recipe = protocol.reference if ipc is None and like is None and protocol.reference else protocol.training
    recipe = recipe.at(compressed.student_lr)
    targets = compressed.targets.repeat_interleave(views_per_image(compressed.view_rule, compressed.cell_boxes))
    if like is None:
        length = recipe.length(len(targets), ipc)
    else:
        length = recipe.length(min(like * len(compressed.class_names), len(targets)), like).on(len(targets))
    return StudentTraining(
        compressed=compressed,
        targets=targets,
        recipe=recipe,
        length=length,
        views=recipe.make_views(
            recipe.mix if mix == "protocol" else mix,
            targets,
            size=protocol.store.size,
            rule=compressed.view_rule,
            cell_boxes=compressed.cell_boxes,
        ),
        protocol=protocol,
        device=device,
        workers=workers,
    )
