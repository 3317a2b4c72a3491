"""Predictions on un-augmented images, never holding more than a few batches of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from typing import ClassVar, Literal, NamedTuple, overload

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from rethinkdc.models import Penultimate
from rethinkdc.training.ahead import in_order
from rethinkdc.training.turns import given_all, own_turns
from rethinkdc.types import Fit, Images, Interpolation
from rethinkdc.views import Normaliser

BATCH = 256
"""Images that a network is shown at a time."""


class TestView(BaseModel):
    """How an image is shown for testing: resized to ``resize`` x ``resize``, then the centre ``size`` x ``size``.

    ``fit="centre"`` with 256 and 224 is the field's "resize 256, centre crop 224".
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever pytest thinks of the name

    model_config = ConfigDict(frozen=True, extra="forbid")

    resize: int = Field(ge=1, le=8192, description="px")
    size: int = Field(ge=1, le=8192, description="px")
    fit: Fit = "centre"
    interpolation: Interpolation = "bilinear"

    @model_validator(mode="after")
    def _check_crop(self) -> TestView:
        if self.size > self.resize:
            raise ValueError(f"the centre crop of {self.size} px is larger than the image resized to {self.resize} px")
        return self

    def render(self, images: Images, rows: Tensor) -> Tensor:
        """Uint8 [B, 3, size, size] of ``rows`` (int64 [B])."""
        pixels = images.canvases(rows, self.resize, self.fit, self.interpolation)
        if self.size == self.resize:
            return pixels
        first = round((self.resize - self.size) / 2)
        return pixels[:, :, first : first + self.size, first : first + self.size]


class Prediction(NamedTuple):
    """One batch, on the CPU: rows int64 [B], logits float32 [B, C], features float32 [B, D] (D = 0: not asked for)."""

    rows: Tensor
    logits: Tensor
    features: Tensor


@overload
def predict(
    model: nn.Module,
    images: Images,
    view: TestView,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
    batch: int = ...,
    workers: int = ...,
    rows: Tensor | None = ...,
    features: Literal[False] = ...,
) -> Tensor: ...


@overload
def predict(
    model: nn.Module,
    images: Images,
    view: TestView,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
    batch: int = ...,
    workers: int = ...,
    rows: Tensor | None = ...,
    features: Literal[True],
) -> tuple[Tensor, Tensor]: ...


def predict(
    model: nn.Module,
    images: Images,
    view: TestView,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
    batch: int = BATCH,
    workers: int = 0,
    rows: Tensor | None = None,
    features: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Logits of ``rows`` (default all): float32 [N, C] on the CPU; with ``features`` also float32 [N, D].

    Where N x C is too much to hold, :func:`predict_batches` gives the same in batches.
    """
    parts = list(
        predict_batches(
            model,
            images,
            view,
            mean=mean,
            std=std,
            device=device,
            batch=batch,
            workers=workers,
            rows=rows,
            features=features,
        )
    )
    logits = torch.cat([part.logits for part in parts])
    return (logits, torch.cat([part.features for part in parts])) if features else logits


def predict_batches(
    model: nn.Module,
    images: Images,
    view: TestView,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
    batch: int = BATCH,
    workers: int = 0,
    rows: Tensor | None = None,
    batches: Sequence[Tensor] | None = None,
    features: bool = False,
) -> Iterator[Prediction]:
    """Yields the predictions of ``rows`` (default all) batch by batch, or of the rows of each of ``batches``.

    The model is in eval mode while the iterator is open; afterwards every module has its own mode again. Full
    precision, also on CUDA: a test is no place to save bits. Of ranks that work together each predicts every so many
    batches, and all are given all of them, the same to the bit.
    """
    wanted = torch.arange(len(images)) if rows is None else rows
    batches = torch.split(wanted, batch) if batches is None else batches
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    normalise = Normaliser(mean, std, parameter_dtype(model), device)
    capture = Penultimate(model) if features else None
    rendered = in_order(lambda part: (part, view.render(images, part)), own_turns(batches), workers)
    with evaluating(model), capture or nullcontext(), closing(rendered):

        def predicted() -> Iterator[tuple[Tensor, Tensor]]:
            for _, pixels in rendered:
                # Not around the yield: the caller's own gradients must stay on between two batches.
                with torch.no_grad():
                    logits = model(normalise(pixels.to(device, non_blocking=True)))
                captured = capture.features if capture else logits[:, :0]
                yield logits.float().cpu(), captured.float().cpu()

        for part, (logits, captured) in zip(batches, given_all(predicted(), batches), strict=True):
            yield Prediction(part, logits, captured)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards each module has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def parameter_dtype(model: nn.Module) -> torch.dtype:
    """The dtype that a model computes in: that of its first parameter."""
    return next(model.parameters()).dtype
