"""The whitening of a training set, fitted once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from rethinkdc import ranks
from rethinkdc.contracts.context import Context
from rethinkdc.data.whitening import EPSILON, Whitening, fit_whitening
from rethinkdc.errors import UnsupportedError
from rethinkdc.storage import load_tensors, write_tensors

WHITENING_SEMANTICS = 1
"""Raised whenever the same images would be whitened otherwise."""
_FILE = "whitening.safetensors"
_BATCH = 1000
_LARGEST = 64
"""Side of the largest canvas: its two matrices take 1.2 GB."""


def whitening_key(context: Context) -> list[object]:
    """All that a whitening depends on but the training images, as JSON data."""
    return [WHITENING_SEMANTICS, EPSILON, context.protocol.store.model_dump(mode="json")]


def fitted_whitening(context: Context) -> Whitening:
    """The whitening of the training set's canvases; see :meth:`rethinkdc.contracts.Context.whitening`."""
    data, store = context.data, context.protocol.store
    if store.size > _LARGEST:
        numbers = 3 * store.size**2
        raise UnsupportedError(
            f"ZCA whitening of {store.size} px needs a matrix of {numbers:,} x {numbers:,} numbers; it is for "
            f"{_LARGEST} px at most. Leave it out (zca=false)."
        )

    def build(inner: Context, out: Path) -> None:
        # The last bits of a sum depend on its order: one rank adds up the batches, one after another.
        if not ranks.writes():
            return
        with inner.progress.task("whitening", len(data)) as done:

            def batches() -> Iterator[Tensor]:
                for rows in torch.arange(len(data)).split(_BATCH):
                    yield data.canvases(rows, store.size, store.fit, store.interpolation)
                    done(len(rows))

            fitted = fit_whitening(batches())
        write_tensors(out / _FILE, fitted.tensors())

    key = {"whitening": whitening_key(context), "data": data.fingerprint}
    folder = context.artefact("whitenings", key, "synthesis", build, files=[_FILE])
    return Whitening(**load_tensors(folder / _FILE))
