"""How large the set of a run is: so many images per class, a share of the training set, or as many as a list has."""

from __future__ import annotations

from dataclasses import dataclass

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.data.splits import Schema
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.runs.request import DEFAULT_IPC, Request


@dataclass(frozen=True)
class SetSize:
    """The size of a set.

    Attributes:
        ipc: images per class, of a share the rounded mean; None = the whole training set.
        images: images in all, where they are no ``ipc`` of each class.
    """

    ipc: int | None
    images: int | None = None

    def spell(self, schema: Schema) -> str:
        """What people call it: ``10``, ``full``, ``43.1 (431 images, keep 0.3)``."""
        if self.images is None:
            return str(self.ipc) if self.ipc else "full"
        share = f", keep {self.images / schema.train:.3g}" if schema.train else ""
        return f"{self.images / schema.classes:.4g} ({self.images:,} images{share})"


def resolve_size(request: Request, compressor: Compressor, protocol: Protocol, schema: Schema) -> SetSize:
    """The size that a request asks for.

    Args:
        request: its ``ipc`` or its ``keep``; with neither the method's own size counts, or else the protocol's.
        compressor: what makes the set.
        protocol: names the default.
        schema: of the rows that the set is made of.

    Raises:
        RequestError: two sizes, one out of bounds, or one for what uses the whole training set.
        UnsupportedError: the compressor makes no share.
    """
    if not compressor.budgeted:
        given = "--ipc" if request.ipc is not None else "--keep" if request.keep is not None else ""
        if given:
            raise RequestError(f"{compressor.name} uses the whole training set: leave {given} out.")
        return SetSize(None)
    if request.keep is not None:
        return _share(request, compressor, schema)
    own = compressor.own_size(schema.train or 0, schema.classes) if request.ipc is None else None
    if own is not None:
        return _of_images(own, schema) if own % schema.classes else SetSize(own // schema.classes)
    ipc = request.ipc if request.ipc is not None else protocol.default_ipc or DEFAULT_IPC
    if ipc < 1:
        raise RequestError(f"--ipc {ipc} is not valid: at least one image per class is needed.")
    return SetSize(ipc)


def split_images(images: int, counts: list[int]) -> tuple[int, ...]:
    """Each class's part of ``images`` by its share of the rows: largest remainders, no class empty where possible.

    Args:
        images: at most the sum of ``counts``.
        counts: rows of each class.
    """
    rows = sum(counts)
    parts = [images * count // rows for count in counts]
    by_rest = sorted(range(len(counts)), key=lambda index: (-(images * counts[index] % rows), index))
    for index in by_rest[: images - sum(parts)]:
        parts[index] += 1
    for index, count in enumerate(counts):
        largest = max(range(len(parts)), key=parts.__getitem__)
        if not parts[index] and count and parts[largest] > 1:
            parts[index], parts[largest] = 1, parts[largest] - 1
    return tuple(parts)


def _share(request: Request, compressor: Compressor, schema: Schema) -> SetSize:
    keep = request.keep
    assert keep is not None
    if request.ipc is not None:
        raise RequestError(f"--ipc {request.ipc} and --keep {keep:g} are two sizes: leave one of them out.")
    if not 0 < keep <= 1:
        raise RequestError(
            f"--keep {keep:g}: a share of the training set above 0 and at most 1 is needed, such as 0.3."
        )
    if not compressor.shares:
        raise UnsupportedError(
            f"--keep {keep:g}: {compressor.name} makes the same number of images for each class. Use --ipc; a share is "
            "for methods that keep training rows, such as random or el2n:direction=hard."
        )
    images = int(keep * (schema.train or 0) + 0.5)
    if images < schema.classes:
        raise RequestError(
            f"--keep {keep:g} of {schema.train or 0:,} training images is {images}; each of {schema.classes} classes "
            "needs one at least. Choose a larger share."
        )
    return _of_images(images, schema)


def _of_images(images: int, schema: Schema) -> SetSize:
    return SetSize(max(1, round(images / schema.classes)), images)
