"""One label for a canvas of which a student sees single cells: the mean of what teachers say of the cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.protocol.student import StudentTraining
from rethinkdc.types import Interpolation
from rethinkdc.views import VIEWS_REVISION, render_crops

CELL_LABEL_SEMANTICS = 1
"""Raised whenever the static label of canvases that are seen in cells would be another."""


@dataclass(frozen=True)
class OverCells:
    """Teachers that are asked about the cells of canvases, each enlarged as a student sees it.

    Attributes:
        ensemble: the teachers.
        cell_boxes: integer [n, 4], (y, x, height, width) of the cells on the canvas.
        temperature: T of the labels.
        interpolation: filter of the student's views.
    """

    ensemble: Ensemble
    cell_boxes: Tensor
    temperature: float
    interpolation: Interpolation

    @classmethod
    def of(cls, training: StudentTraining, ensemble: Ensemble, temperature: float) -> OverCells:
        """What the student of ``training`` will see of its set, but for what is drawn at random."""
        return cls(ensemble, training.compressed.cell_boxes, temperature, training.views.interpolation)

    def definition(self) -> list[Any]:
        """What labels of cells depend on beside the set and the teachers, as JSON data."""
        return [CELL_LABEL_SEMANTICS, VIEWS_REVISION, self.temperature, self.interpolation]

    def logits(self, canvases: Tensor) -> Tensor:
        """Logits whose softmax at T is the mean over the cells: float32 [B, C] of uint8 [B, 3, S, S].

        With z_c the teachers' logits of cell c of n, p = 1/n sum_c softmax(z_c / T), and T log p is returned. Of all
        labels that do not know which cell is seen, p has the least mean divergence from those that do; the softmax of
        mean logits has not.
        """
        said = torch.stack([self.ensemble.logits(self._views(canvases, box)) for box in self.cell_boxes])
        shares = torch.log_softmax(said.double() / self.temperature, dim=2)
        return (self.temperature * (shares.logsumexp(dim=0) - math.log(len(said)))).float()

    def _views(self, canvases: Tensor, box: Tensor) -> Tensor:
        boxes = box.expand(len(canvases), 4)
        return render_crops(canvases.unbind(), boxes, canvases.shape[-1], self.interpolation)
