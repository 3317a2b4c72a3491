"""One teacher or several, asked as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.ranks.collectives import whole_norms
from rethinkdc.training.teacher import Teacher

Averaging = Literal["mean", "normed"]


class Ensemble:
    """Averages the logits of its teachers.

    ``mean``: as they are. ``normed``: each teacher's [B, C] matrix is divided by its Frobenius norm and multiplied by
    the mean norm first, so that none outweighs the others (G-VBSM, arXiv 2311.17950, for ImageNet-1K); the labels of a
    batch then depend on all of it.

    Args:
        teachers: at least one.
        averaging: how.

    Raises:
        RequestError: there is no teacher.
    """

    def __init__(self, teachers: Sequence[Teacher], averaging: Averaging = "mean") -> None:
        if not teachers:
            raise RequestError("Soft labels need at least one teacher: give teachers=[...], or leave it out.")
        self.teachers = tuple(teachers)
        self.averaging = averaging

    @property
    def bytes(self) -> int:
        """What a receiver who needs all teachers would have to store."""
        return sum(teacher.bytes for teacher in self.teachers)

    @property
    def digests(self) -> list[str]:
        """Of the teachers, in order."""
        return [teacher.digest for teacher in self.teachers]

    def logits(self, pixels: Tensor) -> Tensor:
        """Float32 [B, C] of uint8 [B, 3, h, w], or of floats in 0..1."""
        answers = [teacher.logits(pixels) for teacher in self.teachers]
        if len(answers) == 1:
            return answers[0]
        stacked = torch.stack(answers)
        if self.averaging == "normed":
            norms = whole_norms(stacked.flatten(1).norm(dim=1))
            stacked = stacked * (norms.mean() / norms)[:, None, None]
        return stacked.mean(dim=0)
