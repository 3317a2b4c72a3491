"""A trained network that is asked for labels, scores and gradients; nothing ever changes it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rethinkdc.errors import RequestError
from rethinkdc.models import weights_digest
from rethinkdc.storage import digest
from rethinkdc.training.precision import computing
from rethinkdc.training.predict import TestView, parameter_dtype
from rethinkdc.views import Normaliser


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Neither autocast nor TF32 inside: at temperature 20 labels live in the third digit, and images drift apart."""
    with computing(device, "float32"):
        yield


@dataclass(frozen=True)
class Teacher:
    """A frozen network in evaluation mode, with all that belongs to it.

    Attributes:
        id: what records call it.
        definition: JSON data that tells its architecture apart: two may have tensors of the same names and shapes.
        module: logits [B, C] from normalised images [B, 3, size, size]; its parameters take no gradient.
        mean: channel means of its input, of pixels in 0..1.
        std: channel standard deviations of the same.
        size: side of its input in pixels.
        test: how it wants a test image to be shown; its accuracy depends on it.
        device: where it runs.
        external: the data beyond the training set that it has seen; empty = none.
        top1: measured on the run's test images under :attr:`test`, as a fraction; None = not measured.
        told: what the record should tell of how its weights were read.
    """

    id: str
    definition: Any
    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int
    test: TestView
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    external: str = ""
    top1: float | None = None
    told: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module.eval().requires_grad_(False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the architecture, the weights and buffers, the normalisation and the size."""
        return digest([self.definition, weights_digest(self.module), self.mean, self.std, self.size])

    @property
    def bytes(self) -> int:
        """What a receiver would have to store: the parameters and buffers."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.module.state_dict().values())

    def normalised(self, pixels: Tensor) -> Tensor:
        """The network's input: float [B, 3, h, w], a tensor of its own, of uint8 pixels or floats in 0..1.

        The network is made for h = w = ``size``.
        """
        return self._normaliser(pixels.to(self.device, non_blocking=True)).clone()

    def classify(self, normalised: Tensor) -> Tensor:
        """Float32 logits [B, C] of inputs as :meth:`normalised` gives them; gradients flow to the input, if any."""
        logits: Tensor = self.module(normalised)
        return logits.float()

    @torch.no_grad()
    def logits(self, pixels: Tensor) -> Tensor:
        """What the network says of views, in full precision on every device.

        Args:
            pixels: uint8 [B, 3, h, w], or floats in 0..1; of another size than the network's they are resized,
                antialiased bilinear.

        Returns:
            Float32 [B, C].
        """
        pixels = pixels.to(self.device, non_blocking=True)
        if tuple(pixels.shape[2:]) != (self.size, self.size):
            images = pixels.float().div(255.0) if pixels.dtype == torch.uint8 else pixels
            pixels = F.interpolate(images, size=(self.size, self.size), mode="bilinear", antialias=True)
        with full_precision(self.device):
            return self.classify(self._normaliser(pixels))

    def with_batch_statistics(self) -> Teacher:
        """A copy whose BatchNorm layers normalise by the batch that they see and keep no statistics.

        The feature of CV-DD and SRe2L++ (labels of a batch depend on it), without the drift of a teacher that was left
        in training mode.

        Raises:
            RequestError: the teacher has no BatchNorm layer.
        """
        module = copy.deepcopy(self.module)
        layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
        if not layers:
            raise RequestError(
                f"The teacher {self.id} has no BatchNorm layer, so it has no batch statistics. "
                "Leave teacher_bn=running, or choose a teacher with BatchNorm."
            )
        for layer in layers:
            # Without running statistics a layer in evaluation mode takes the batch's, and updates nothing.
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
        return replace(self, module=module)

    @cached_property
    def _normaliser(self) -> Normaliser:
        return Normaliser(self.mean, self.std, parameter_dtype(self.module), self.device)
