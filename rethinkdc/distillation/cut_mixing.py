"""CutMix of batches that networks of a method's own are trained on (Yun et al., ICCV 2019, arXiv 1905.04899)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.training.precision import widened
from rethinkdc.views import CutMix


class Mixed(NamedTuple):
    """A batch after its mix.

    Attributes:
        images: float [B, 3, S, S].
        partner: int64 [B], on the images' device: whose pixels were pasted into each.
        area: the share of each image that shows its partner.
    """

    images: Tensor
    partner: Tensor
    area: float


def cut_mixed(images: Tensor, op: CutMix, draws: torch.Generator) -> Mixed:
    """Fills one box of a whole batch from partners in random order.

    Args:
        images: float [B, 3, S, S]; left as they are.
        op: the mix.
        draws: where the box and the partners come from.
    """
    size = images.shape[-1]
    per_view = torch.rand((len(images), op.view_uniforms), generator=draws, dtype=torch.float64)
    per_batch = torch.rand(op.batch_uniforms, generator=draws, dtype=torch.float64)
    placed = op.place(per_view, per_batch, torch.tensor([[size, size]]))
    partner = op.partners(per_view)
    mixed = op.render(images.detach().clone(), placed, partner)
    return Mixed(mixed, partner.to(images.device), float(op.area(placed, size, 1)))


def mixed_loss(
    network: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor, op: CutMix, draws: torch.Generator
) -> Tensor:
    """Mean cross-entropy of a batch after its mix; labels count by the area really seen.

    Args:
        network: logits [B, C].
        images: float [B, 3, S, S].
        targets: int64 [B], on the images' device.
        op: the mix.
        draws: of the mix.
    """
    mixed = cut_mixed(images, op, draws)
    logits = widened(network(mixed.images))
    own, partner = F.cross_entropy(logits, targets), F.cross_entropy(logits, targets[mixed.partner])
    return own * (1 - mixed.area) + partner * mixed.area
