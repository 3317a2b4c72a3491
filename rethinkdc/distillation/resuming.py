"""The state of images that are being optimised, so that a kill loses little of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def image_state(done: int, images: Tensor, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """What :func:`restore_images` puts back.

    Args:
        done: iterations that are done.
        images: any shape, with gradients or without.
        optimizer: of the images.
    """
    return {"done": done, "images": images.detach().cpu(), "optimizer": optimizer.state_dict()}


def restore_images(state: dict[str, Any], images: Tensor, optimizer: torch.optim.Optimizer) -> int:
    """Puts images and their optimiser back, in place; returns the iterations that were done."""
    with torch.no_grad():
        images.copy_(state["images"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["done"])
