"""From uint8 pixels to a network's input, in pieces that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.errors import RequestError

# A float pass over a whole batch at 224 px runs at the speed of main memory; a piece of this size stays in cache.
_PIECE_BYTES = 2 << 20


class Normaliser:
    """Turns pixels into ``(x - mean) / std`` per channel, x in 0..1.

    The result lives in one buffer that the next call overwrites: copy it to keep it. A smaller batch is given a slice.

    Args:
        mean: three channel means of x in 0..1.
        std: three channel standard deviations, above 0.
        dtype: floating type of the result.
        device: where the result lives; pixels must be there too.

    Raises:
        RequestError: not three channels, or a standard deviation that is not above 0.
    """

    def __init__(
        self,
        mean: Sequence[float] | Tensor,
        std: Sequence[float] | Tensor,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.mean = torch.as_tensor(mean, dtype=torch.float64, device="cpu")
        self.std = torch.as_tensor(std, dtype=torch.float64, device="cpu")
        if self.mean.shape != (3,) or self.std.shape != (3,) or not bool((self.std > 0).all()):
            raise RequestError(
                f"Normalisation needs three means and three standard deviations above 0; found mean "
                f"{self.mean.tolist()}, std {self.std.tolist()}."
            )
        self.dtype = dtype
        self.device = torch.device(device)
        self._buffer: Tensor | None = None
        self._lines: dict[tuple[int, bool], tuple[Tensor, Tensor]] = {}

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalises uint8 [B, 3, h, w], or floats in 0..1 of that shape.

        Returns:
            [B, 3, h, w] of the normaliser's dtype, channels-last, valid until the next call.
        """
        count, _, height, width = pixels.shape
        result = self._room(count, height, width)
        factor, offset = self._line(width, integer=pixels.dtype == torch.uint8)
        lines = pixels.permute(0, 2, 3, 1).reshape(-1, 3 * width)
        written = result.permute(0, 2, 3, 1).view(-1, 3 * width)
        piece = _PIECE_BYTES // (3 * width * self.dtype.itemsize) if self.device.type == "cpu" else len(lines)
        for start in range(0, len(lines), max(1, piece)):
            part = slice(start, start + max(1, piece))
            torch.addcmul(offset, lines[part].to(self.dtype), factor, out=written[part])
        return result

    def _room(self, count: int, height: int, width: int) -> Tensor:
        """The first ``count`` images of the buffer, made anew when it is too small or of another size."""
        held = self._buffer
        if held is None or len(held) < count or held.shape[2:] != (height, width):
            held = torch.empty(
                (count, 3, height, width), dtype=self.dtype, device=self.device, memory_format=torch.channels_last
            )
            self._buffer = held
        return held[:count]

    def _line(self, width: int, *, integer: bool) -> tuple[Tensor, Tensor]:
        """Factor and offset of every number in one line of an image: [3 * width] each."""
        if (width, integer) not in self._lines:
            factor = 1.0 / (self.std * (255.0 if integer else 1.0))
            offset = -self.mean / self.std
            self._lines[width, integer] = (self._spread(factor, width), self._spread(offset, width))
        return self._lines[width, integer]

    def _spread(self, values: Tensor, width: int) -> Tensor:
        return values.repeat(width).to(device=self.device, dtype=self.dtype)
