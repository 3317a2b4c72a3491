"""The compressed set: rows of the training set, or canvases of its own, behind the face of :class:`Images`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from rethinkdc.data.resize import resize
from rethinkdc.errors import RequestError
from rethinkdc.storage import digest
from rethinkdc.types import Fit, Images, Interpolation, ViewRule

SYNTHETIC = -1
"""Source row of a cell that shows no training image."""


class Card(BaseModel):
    """Where a compressed set comes from: enough to make it again.

    ``seconds``: what its making took, of each artefact by ``stage:key`` (proxy, teacher, selection, synthesis), so that
    what others share is not counted twice. ``clamp_error``, ``rounding_error``: the
    largest change of a pixel, in 0..1, when the images were stored. ``external_data``: data beyond the training set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = ""
    definition: dict[str, Any] = {}
    ipc: int | None = None
    seeds: dict[str, int] = {}
    dataset_fingerprint: str = ""
    protocol: str = ""
    protocol_digest: str = ""
    versions: dict[str, str] = {}
    seconds: dict[str, float] = {}
    external_data: list[str] = []
    clamp_error: float = 0.0
    rounding_error: float = 0.0
    notes: dict[str, Any] = {}


def grid_boxes(size: int, grid: int) -> Tensor:
    """Cells of a ``grid`` x ``grid`` canvas, row by row: int32 [grid^2, 4] as (y, x, height, width).

    Edges lie at round(i * size / grid) (half up), so that any grid divides any size.
    """
    edges = [(2 * i * size + grid) // (2 * grid) for i in range(grid + 1)]
    spans = list(pairwise(edges))
    return torch.tensor([(y, x, y1 - y, x1 - x) for y, y1 in spans for x, x1 in spans], dtype=torch.int32)


class CompressedSet:
    """M images with what training needs beside them. Make one with :meth:`of_rows` or :meth:`of_canvases`.

    Attributes:
        targets: int64 [M].
        class_names: names of all classes.
        sources: int64 [M, cells], training row shown in each cell; -1 = synthetic.
        cell_boxes: int32 [cells, 4], (y, x, h, w) of the cells on the canvas; one cell for whole images.
        weights: float32 [M] with mean 1, or None.
        soft_targets: float16 [M, C] learned labels as logits: the target is their softmax; or None.
        view_rule: how the set wants to be viewed.
        card: where it comes from.
        size: side of the canvases in pixels; None for rows, which take the size that is asked for.
    """

    def __init__(
        self,
        backing: Images | _Canvases,
        targets: Tensor,
        class_names: tuple[str, ...],
        sources: Tensor,
        *,
        rows: Tensor | None = None,
        size: int | None = None,
        source_boxes: Tensor | None = None,
        cell_boxes: Tensor | None = None,
        weights: Tensor | None = None,
        soft_targets: Tensor | None = None,
        view_rule: ViewRule | None = None,
        card: Card | None = None,
    ) -> None:
        self._backing = backing
        self.rows = rows
        self.size = backing.parts[0].shape[-1] if isinstance(backing, _Canvases) else size
        self.targets = targets.to(torch.int64)
        self.class_names = class_names
        self.sources = sources.to(torch.int64)
        self.source_boxes = source_boxes
        self._cell_boxes = cell_boxes
        self.weights = None if weights is None else _normalised(weights, len(targets))
        self.soft_targets = None if soft_targets is None else soft_targets.to(torch.float16)
        self.view_rule = view_rule or ViewRule()
        self.card = card or Card()

    @classmethod
    def of_rows(cls, data: Images, rows: Tensor, weights: Tensor | None = None) -> CompressedSet:
        """A subset: row numbers of ``data`` only, pixels are read when asked for.

        Args:
            data: the training set.
            rows: int64 [M], in any order, without repeats.
            weights: float [M], positive; normalised to mean 1.

        Raises:
            RequestError: a row is out of range or chosen twice.
        """
        rows = rows.to(torch.int64)
        if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= len(data)):
            raise RequestError(f"A selected row lies outside 0..{len(data) - 1}.")
        if len(torch.unique(rows)) != len(rows):
            raise RequestError("A training row was selected twice.")
        return cls(data, data.targets[rows], data.class_names, rows[:, None], rows=rows, weights=weights)

    @classmethod
    def of_canvases(
        cls,
        parts: Sequence[Mapping[str, Tensor]],
        class_names: tuple[str, ...],
        *,
        cell_boxes: Tensor | None = None,
        view_rule: ViewRule | None = None,
        card: Card | None = None,
    ) -> CompressedSet:
        """A set with pixels of its own.

        Args:
            parts: mappings with ``canvases`` uint8 [m, 3, S, S] and ``targets`` int64 [m]; optional ``sources`` int64
                [m, cells], ``source_boxes`` int32 [m, cells, 4], ``weights`` float32 [m], ``soft_targets`` [m, C]. The
                canvases may be memory-mapped; they are never joined into one tensor.
            class_names: names of all classes.
            cell_boxes: int32 [cells, 4]; None = one cell, the whole canvas.
            view_rule: None = views of the whole canvas.
            card: where the set comes from.
        """
        canvases = _Canvases([part["canvases"] for part in parts])
        cells = 1 if cell_boxes is None else len(cell_boxes)
        targets = torch.cat([part["targets"] for part in parts])
        sources = _joined(parts, "sources")
        return cls(
            canvases,
            targets,
            class_names,
            torch.full((len(targets), cells), SYNTHETIC) if sources is None else sources,
            source_boxes=_joined(parts, "source_boxes"),
            cell_boxes=cell_boxes,
            weights=_joined(parts, "weights"),
            soft_targets=_joined(parts, "soft_targets"),
            view_rule=view_rule,
            card=card,
        )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def parts(self) -> list[Tensor]:
        """The stored canvases, uint8 [m, 3, S, S] each; empty for a subset of rows."""
        return self._backing.parts if isinstance(self._backing, _Canvases) else []

    @property
    def cell_boxes(self) -> Tensor:
        if self._cell_boxes is not None:
            return self._cell_boxes
        return grid_boxes(self.size or 1, 1)

    @property
    def cells(self) -> int:
        """Cells per canvas."""
        return self.sources.shape[1]

    @property
    def fingerprint(self) -> str:
        """Content hash: rows of a fingerprinted dataset, or the pixels; with labels, weights and the view rule."""
        about = {
            "images": self._backing.fingerprint,
            "rows": None if self.rows is None else _tensor_digest(self.rows),
            "targets": _tensor_digest(self.targets),
            "weights": None if self.weights is None else _tensor_digest(self.weights),
            "soft": None if self.soft_targets is None else _tensor_digest(self.soft_targets),
            "cells": _tensor_digest(self.cell_boxes) if self.cells > 1 else None,
            "view_rule": self.view_rule.model_dump(mode="json"),
            "classes": self.class_names,
        }
        return digest(about)

    def with_card(self, card: Card) -> CompressedSet:
        """The same set with another card."""
        self.card = card
        return self

    def native(self, rows: Tensor) -> list[Tensor]:
        return self._backing.native(rows if self.rows is None else self.rows[rows])

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        return self._backing.canvases(rows if self.rows is None else self.rows[rows], size, fit, interpolation)

    def histogram(self) -> list[int]:
        """Number of canvases of each class."""
        return torch.bincount(self.targets, minlength=len(self.class_names)).tolist()

    def sources_per_class(self) -> list[int]:
        """Number of distinct training rows shown in each class."""
        owner = self.targets[:, None].expand_as(self.sources)[self.sources >= 0]
        shown = torch.unique(torch.stack([owner, self.sources[self.sources >= 0]]), dim=1)
        return torch.bincount(shown[0], minlength=len(self.class_names)).tolist()


class _Canvases:
    """Stored canvases in parts, with the face of :class:`Images` that the set needs."""

    def __init__(self, parts: Sequence[Tensor]) -> None:
        for part in parts:
            if part.dtype != torch.uint8 or part.ndim != 4 or part.shape[1] != 3 or part.shape[2] != part.shape[3]:
                raise RequestError(f"Canvases must be uint8 [m, 3, S, S]; found {part.dtype} {list(part.shape)}.")
        if len({part.shape[-1] for part in parts}) != 1:
            raise RequestError("The parts of a compressed set must all have canvases of one size.")
        self.parts = list(parts)
        self._starts = torch.tensor([0, *(len(part) for part in parts)]).cumsum(0)

    @property
    def fingerprint(self) -> str:
        total = hashlib.sha256()
        for part in self.parts:
            for image in part:
                total.update(image.permute(1, 2, 0).contiguous().numpy().tobytes())
        return total.hexdigest()

    def native(self, rows: Tensor) -> list[Tensor]:
        return list(self._gather(rows))

    def canvases(self, rows: Tensor, size: int, fit: Fit, interpolation: Interpolation) -> Tensor:
        found = self._gather(rows)
        return found if found.shape[-1] == size else resize(found, (size, size), fit, interpolation)

    def _gather(self, rows: Tensor) -> Tensor:
        side = self.parts[0].shape[-1]
        found = torch.empty((len(rows), 3, side, side), dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
        owner = torch.bucketize(rows, self._starts[1:], right=True)
        for part in owner.unique().tolist():
            here = owner == part
            found[here] = self.parts[part][rows[here] - self._starts[part]]
        return found


def _joined(parts: Sequence[Mapping[str, Tensor]], key: str) -> Tensor | None:
    return torch.cat([part[key] for part in parts]) if key in parts[0] else None


def _normalised(weights: Tensor, count: int) -> Tensor:
    weights = weights.to(torch.float64)
    if weights.shape != (count,) or not bool(torch.isfinite(weights).all()) or bool((weights < 0).any()):
        raise RequestError(f"Weights must be {count} finite numbers that are not negative.")
    if float(weights.sum()) == 0:
        raise RequestError("All weights are zero.")
    mean = float(weights.mean())
    # Weights that were normalised and rounded before stay as they are: a stored set reads back to the bit.
    return (weights if abs(mean - 1) < torch.finfo(torch.float32).eps else weights / mean).to(torch.float32)


def _tensor_digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
