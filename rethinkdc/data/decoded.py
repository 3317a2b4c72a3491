"""Images held as one uint8 tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.data.fingerprint import pixels_fingerprint
from rethinkdc.data.resize import channels_last, resize
from rethinkdc.data.targets import check_targets
from rethinkdc.errors import DataError
from rethinkdc.types import Fit, Interpolation


class DecodedImages:
    """Images of one size in memory, or memory-mapped.

    Attributes:
        pixels: uint8 [N, 3, h, w], a view of an NHWC-contiguous buffer.
        targets: int64 [N].
        class_names: names of the classes, in the order of their indices.
        fingerprint: content hash (hex).
    """

    def __init__(
        self, pixels: Tensor, targets: Tensor, class_names: Sequence[str], fingerprint: str | None = None
    ) -> None:
        """Keeps ``pixels`` as they are when they lie channels-last already, else copies them.

        Args:
            pixels: uint8 [N, 3, h, w].
            targets: int64 [N] in 0..len(class_names) - 1.
            class_names: names of the classes.
            fingerprint: content hash; None = taken of the pixels, targets and names.

        Raises:
            DataError: a wrong dtype or shape, or a target out of range.
        """
        if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape[2:]:
            raise DataError(
                f"Images must be uint8 of shape [N, 3, h, w], found {pixels.dtype} of shape {list(pixels.shape)}."
            )
        check_targets(targets, len(pixels), class_names)
        self.pixels = channels_last(pixels)
        self.targets = targets
        self.class_names = tuple(class_names)
        self.fingerprint = fingerprint or pixels_fingerprint(self.pixels, targets, self.class_names)

    def __len__(self) -> int:
        return len(self.pixels)

    def native(self, rows: Tensor) -> list[Tensor]:
        return list(self._gather(rows).unbind(0))

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        return resize(self._gather(rows), (size, size), fit, interpolation)

    def _gather(self, rows: Tensor) -> Tensor:
        return self.pixels.permute(0, 2, 3, 1)[rows].permute(0, 3, 1, 2)
