"""The compressed set: rows of the training set, or canvases of its own, behind the face of :class:`Images`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rethinkdc.compressed.canvases import Canvases, grid_boxes
from rethinkdc.compressed.card import Card
from rethinkdc.compressed.parts import Part, agreed_rate, check_parts, join
from rethinkdc.errors import RequestError
from rethinkdc.storage import digest
from rethinkdc.types import Fit, Images, Interpolation, ViewRule

SYNTHETIC = -1
"""Source row of a cell that shows no training image."""


@dataclass(frozen=True, eq=False, repr=False)
class CompressedSet:
    """M images with what training needs beside them. Make one with :meth:`of_rows` or :meth:`of_canvases`.

    A set never changes: what changes something (:meth:`with_card`, :meth:`with_classes`, ``dataclasses.replace``) gives
    another set that shares the pixels. Its tensors are not to be written to.

    Attributes:
        backing: where the pixels lie.
        targets: int64 [M].
        class_names: names of all classes.
        sources: int64 [M, cells], training row shown in each cell; -1 = synthetic.
        cell_boxes: int32 [cells, 4], (y, x, h, w) of the cells on the canvas; one cell for whole images.
        size: side of the canvases in pixels; None for rows, which take the size that is asked for.
        rows: int64 [M], the rows of the training set that the set is; None = it has images of its own.
        source_boxes: int32 [M, cells, 4], the part of its source that each cell shows; None = not known.
        weights: float32 [M] with mean 1, or None.
        soft_targets: float16 [M, C] learned labels as logits: the target is their softmax; or None.
        student_lr: the learning rate that was learned for the student together with the images; or None. A protocol
            whose rate is fixed trains with its own.
        view_rule: how the set wants to be viewed.
        card: where it comes from.
        numbered: whether its classes are bare indices that nobody named; their names are these numbers.
    """

    backing: Images | Canvases
    targets: Tensor
    class_names: tuple[str, ...]
    sources: Tensor
    cell_boxes: Tensor
    size: int | None
    rows: Tensor | None = None
    source_boxes: Tensor | None = None
    weights: Tensor | None = None
    soft_targets: Tensor | None = None
    student_lr: float | None = None
    view_rule: ViewRule = field(default_factory=ViewRule)
    card: Card = field(default_factory=Card)
    numbered: bool = False

    def __post_init__(self) -> None:
        """Brings every value to its type.

        Raises:
            RequestError: weights, learned labels or a rate that cannot be those of this set.
        """
        values: dict[str, Any] = {"targets": self.targets.to(torch.int64), "sources": self.sources.to(torch.int64)}
        if self.weights is not None:
            values["weights"] = _normalise(self.weights, len(self))
        if self.soft_targets is not None:
            wanted = (len(self), len(self.class_names))
            if self.soft_targets.shape != wanted:
                raise RequestError(
                    f"soft_targets must be [M, C] = {list(wanted)}; found {list(self.soft_targets.shape)}."
                )
            values["soft_targets"] = self.soft_targets.to(torch.float16)
        if self.student_lr is not None and not (math.isfinite(self.student_lr) and self.student_lr > 0):
            raise RequestError(f"student_lr must be a positive finite number; found {self.student_lr}.")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of_rows(
        cls,
        data: Images,
        rows: Tensor,
        weights: Tensor | None = None,
        *,
        soft_targets: Tensor | None = None,
        student_lr: float | None = None,
        view_rule: ViewRule | None = None,
        card: Card | None = None,
    ) -> CompressedSet:
        """Makes a subset: it holds row numbers of ``data`` only, and pixels are read when asked for.

        Args:
            data: the training set.
            rows: int64 [M], in any order, without repeats.
            weights: float [M], positive; normalised to mean 1.
            soft_targets: float [M, C], learned labels as logits.
            student_lr: a learned student rate.
            view_rule: None = views of the whole canvas.
            card: where the set comes from.

        Raises:
            RequestError: a row is out of range or chosen twice.
        """
        rows = rows.to(torch.int64, copy=True)
        if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= len(data)):
            raise RequestError(f"A selected row lies outside 0..{len(data) - 1}.")
        if len(torch.unique(rows)) != len(rows):
            raise RequestError("A training row was selected twice.")
        return cls(
            data,
            data.targets[rows],
            data.class_names,
            sources=rows[:, None],
            cell_boxes=grid_boxes(1, 1),
            size=None,
            rows=rows,
            weights=weights,
            soft_targets=soft_targets,
            student_lr=student_lr,
            view_rule=view_rule or ViewRule(),
            card=card or Card(),
        )

    @classmethod
    def of_canvases(
        cls,
        parts: Sequence[Part],
        class_names: tuple[str, ...],
        *,
        cell_boxes: Tensor | None = None,
        student_lr: float | None = None,
        view_rule: ViewRule | None = None,
        card: Card | None = None,
        numbered: bool = False,
    ) -> CompressedSet:
        """Makes a set with pixels of its own.

        Args:
            parts: mappings with ``canvases`` uint8 [m, 3, S, S] and ``targets`` int64 [m]; optional ``sources`` int64
                [m, cells], ``source_boxes`` int32 [m, cells, 4], ``weights`` float32 [m], ``soft_targets`` [m, C], and
                ``student_lr``, a tensor of one number that is the same in each. The canvases may be memory-mapped; they
                are never joined into one tensor, and not copied.
            class_names: names of all classes.
            cell_boxes: int32 [cells, 4]; None = one cell, the whole canvas.
            student_lr: a learned student rate, where the parts do not state it.
            view_rule: None = views of the whole canvas.
            card: where the set comes from.
            numbered: whether the classes are bare indices that nobody named.

        Raises:
            RequestError: the parts do not fit together: says which, and what was found.
        """
        check_parts(parts)
        canvases = Canvases([part["canvases"] for part in parts])
        boxes = grid_boxes(canvases.size, 1) if cell_boxes is None else cell_boxes
        sources = join(parts, "sources")
        return cls(
            canvases,
            torch.cat([part["targets"] for part in parts]),
            class_names,
            sources=torch.full((len(canvases), len(boxes)), SYNTHETIC) if sources is None else sources,
            cell_boxes=boxes,
            size=canvases.size,
            source_boxes=join(parts, "source_boxes"),
            weights=join(parts, "weights"),
            soft_targets=join(parts, "soft_targets"),
            student_lr=agreed_rate(parts, student_lr),
            numbered=numbered,
            view_rule=view_rule or ViewRule(),
            card=card or Card(),
        )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def parts(self) -> list[Tensor]:
        """The stored canvases, uint8 [m, 3, S, S] each; empty where the pixels are those of other images."""
        return self.backing.parts if isinstance(self.backing, Canvases) else []

    @property
    def cells(self) -> int:
        """Cells per canvas."""
        return self.sources.shape[1]

    @property
    def seen_in_cells(self) -> bool:
        """Whether each view shows one of several cells."""
        return self.view_rule.scope == "cell" and self.cells > 1

    @cached_property
    def fingerprint(self) -> str:
        """Content hash: rows of a fingerprinted dataset, or the pixels; with all else that a student may learn from."""
        about: dict[str, Any] = {
            "images": self.backing.fingerprint,
            "rows": None if self.rows is None else _digest(self.rows),
            "targets": _digest(self.targets),
            "weights": None if self.weights is None else _digest(self.weights),
            "soft": None if self.soft_targets is None else _digest(self.soft_targets),
            "cells": _digest(self.cell_boxes) if self.cells > 1 else None,
            "view_rule": self.view_rule.model_dump(mode="json"),
            "classes": self.class_names,
        }
        # Named only where there is one: sets without keep the fingerprint that records know them by.
        return digest(about if self.student_lr is None else {**about, "student_lr": self.student_lr})

    def with_card(self, card: Card) -> CompressedSet:
        """The same set with another card."""
        return replace(self, card=card)

    def with_classes(self, class_names: tuple[str, ...], places: Tensor) -> CompressedSet:
        """The same images under other classes; learned labels follow.

        Args:
            class_names: names of all classes of the new set.
            places: int64 [C], the place of each of this set's classes in ``class_names``.

        Raises:
            RequestError: the set's learned labels are of another number of classes.
        """
        soft = None if self.soft_targets is None else self.soft_targets[:, torch.argsort(places)]
        return replace(self, targets=places[self.targets], class_names=class_names, soft_targets=soft, numbered=False)

    def native(self, rows: Tensor) -> list[Tensor]:
        return self.backing.native(rows if self.rows is None else self.rows[rows])

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        return self.backing.canvases(rows if self.rows is None else self.rows[rows], size, fit, interpolation)

    def histogram(self) -> list[int]:
        """Counts the canvases of each class."""
        return torch.bincount(self.targets, minlength=len(self.class_names)).tolist()

    def sources_per_class(self) -> list[int]:
        """Counts the distinct training rows shown in each class."""
        owner = self.targets[:, None].expand_as(self.sources)[self.sources >= 0]
        shown = torch.unique(torch.stack([owner, self.sources[self.sources >= 0]]), dim=1)
        return torch.bincount(shown[0], minlength=len(self.class_names)).tolist()


def _normalise(weights: Tensor, count: int) -> Tensor:
    weights = weights.to(torch.float64)
    if weights.shape != (count,) or not bool(torch.isfinite(weights).all()) or bool((weights < 0).any()):
        raise RequestError(f"Weights must be {count} finite numbers that are not negative.")
    if float(weights.sum()) == 0:
        raise RequestError("All weights are zero.")
    mean = float(weights.mean())
    # Weights that were normalised and rounded before stay as they are: a stored set reads back to the bit.
    return (weights if abs(mean - 1) < torch.finfo(torch.float32).eps else weights / mean).to(torch.float32)


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
