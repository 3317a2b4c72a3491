"""From parts of normalised images to a compressed set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.compressed import Card, CompressedSet
from rethinkdc.distillation.storing import to_canvases


def make_part(images: Tensor, targets: Tensor, mean: Sequence[float], std: Sequence[float]) -> dict[str, Tensor]:
    """A part of a set, as ``Context.parts`` keeps it: canvases, targets, and what the storing changed.

    Args:
        images: normalised float [B, 3, S, S].
        targets: int64 [B].
        mean: of the normalisation.
        std: of the normalisation.
    """
    stored = to_canvases(images, mean, std)
    return {
        # Kept as NHWC: channels-last memory survives the memory map.
        "canvases": stored.canvases.permute(0, 2, 3, 1),
        "targets": targets,
        "errors": torch.tensor([stored.clamp_error, stored.rounding_error], dtype=torch.float64),
    }


def assemble_set(parts: Sequence[dict[str, Tensor]], class_names: tuple[str, ...]) -> CompressedSet:
    """The set of all parts, with the largest errors of its storing on the card."""
    errors = torch.stack([part["errors"] for part in parts]).amax(dim=0).tolist()
    made = [{"canvases": part["canvases"].permute(0, 3, 1, 2), "targets": part["targets"]} for part in parts]
    card = Card(clamp_error=errors[0], rounding_error=errors[1])
    return CompressedSet.of_canvases(made, class_names, card=card)
