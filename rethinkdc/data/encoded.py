"""Images held as encoded files, decoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.data.blobs import Blobs
from rethinkdc.data.chunks import CHUNK, in_chunks
from rethinkdc.data.decode import decode
from rethinkdc.data.decoders import PILLOW, Decoder
from rethinkdc.data.fingerprint import content_fingerprint
from rethinkdc.data.resize import empty_canvases, resize
from rethinkdc.data.targets import check_targets
from rethinkdc.types import Fit, Interpolation


class EncodedImages:
    """Images of any sizes that are decoded on demand.

    :meth:`canvases` holds at most ``CHUNK`` images decoded at their original size; :meth:`native` those asked for.

    Attributes:
        blobs: the encoded files.
        targets: int64 [N].
        class_names: names of the classes, in the order of their indices.
        fingerprint: content hash (hex), signed by the decoder.
        decoder: of ordinary images.
    """

    def __init__(
        self,
        blobs: Blobs,
        targets: Tensor,
        class_names: Sequence[str],
        fingerprint: str | None = None,
        decoder: Decoder = PILLOW,
    ) -> None:
        """Decodes nothing yet.

        Args:
            blobs: N encoded files.
            targets: int64 [N] in 0..len(class_names) - 1.
            class_names: names of the classes.
            fingerprint: content hash, signed by the decoder; None = taken now, which reads every file once.
            decoder: of ordinary images.

        Raises:
            DataError: targets of a wrong dtype, shape or range.
        """
        check_targets(targets, len(blobs), class_names)
        self.blobs = blobs
        self.targets = targets
        self.class_names = tuple(class_names)
        self.decoder = decoder
        self.fingerprint = fingerprint or decoder.sign(content_fingerprint(blobs, targets, self.class_names))

    def __len__(self) -> int:
        return len(self.blobs)

    def native(self, rows: Tensor) -> list[Tensor]:
        return [self.decoded(row) for row in rows.tolist()]

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        canvases = empty_canvases(len(rows), (size, size))

        def fill(first: int, last: int) -> None:
            images = self.native(rows[first:last])
            canvases[first:last].copy_(resize(images, (size, size), fit, interpolation))

        in_chunks(len(rows), fill, chunk=CHUNK)
        return canvases

    def decoded(self, row: int) -> Tensor:
        """One image at its original size: uint8 [3, h, w].

        Raises:
            DataError: the file cannot be decoded; names it.
            IndexError: there is no such row.
        """
        if not -len(self) <= row < len(self):
            raise IndexError(f"Row {row} of {len(self)} images.")
        row %= len(self)
        return decode(self.blobs.read(row), where=self.blobs.where(row), decoder=self.decoder)


def all_rows(count: int) -> Tensor:
    """int64 [count]: 0, 1, 2, ..."""
    return torch.arange(count, dtype=torch.int64)
