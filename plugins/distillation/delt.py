"""DELT: diversity-driven early-late training (Shen et al., CVPR 2025, arXiv 2411.19946).

Specified after the authors' code, VILA-Lab/DELT at f2f81ca; values from its resnet18_imagenet1k_synthesis.sh, the only
dataset that it has a script for. Initial images are those of middling probability under the teacher, as in its
data_selection.py. The rate is *not* reset in each round, whatever the option is called: a second call of the schedule
overrides the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Method, UnsupportedError, hookimpl
from rethinkdc.data import rows_by_class
from rethinkdc.distillation import (
    Batch,
    Beginning,
    Inverting,
    Preset,
    Synthesis,
    curriculum,
    from_the_middle,
    true_class_probabilities,
)

_SCRIPT = {
    "iterations": 4000,
    "lr": 0.25,
    "bn_weight": 0.01,
    "batch": 100,
    "crop": True,
    "flip": True,
    "roll": (0, 0),
}


class DELT(Inverting):
    """SRe2L from real images of which a class's first are optimised from the start, and the others later and shorter.

    The iterations are cut into rounds, and each class's images are dealt out to the rounds in which they join. Crops
    shrink as in CDA.
    """

    name: ClassVar[str] = "delt"
    paper: ClassVar[str] = "arXiv 2411.19946"

    rounds: int = Field(default=8, ge=1, description="Rounds in which images join; the paper: 4000 / 500. 1 = at once.")
    init: Literal["medium", "easy", "hard"] = Field(
        default="medium", description="Real images that it begins with, by the teacher's probability of their class."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(_SCRIPT, "DELT's resnet18_imagenet1k_synthesis.sh"),
        "tiny-imagenet": Preset(_SCRIPT, "untuned: DELT's resnet18_imagenet1k_synthesis.sh"),
        "cifar100": Preset(_SCRIPT, "untuned: DELT's resnet18_imagenet1k_synthesis.sh"),
    }

    def batches(self, budget: Budget, size: int | None) -> list[Batch]:
        labels = torch.arange(budget.classes).repeat_interleave(budget.ipc)
        copies = torch.arange(budget.ipc).repeat(budget.classes)
        length = size or len(labels)
        return [Batch(*part) for part in zip(labels.split(length), copies.split(length), strict=True)]

    def planned(self, synthesis: Synthesis, batch: Batch) -> Mapping[str, Any]:
        # Rounds in which none of the batch's images takes part yet are left out.
        rounds = self.rounds - int(joining_rounds(batch.copies, synthesis.budget.ipc, self.rounds).min())
        return {**synthesis.values, "iterations": synthesis.values["iterations"] * rounds // self.rounds}

    def smallest_area(self, iteration: int, iterations: int) -> float:
        return curriculum(iteration, iterations, "cosine", self.min_area)

    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        begun, rows, teacher = super().prepared(synthesis), self._rows(synthesis), synthesis.teachers[0]

        def early_or_late(batch: Batch, index: int, labels: Tensor) -> Beginning:
            joins = joining_rounds(batch.copies, synthesis.budget.ipc, self.rounds)
            first, length = int(joins.min()), self.planned(synthesis, batch)["iterations"]

            def shown(iteration: int) -> Tensor:
                taking_part: Tensor = joins <= first + iteration * (self.rounds - first) // length
                return taking_part.nonzero().flatten()

            real = teacher.test.render(synthesis.data, rows[batch.labels, batch.copies])
            return begun(batch, index, labels)._replace(images=teacher.normalised(real), shown=shown)

        return early_or_late

    def _rows(self, synthesis: Synthesis) -> Tensor:
        """The training images that the canvases of each class begin as: int64 [C, ipc].

        Raises:
            UnsupportedError: a class has too few; names it.
        """
        probabilities = true_class_probabilities(synthesis.context, synthesis.teachers[0], synthesis.data)
        found = []
        for label, rows in enumerate(rows_by_class(synthesis.data.targets, synthesis.budget.classes)):
            ascending = rows[probabilities[rows].argsort(stable=True)]
            places = self._places(len(rows), synthesis.budget.ipc)
            if max(places) >= len(rows) or min(places) < 0:
                raise UnsupportedError(
                    f"{self.name} begins from {synthesis.budget.ipc} real images of every class, {self.init} ones, but "
                    f"class {synthesis.data.class_names[label]!r} has {len(rows)}. Use a smaller --ipc."
                )
            found.append(ascending[places])
        return torch.stack(found)

    def _places(self, count: int, ipc: int) -> list[int]:
        """Places in the ascending order of probabilities."""
        if self.init == "medium":
            return from_the_middle(count, ipc)
        return list(range(ipc)) if self.init == "hard" else list(range(count - 1, count - 1 - ipc, -1))


def joining_rounds(copies: Tensor, ipc: int, rounds: int) -> Tensor:
    """The 0-based round in which each image joins; the first rounds have one more where they do not come out even.

    Args:
        copies: int64 [B], which of its class each image is.
        ipc: images of a class.
        rounds: of the whole optimisation.
    """
    joined = [ipc // rounds + (index < ipc % rounds) for index in range(rounds)]
    return torch.searchsorted(torch.tensor(list(accumulate(joined))), copies, right=True)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``delt``."""
    return [DELT]
