"""Images that are handed out on the device that trains, where their views are cut."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.data.chunks import CHUNK, in_chunks
from rethinkdc.data.resize import channels_last
from rethinkdc.data.store import CanvasStore, NativeStore, Store

SHARE = 0.4
"""Of the device memory that is free when a training begins: what its images may take. The rest is the network's."""


class DeviceStore:
    """Images of one size on a device: all of them where they fit in a limit, else those of each batch.

    What views show of them depends on the kind of device alone: the limit decides where pixels wait, and nothing else.

    Attributes:
        device: where images are handed out.
        pixels: uint8 [M, 3, h, w], channels-last, on the device, where all fit; else None, and every batch is fetched
            from the store behind and sent.
    """

    def __init__(
        self, store: Store, size: tuple[int, int], device: torch.device, *, limit_bytes: int, workers: int = 0
    ) -> None:
        """Sends all images once, when they fit.

        Args:
            store: M images of one size.
            size: their height and width in pixels.
            device: where they are wanted.
            limit_bytes: most bytes that they may take there.
            workers: threads that fetch them.

        Raises:
            DataError: an image cannot be decoded.
        """
        self.device = device
        self._length, self._size = len(store), size
        self._behind: Store | None = store
        self.pixels: Tensor | None = None
        if len(store) * 3 * size[0] * size[1] <= limit_bytes:
            self.pixels = self._send_all(store, workers)
            # The memory of the host is free for others.
            self._behind = None

    def __len__(self) -> int:
        return self._length

    def fetch(self, rows: Tensor) -> list[Tensor]:
        return list(self.gather(rows).unbind(0))

    def gather(self, rows: Tensor) -> Tensor:
        """The images of int64 ``rows`` [B]: uint8 [B, 3, h, w], channels-last, on the device, a tensor of its own."""
        if self.pixels is None:
            return self._fetch(rows).to(self.device, non_blocking=True)
        rows = rows.to(self.device, non_blocking=True)
        # Through the permuted view whole images are copied, and the result stays channels-last.
        return self.pixels.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)

    def _send_all(self, store: Store, workers: int) -> Tensor:
        pixels = torch.empty((len(store), *self._size, 3), dtype=torch.uint8, device=self.device).permute(0, 3, 1, 2)
        if store.pixels is not None:
            return pixels.copy_(store.pixels)

        def fill(first: int, last: int) -> None:
            pixels[first:last].copy_(self._fetch(torch.arange(first, last)))

        in_chunks(len(store), fill, workers=workers, chunk=CHUNK)
        return pixels

    def _fetch(self, rows: Tensor) -> Tensor:
        assert self._behind is not None
        if not len(rows):
            return torch.empty((0, *self._size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
        return channels_last(torch.stack(list(self._behind.fetch(rows))))


def place_store(store: Store, device: torch.device, *, workers: int = 0) -> Store:
    """The store as a training on ``device`` reads it: beside CUDA, images of one size are cut on the device.

    Images of several sizes, and all on a CPU, are cut by the CPU.

    Args:
        store: the images.
        device: that trains.
        workers: threads that fetch images that are sent.

    Raises:
        DataError: an image cannot be decoded.
    """
    size = _size_of(store)
    if size is None or not cuts_views(device):
        return store
    return DeviceStore(store, size, device, limit_bytes=int(SHARE * free_memory(device)), workers=workers)


def cuts_views(device: torch.device) -> bool:
    """Whether views are cut by the device itself: by CUDA."""
    return device.type == "cuda"


def free_memory(device: torch.device) -> int:
    """Bytes of a CUDA device that nobody uses."""
    return torch.cuda.mem_get_info(device)[0]


def _size_of(store: Store) -> tuple[int, int] | None:
    """Height and width of all images; None where they are of several sizes, or are on a device already."""
    if isinstance(store, CanvasStore):
        return store.size, store.size
    if isinstance(store, NativeStore) and store.pixels is not None:
        return store.pixels.shape[2], store.pixels.shape[3]
    return None
