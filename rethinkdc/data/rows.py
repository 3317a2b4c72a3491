"""Some rows of a set of images, as a set of images."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.types import Fit, Images, Interpolation


class RowsOf:
    """The images of ``rows``, in that order; nothing is copied or decoded.

    Attributes:
        images: the images that the rows belong to.
        rows: int64 [M].
        targets: int64 [M].
        class_names: those of ``images``.
        fingerprint: digest of the parent's fingerprint and the rows.
    """

    def __init__(self, images: Images, rows: Tensor) -> None:
        """Takes ``rows`` int64 [M] of ``images``; a row may come twice.

        Raises:
            RequestError: rows of a wrong dtype, shape or range.
        """
        if rows.dtype != torch.int64 or rows.ndim != 1:
            raise RequestError(f"Rows must be int64 [M], found {rows.dtype} of shape {list(rows.shape)}.")
        if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= len(images)):
            raise RequestError(f"Rows must be in 0..{len(images) - 1}, found {int(rows.min())}..{int(rows.max())}.")
        self.images = images
        self.rows = rows
        self.targets = images.targets[rows]
        self.class_names = images.class_names
        content = rows.cpu().contiguous().numpy().astype("<i8").tobytes()
        self.fingerprint = hashlib.sha256(images.fingerprint.encode() + b"/rows/" + content).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def native(self, rows: Tensor) -> list[Tensor]:
        return self.images.native(self.rows[rows])

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        return self.images.canvases(self.rows[rows], size, fit, interpolation)
