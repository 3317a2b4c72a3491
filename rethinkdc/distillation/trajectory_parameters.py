"""The parameters of compressors that match trajectories, and where their values come from (MTT, FTD, DATM)."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from rethinkdc.contracts.kinds import Compressor, Deviation, Setting
from rethinkdc.contracts.presets import FALLBACK, Preset, nearest_dataset, nearest_ipc, resolve
from rethinkdc.distillation.unrolling import Through
from rethinkdc.errors import RequestError
from rethinkdc.method import OfKind
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.types import Budget
from rethinkdc.views import STRATEGIES, Strategy

ALL: Final = "all"
"""A batch of a student that is the whole set."""
ZCA = "zca"
"""Not a parameter that is open: what the authors did is shown, and not done unasked, as protocols test pixels."""


def trajectory_values(
    steps: int,
    epochs: int,
    last: int,
    lr: float,
    rate_lr: float,
    *,
    rate: float = 0.01,
    batch: int | Literal["all"] = ALL,
    depth: int = 3,
    zca: bool | None = None,
) -> dict[str, Any]:
    """What all papers of this family give for a dataset and number of images per class, by the names of parameters.

    Args:
        steps: of a student.
        epochs: of an expert that they stand for.
        last: a student begins at an expert's epoch below this.
        lr: of the images.
        rate_lr: of the student's rate.
        rate: where the student's rate begins.
        batch: images of each step.
        depth: of the ConvNet.
        zca: whether the authors whitened; None = they do not tell.
    """
    given = {"steps": steps, "expert_epochs": epochs, "last_start": last, "lr": lr, "rate_lr": rate_lr, "rate": rate}
    network = Reference(name="convnet", values={} if depth == 3 else {"depth": depth})
    return {**given, "batch": batch, "network": network, **({} if zca is None else {ZCA: zca})}


class TrajectoryParameters(Compressor, ABC):
    """What compressors that match trajectories are told; :class:`TrajectoryMatching` carries it out.

    ``presets`` holds what a paper gives for each dataset and number of images per class; parameters that are none are
    taken from there.
    """

    family: ClassVar[str] = "distillation"
    presets: ClassVar[Mapping[str, Mapping[int, Preset]]]

    iterations: int = Field(default=5000, ge=1, description="Times that the images are moved.")
    steps: int | None = Field(default=None, ge=1, description="Steps of a student; none = the paper's.")
    expert_epochs: int | None = Field(
        default=None, ge=1, description="Epochs of an expert that these steps stand for; none = the paper's."
    )
    last_start: int | None = Field(
        default=None, ge=1, description="A student begins at an expert's epoch below this; none = the paper's."
    )
    batch: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(
        default=None, description="Images of each step, or all; none = the paper's."
    )
    lr: float | None = Field(default=None, gt=0, description="Rate of the images; none = the paper's.")
    rate: float | None = Field(
        default=None, gt=0, description="Rate of the student, where its learning begins; none = the paper's."
    )
    rate_lr: float | None = Field(default=None, ge=0, description="Rate of the student's rate; none = the paper's.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of the SGD of images and rate.")
    experts: int = Field(default=100, ge=1, description="Networks whose trajectories are kept.")
    epochs: int = Field(default=50, ge=1, description="Epochs of each expert.")
    expert_lr: float = Field(default=0.01, gt=0, description="Rate of the experts' SGD.")
    expert_batch: int = Field(default=256, ge=1, description="Images in a batch of theirs.")
    strategies: tuple[Strategy, ...] = Field(
        default=STRATEGIES, description="DSA's augmentations of experts and students; [] = none."
    )
    through: Through = Field(
        default="all", description="Gradient through all steps of a student, or through each alone, as TESLA."
    )
    zca: bool = Field(
        default=False, description="Experts and students see ZCA-whitened images; the set is stored as pixels again."
    )
    network: Annotated[Reference | None, OfKind("model")] = Field(
        default=None, description="Architecture of experts and students; none = the paper's."
    )

    def rows_per_canvas(self) -> int:
        return 0

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        if ipc is None:
            return super().settings(protocol, ipc)
        return self.resolved(protocol.store.size, protocol.data.classes, ipc)

    def resolved(self, size: int, classes: int, ipc: int) -> dict[str, Setting]:
        """Every parameter's value for canvases of one size, classes and images of each, and where it comes from."""
        name, _ = nearest_dataset(size, classes)
        return resolve(self, {name: self._preset(size, classes, ipc) or Preset({}, "")}, size, classes)

    def _preset(self, size: int, classes: int, ipc: int) -> Preset | None:
        """What the paper gives for such canvases and the nearest number of images; None = nothing."""
        name, _ = nearest_dataset(size, classes)
        table = self.presets.get(name, self.presets.get(FALLBACK.get(name, ""), {}))
        if not table:
            return None
        nearest = nearest_ipc(table, ipc)
        values, source = table[nearest]
        return Preset(values, f"{source}, ipc {nearest}" + (f"; the nearest to {ipc}" if nearest != ipc else ""))

    def published(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        settings = super().published(protocol, ipc)
        if ipc is None:
            return settings
        found = self._preset(protocol.store.size, protocol.data.classes, ipc)
        if found is None or ZCA not in found.values:
            return {**settings, ZCA: Setting(None, "whether the authors whitened such images is not told")}
        return {**settings, ZCA: Setting(found.values[ZCA], found.source)}

    def deviations(self, protocol: Protocol, ipc: int | None) -> dict[str, Deviation]:
        chosen = Deviation("best on the test images", "the last", "nothing is chosen on test images")
        clipped = Deviation("as floats", "rounded and clipped as pixels", "views are pixels, but of whitened images")
        views = {} if self.zca or not self.strategies else {"views of experts": clipped}
        return {**super().deviations(protocol, ipc), "iterate": chosen, **views}

    def starts(self, values: Mapping[str, Any], iteration: int) -> range:  # noqa: ARG002 - a curriculum heeds it
        """The epochs of an expert that a student may begin at in a 0-based iteration."""
        return range(values["last_start"])

    def _require_values(self, values: Mapping[str, Any], budget: Budget) -> None:
        """Refuses before anything is trained what the paper has no value for, and epochs that experts do not have."""
        named = {key for table in self.presets.values() for preset in table.values() for key in preset.values}
        if missing := sorted(key for key in named if values[key] is None):
            raise RequestError(
                f"{self.name}'s paper has no values for {budget.classes} classes at {budget.size} px. Give "
                f"{', '.join(missing)}, as in {self.name}:steps=20; its values for {', '.join(self.presets)} are shown "
                f"by `rethinkdc show {self.name} --dataset NAME`."
            )
        first, last = self.starts(values, 0), self.starts(values, self.iterations)
        if not first or not last:
            raise RequestError(
                f"{self.name} has no epoch to begin at: they go from {(last if first else first).start} up to, and "
                f"without, {(last if first else first).stop}. Lower first_start, or raise last_start and first_last."
            )
        needed = max(*first, *last) + values["expert_epochs"]
        if needed > self.epochs:
            raise RequestError(
                f"{self.name} ends students at an expert's epoch {needed} (last_start={values['last_start']}, "
                f"expert_epochs={values['expert_epochs']}), and experts have {self.epochs}. Give {self.name}:epochs="
                f"{needed} or more, or a smaller last_start."
            )
