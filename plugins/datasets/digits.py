"""Handwritten digits: scikit-learn's copy of the UCI test set, installed with it, so that nothing is downloaded."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from rethinkdc.contracts import Backing, Dataset, Schema, Splits, hookimpl
from rethinkdc.data import DecodedImages, stat_signature, stratified_folds

FOLDS = 5
_FOLD_SEED = 20_231
"""Of the assignment of images to folds: part of the dataset, so raising it raises the revision."""


class Digits(Dataset):
    """Handwritten digits: 1,797 real ones of 10 classes, 8 px; embedded, no download."""

    name: ClassVar[str] = "digits"
    schema: ClassVar[Schema | None] = Schema(classes=10)
    fold: int = Field(default=0, ge=0, lt=FOLDS, description="which of five stratified folds is the test part")

    def signature(self) -> str | None:
        """Of scikit-learn's data file, found without importing scikit-learn."""
        file = _installed_file()
        return stat_signature([file], file.parents[2]) if file else None

    def load(self, cache_folder: Path | None = None, backing: Backing = "auto") -> Splits:  # noqa: ARG002
        """Always in memory (345 kB), whatever the backing asked for."""
        images, classes = _read()
        grey = np.rint(images * (255 / 16)).astype(np.uint8)
        pixels = torch.from_numpy(grey)[:, None].expand(-1, 3, -1, -1)
        targets = torch.from_numpy(classes.astype(np.int64))
        names = [str(digit) for digit in range(10)]
        tested = stratified_folds(targets, FOLDS, _FOLD_SEED) == self.fold
        return Splits(
            train=DecodedImages(pixels[~tested], targets[~tested], names),
            test=DecodedImages(pixels[tested], targets[tested], names),
        )


def _installed_file() -> Path | None:
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    return file if file.is_file() else None


def _read() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Images [N, 8, 8] of 0..16 and classes [N]."""
    file = _installed_file()
    if file is None:  # a release that keeps its data elsewhere: its own reader knows where
        from sklearn.datasets import load_digits

        content = load_digits()
        return content.images, content.target
    # Read here, because importing scikit-learn (with scipy.stats and pandas) takes longer than a whole run on them.
    with gzip.open(file, "rt", encoding="ascii") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float64)
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1]


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers the digits."""
    return [Digits]
