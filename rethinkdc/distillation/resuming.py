"""Images that are being optimised: what surrounds their loop, and their state, so that a kill loses little of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from rethinkdc.contracts.context import Context
from rethinkdc.training.noise import reproducible
from rethinkdc.training.precision import computing


@contextmanager
def synthesising(context: Context, name: str, iterations: int) -> Iterator[Callable[[int], None]]:
    """Inside, networks compute in the protocol's precision, and what they compute repeats itself.

    Args:
        context: of the run.
        name: what the bar is called.
        iterations: how many there are.

    Yields:
        What is told how many iterations were done.
    """
    with (
        computing(context.device, context.protocol.precision),
        reproducible(context.device),
        context.progress.task(name, iterations) as done,
    ):
        yield done


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
