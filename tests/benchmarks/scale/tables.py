"""Random numbers in the shape of a data set and of what a proxy says of it: on disk, mapped, sorted by class."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rethinkdc.data.resize import resize
from rethinkdc.training.columns import CLEAN_COLUMNS, COLUMNS
from rethinkdc.training.trace import SCHEMA, Trace
from rethinkdc.types import Fit, Interpolation, Predictions

_ROWS = 1 << 16
"""Rows that are drawn at a time."""
_PICTURES = 16


@dataclass(frozen=True)
class Shape:
    """How large a data set is.

    Attributes:
        classes: G, classes that have rows; class by class, as many copies of ImageNet lie on disk.
        per_class: rows of each, the first ``longer`` of them have one more.
        longer: classes of one row more.
        outputs: C, logits of the proxy: at least ``classes``.
        features: D, of the proxy.
        epochs: T, of the trace.
        side: of canvases, and of what networks take, in pixels.
    """

    classes: int = 1000
    per_class: int = 1281
    longer: int = 167
    outputs: int = 1000
    features: int = 512
    epochs: int = 60
    side: int = 224

    @property
    def rows(self) -> int:
        """N."""
        return self.classes * self.per_class + min(self.longer, self.classes)

    @property
    def targets(self) -> Tensor:
        """Int64 [N], ascending."""
        sizes = torch.full((self.classes,), self.per_class)
        sizes[: self.longer] += 1
        return torch.arange(self.classes).repeat_interleave(sizes)

    @property
    def clean_epochs(self) -> tuple[int, ...]:
        """As ``imagenet1k-hard`` lists them, where the trace is that long."""
        return tuple(sorted({min(10, self.epochs), self.epochs}))


class Pictures:
    """Images of one size whose pixels are a few noises again and again: no decoding, and no memory of their own."""

    def __init__(self, shape: Shape) -> None:
        self.targets = shape.targets
        self.class_names = tuple(f"class {index}" for index in range(shape.classes))
        self.fingerprint = json.dumps(asdict(shape))
        draws, height, width = torch.Generator().manual_seed(0), shape.side * 5 // 3, shape.side * 9 // 4
        self._noise = torch.randint(0, 256, (_PICTURES, 3, height, width), generator=draws, dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.targets)

    def native(self, rows: Tensor) -> list[Tensor]:
        return [self._noise[row % _PICTURES] for row in rows.tolist()]

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        return resize(self.native(rows), (size, size), fit, interpolation)


class Tables:
    """What a proxy says of a shape, in a folder: made where it is missing, and mapped."""

    def __init__(self, shape: Shape, folder: Path) -> None:
        self.shape, self.folder = shape, folder
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def images(self) -> Pictures:
        """The data set itself."""
        return Pictures(self.shape)

    @property
    def predictions(self) -> Predictions:
        """Features that lie about the centre of their class, and logits that are right for most rows."""
        targets = self.shape.targets.numpy()
        features, logits = self.folder / "features.npy", self.folder / "logits.npy"
        if not features.exists():
            centres = np.random.default_rng(1).standard_normal((self.shape.classes, self.shape.features), np.float32)
            _fill(features, (self.shape.rows, self.shape.features), 2, lambda part: 0.3 * centres[targets[part]])
        if not logits.exists():
            heights = np.random.default_rng(3).random(self.shape.rows, np.float32)
            own = np.arange(self.shape.outputs)
            _fill(
                logits,
                (self.shape.rows, self.shape.outputs),
                4,
                lambda part: (8 * heights[part, None]) * (own == targets[part, None]),
            )
        return Predictions(*(torch.from_numpy(np.load(path, mmap_mode="c")) for path in (features, logits)))

    @property
    def trace(self) -> Trace:
        """Uniform numbers of the right form: those that are 0 or 1 are."""
        folder = self.folder / "trace"
        if not (folder / "trace.json").exists():
            folder.mkdir(exist_ok=True)
            lengths = {"train.npy": (COLUMNS, self.shape.epochs), "clean.npy": (CLEAN_COLUMNS, len(self._clean))}
            for name, (columns, length) in lengths.items():
                _fill_trace(folder / name, columns, (len(columns), length, self.shape.rows))
            (folder / "trace.json").write_text(json.dumps(self._about))
        return Trace(folder)

    @property
    def _clean(self) -> tuple[int, ...]:
        return self.shape.clean_epochs

    @property
    def _about(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "epochs": self.shape.epochs,
            "rows": self.shape.rows,
            "classes": self.shape.outputs,
            "clean_epochs": list(self._clean),
            "columns": list(COLUMNS),
            "clean_columns": list(CLEAN_COLUMNS),
            "accuracy": 0.5,
        }


def _fill(path: Path, shape: tuple[int, int], seed: int, centre: object) -> None:
    """Writes uniform noise in -1..1 about a centre of each row, a bounded number of rows at a time."""
    assert callable(centre)
    draws = np.random.default_rng(seed)
    making = path.with_suffix(".making")
    table = np.lib.format.open_memmap(making, "w+", np.float32, shape)
    for start in range(0, shape[0], _ROWS // 16):
        part = np.arange(start, min(start + _ROWS // 16, shape[0]))
        noise = draws.random((len(part), shape[1]), np.float32)
        noise *= 2
        noise -= 1
        table[part[0] : part[-1] + 1] = noise + centre(part)
    table.flush()
    making.rename(path)


def _fill_trace(path: Path, columns: tuple[str, ...], shape: tuple[int, int, int]) -> None:
    draws = np.random.default_rng(5)
    table = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for index, column in enumerate(columns):
        for epoch in range(shape[1]):
            numbers = draws.random(shape[2], np.float32)
            table[index, epoch] = numbers > 0.3 if column == "correct" else numbers
    table.flush()
