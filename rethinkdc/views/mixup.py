"""MixUp: every view becomes the weighted mean of itself and another view."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.views.base import BetaMixOp

_PART_BYTES = 1 << 20


class MixUp(BetaMixOp):
    """Blends each view with a partner view (Zhang et al., ICLR 2018, arXiv:1710.09412).

    The kept share is drawn from Beta(``alpha``, ``alpha``), once for a batch; the views become floats in 0..1, because
    a blend lies between the steps of uint8. 0.8 is the value of SRe2L's CIFAR code and of FKD's.
    """

    batch_uniforms: ClassVar[int] = 1

    op: Literal["mixup"] = "mixup"
    alpha: float = Field(default=0.8, gt=0.0, description="both parameters of the Beta distribution of the kept share")

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Float64 [1]: the batch's kept share."""
        return torch.tensor([self.kept(float(per_batch))], dtype=torch.float64)

    def render(self, pixels: Tensor, placed: Tensor, partner: Tensor) -> Tensor:
        kept, views = float(placed), pixels.permute(0, 2, 3, 1)
        mixed = torch.empty(views.shape, dtype=torch.float32, device=pixels.device)
        partner = partner.to(pixels.device, non_blocking=True)
        # In parts that stay in a CPU's cache: at 224 px half the time of passes over the whole batch.
        part = max(1, _PART_BYTES // (4 * views[0].numel())) if pixels.device.type == "cpu" else len(views)
        for own, partners, written in zip(views.split(part), partner.split(part), mixed.split(part), strict=True):
            other = views.index_select(0, partners).float().div_(255.0).mul_(1.0 - kept)
            # Not lerp: it fuses steps in a way that depends on how threads divide a part, and so would the last bit.
            torch.mul(own.float().div_(255.0), kept, out=written)
            written.add_(other)
        return mixed.permute(0, 3, 1, 2)

    def area(self, placed: Tensor, size: int, count: int) -> Tensor:  # noqa: ARG002
        """Float32 [count]: the partner's share, 1 minus what is kept."""
        return torch.full((count,), 1.0 - float(placed), dtype=torch.float32)
