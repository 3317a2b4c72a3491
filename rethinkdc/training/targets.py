"""Supervision by class index."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from rethinkdc.types import Drawn, LabelCost, ViewBatch


class HardTargets:
    """Cross-entropy of the true class, with mixes weighted by the area really pasted. Supervision of every hard track.

    Args:
        mix: the op that mixes images, None, or ``"protocol"``.
        label_smoothing: share of the target that is spread evenly over the classes.
    """

    def __init__(self, mix: Any = "protocol", label_smoothing: float = 0.0, label_bytes: int = 0) -> None:
        self.mix = mix
        self.label_smoothing = label_smoothing
        self.cost = LabelCost(label_bytes=label_bytes)

    def drawn(self, step: int) -> Drawn | None:  # noqa: ARG002 - the contract's signature
        return None

    def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
        targets = {"hard": batch.hard}
        if batch.partner_hard is not None and batch.area is not None:
            targets |= {"partner": batch.partner_hard, "area": batch.area}
        return targets

    def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        own = self._cross_entropy(logits, targets["hard"])
        if "partner" not in targets:
            return own
        area = targets["area"].to(own.dtype)
        return (1 - area) * own + area * self._cross_entropy(logits, targets["partner"])

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, target, reduction="none", label_smoothing=self.label_smoothing)
