"""From parts of normalised images to a compressed set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.compressed import Card, CompressedSet
from rethinkdc.compressed.tensors import as_logits
from rethinkdc.distillation.storing import to_canvases
from rethinkdc.types import ViewRule


def make_part(
    images: Tensor,
    targets: Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    soft_targets: Tensor | None = None,
    student_lr: float | None = None,
    weights: Tensor | None = None,
    sources: Tensor | None = None,
    source_boxes: Tensor | None = None,
    cut: bool = False,
) -> dict[str, Tensor]:
    """Makes a part of a set, as ``Context.parts`` keeps it: canvases, what belongs to them, and what storing changed.

    Args:
        images: normalised float [B, 3, S, S].
        targets: int64 [B].
        mean: of the normalisation.
        std: of the normalisation.
        soft_targets: float [B, C], learned labels as logits.
        student_lr: the learned student rate; the same in each part.
        weights: float [B], loss weights.
        sources: int64 [B, cells], training row shown in each cell; -1 = synthetic.
        source_boxes: int32 [B, cells, 4], the part of its source that each cell shows.
        cut: cut pixels off to grey levels, as the papers' code does, instead of rounding them.

    Raises:
        RequestError: learned labels that are not finite.
    """
    stored = to_canvases(images, mean, std, cut=cut)
    part = {
        # Kept as NHWC: channels-last memory survives the memory map.
        "canvases": stored.canvases.permute(0, 2, 3, 1),
        "targets": targets,
        "errors": torch.tensor([stored.clamp_error, stored.rounding_error], dtype=torch.float64),
    }
    if soft_targets is not None:
        part["soft_targets"] = as_logits(soft_targets, "logits")
    if student_lr is not None:
        part["student_lr"] = torch.tensor(student_lr, dtype=torch.float64)
    given = {"weights": weights, "sources": sources, "source_boxes": source_boxes}
    return part | {name: value.detach().cpu() for name, value in given.items() if value is not None}


def assemble_set(
    parts: Sequence[dict[str, Tensor]],
    class_names: tuple[str, ...],
    *,
    cell_boxes: Tensor | None = None,
    student_lr: float | None = None,
    view_rule: ViewRule | None = None,
) -> CompressedSet:
    """Assembles the set of all parts, with all that they hold and the largest errors of their storing on the card.

    Args:
        parts: of :func:`make_part`.
        class_names: names of all classes.
        cell_boxes: as in :meth:`CompressedSet.of_canvases`.
        student_lr: as in :meth:`CompressedSet.of_canvases`.
        view_rule: as in :meth:`CompressedSet.of_canvases`.

    Raises:
        RequestError: the parts do not fit together.
    """
    clamp_error, rounding_error = torch.stack([part["errors"] for part in parts]).amax(dim=0).tolist()
    return CompressedSet.of_canvases(
        [
            {
                **{name: value for name, value in part.items() if name != "errors"},
                "canvases": part["canvases"].permute(0, 3, 1, 2),
            }
            for part in parts
        ],
        class_names,
        cell_boxes=cell_boxes,
        student_lr=student_lr,
        view_rule=view_rule,
        card=Card(clamp_error=clamp_error, rounding_error=rounding_error),
    )
