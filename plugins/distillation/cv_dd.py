"""CV-DD: dataset distillation by committee voting (Cui et al., arXiv 2501.07575).

Specified after the authors' code, Jiacheng8/CV-DD at 24097e9; values from its recover_voter_ipc10.sh files. Each image
per class has its own small committee, whose losses are added up with the weights of a softmax of the members' priors:
what students of sets of each alone reach, which the authors measured. Its labels are those of teachers in training mode
(``soft-stored:teacher_bn=batch``), weighted by such priors there and equally here. The authors' initial patches come as
files, in RDED's layout; how they were graded is not published, so ``rded``'s own are taken here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Context, Method, Reference, RequestError, hookimpl
from rethinkdc.distillation import (
    Batch,
    Beginning,
    Committee,
    Preset,
    Synthesis,
    batchnorm_turn,
    renormalisation,
    running_statistics,
)

SMALL = {
    "iterations": 4000,
    "lr": 0.25,
    "bn_weight": 0.01,
    "batch": 100,
    "crop": True,
    "flip": True,
    "roll": (0, 4),
}
POOL = ("resnet18", "resnet50", "shufflenet_v2_x1_0", "mobilenet_v2", "densenet121")


class CVDD(Committee):
    """Real crops that some of the teachers see their classes in at once, a committee of its own for each image."""

    name: ClassVar[str] = "cv-dd"
    paper: ClassVar[str] = "arXiv 2501.07575"

    members: int = Field(default=2, ge=1, description="Teachers in each committee.")
    priors: tuple[float, ...] | None = Field(
        default=None, description="Worth of each teacher, in percent; none = the paper's, of other teachers all alike."
    )
    prior_temperature: float = Field(default=5.0, gt=0, description="Of the softmax of the members' priors.")

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(
            {
                **SMALL,
                "roll": (0, 32),
                "teachers": tuple(Reference(name=f"torchvision/{name}") for name in POOL),
                "priors": (56.4, 42.3, 52.5, 44.2, 40.6),
            },
            "CV-DD's recover_voter_ipc10.sh for ImageNet-1K",
        ),
        "tiny-imagenet": Preset(SMALL, "CV-DD's recover_voter_ipc10.sh for Tiny ImageNet"),
        "cifar100": Preset(SMALL, "CV-DD's recover_voter_ipc10.sh for CIFAR-100"),
        "cifar10": Preset({**SMALL, "batch": 10}, "CV-DD's recover_voter_ipc10.sh for CIFAR-10"),
    }

    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        initial, teachers = self.initial(synthesis), synthesis.teachers
        priors = self._priors(synthesis)
        chosen = committees(len(teachers), self.members, synthesis.budget.ipc, synthesis.context)

        def voted(batch: Batch, _: int, __: Tensor) -> Beginning:
            own = chosen[int(batch.copies[0])]
            turns = [
                batchnorm_turn(teachers[one].module, running_statistics(teachers[one].module))._replace(
                    shown=renormalisation(teachers[0], teachers[one])
                )
                for one in own
            ]
            return Beginning(initial(batch), turns, shares=votes([priors[one] for one in own], self.prior_temperature))

        return voted

    def _priors(self, synthesis: Synthesis) -> Sequence[float]:
        """One number for each teacher.

        Raises:
            RequestError: there are more or fewer than teachers, or larger committees than teachers.
        """
        count = len(synthesis.teachers)
        if self.members > count:
            raise RequestError(f"{self.name}:members={self.members} are more than there are teachers ({count}).")
        # The authors' are those of their teachers alone.
        priors = self.priors or (synthesis.values["priors"] if self._uses_papers() else None) or (1.0,) * count
        if len(priors) != count:
            raise RequestError(f"{self.name}:priors has {len(priors)} numbers for {count} teachers: give one of each.")
        return priors

    def _uses_papers(self) -> bool:
        """Whether the teachers are those of the paper."""
        preset = self.presets["imagenet-1k"].values["teachers"]
        return tuple(str(one) for one in self.teachers or preset) == tuple(str(one) for one in preset)


def committees(teachers: int, members: int, ipc: int, context: Context) -> list[tuple[int, ...]]:
    """The committee of each image per class: each possible one once where there are just as many, else drawn."""
    possible = list(combinations(range(teachers), members))
    if len(possible) == ipc:
        return possible
    drawn = torch.randint(len(possible), (ipc,), generator=context.generator("set", "committees"))
    return [possible[index] for index in drawn.tolist()]


def votes(priors: Sequence[float], temperature: float) -> list[float]:
    """Softmax of priors over a temperature."""
    largest = max(priors)
    powers = [math.exp((prior - largest) / temperature) for prior in priors]
    return [power / sum(powers) for power in powers]


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``cv-dd``."""
    return [CVDD]
