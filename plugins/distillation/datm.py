"""DATM: difficulty-aligned trajectory matching (Guo et al., ICLR 2024, arXiv 2310.05773).

Specified after the authors' code, NUS-HPC-AI-Lab/DATM at 97ae510: DATM.py, its configs, and its readme for the experts
(100 epochs, GSAM with rho .01 and alpha .3). Labels are learned too: use ``soft-static:source=learned,temperature=1``.
Deviations are those of ``mtt``; where no expert sees the class of enough images, that is an error and no endless loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, Optimizer, UnsupportedError, hookimpl
from rethinkdc.distillation import Matching, Preset, TrajectoryMatching, trajectory_values

_SHOWN = 256
"""Images that an expert is shown at a time."""


def _preset(
    name: str,
    starts: tuple[int, int, int, int | None],
    lr: float,
    labels_lr: float,
    *,
    steps: int = 80,
    epochs: int = 2,
    batch: int | Literal["all"] = "all",
    rate_lr: float = 1e-5,
    depth: int = 3,
    threshold: float = 1.0,
    init: str = "correct",
) -> Preset:
    first, begin, last, widened = starts
    values = {
        **trajectory_values(steps, epochs, last, lr, rate_lr, batch=batch, depth=depth, zca=True),
        "first_start": first,
        "first_last": begin,
        "widened": 0 if widened is None else widened,
        "labels_lr": labels_lr,
        "threshold": threshold,
        "init": init,
    }
    return Preset(values, f"configs/{name}.yaml of NUS-HPC-AI-Lab/DATM at 97ae510")


class DATM(TrajectoryMatching):
    """Matches ever later epochs of experts, and learns soft labels; begins with images that experts get right."""

    name: ClassVar[str] = "datm"
    paper: ClassVar[str] = "arXiv 2310.05773"

    iterations: int = Field(default=10_000, ge=1, description="Times that the images are moved.")
    epochs: int = Field(default=100, ge=1, description="Epochs of each expert.")
    rho: float = Field(default=0.01, ge=0, description="Radius of the experts' ascent; 0 = plain SGD.")
    alpha: float = Field(default=0.3, ge=0, description="Weight of the experts' surrogate gap.")
    first_start: int | None = Field(
        default=None, ge=0, description="A student begins at this epoch of an expert or later; none = the paper's."
    )
    first_last: int | None = Field(
        default=None, ge=1, description="What last_start is at the beginning; none = the paper's."
    )
    widened: int | None = Field(
        default=None, ge=0, description="Iterations until it is last_start; 0 = at once, none = the paper's."
    )
    labels_lr: float | None = Field(default=None, ge=0, description="Rate of the labels' logits; none = the paper's.")
    labels_momentum: float = Field(default=0.9, ge=0, lt=1, description="Of the labels' SGD.")
    threshold: float | None = Field(
        default=None, gt=0, description="Nothing moves where a student ends further away; none = the paper's."
    )
    init: Literal["correct", "real"] | None = Field(
        default=None, description="Images that experts get right, or any real ones; none = the paper's."
    )

    presets: ClassVar[Mapping[str, Mapping[int, Preset]]] = {
        "cifar10": {
            1: _preset("CIFAR-10/ConvIN/IPC1", (0, 4, 4, None), 100, 5, rate_lr=1e-7, threshold=1.1),
            10: _preset("CIFAR-10/ConvIN/IPC10", (0, 10, 20, 1000), 100, 2),
            50: _preset("CIFAR-10/ConvIN/IPC50", (0, 20, 40, 2000), 1000, 2),
            500: _preset("CIFAR-10/ConvIN/IPC500", (40, 60, 60, None), 50, 10, steps=40, batch=1000),
            1000: _preset("CIFAR-10/ConvIN/IPC1000", (40, 60, 60, None), 50, 10, steps=100, batch=1000),
        },
        "cifar100": {
            1: _preset("CIFAR-100/ConvIN/IPC1", (0, 10, 20, 1000), 1000, 10, steps=40, epochs=3),
            10: _preset("CIFAR-100/ConvIN/IPC10", (0, 30, 50, 2000), 1000, 10),
            50: _preset("CIFAR-100/ConvIN/IPC50", (20, 70, 70, None), 1000, 10, batch=1000, init="real"),
            100: _preset("CIFAR-100/ConvIN/IPC100", (30, 70, 70, None), 50, 10, batch=1000),
        },
        "tiny-imagenet": {
            1: _preset("TinyImageNet/ConvIN/IPC1", (0, 15, 20, 2000), 10_000, 10, steps=40, rate_lr=1e-4, depth=4),
            10: _preset(
                "TinyImageNet/ConvIN/IPC10", (10, 50, 50, None), 100, 10, steps=40, batch=500, rate_lr=1e-4, depth=4
            ),
            50: _preset(
                "TinyImageNet/ConvIN/IPC50", (40, 70, 70, None), 100, 10, steps=20, batch=1000, rate_lr=1e-4, depth=4
            ),
        },
    }

    def expert_optimizer(self, values: Mapping[str, Any]) -> Optimizer:
        plain = super().expert_optimizer(values)
        return plain.model_copy(update={"rho": self.rho, "alpha": self.alpha}) if self.rho else plain

    def starts(self, values: Mapping[str, Any], iteration: int) -> range:
        begin, last, widened = values["first_last"], values["last_start"], values["widened"]
        now = last if not widened else min(begin + int((last - begin) * iteration / widened), last)
        return range(values["first_start"], now)

    def begin(self, matching: Matching) -> dict[str, Tensor]:
        if matching.values["init"] == "real":
            images = matching.real_start()
            return {"images": images, "labels": _asked(matching, 0, images)}
        images = torch.cat([self._right(matching, label) for label in range(matching.budget.classes)])
        return {"images": images, "labels": self._labels(matching, images)}

    def _right(self, matching: Matching, label: int) -> Tensor:
        """Random images of a class that an expert gets right, the first expert asked first."""
        wanted, context = matching.budget.ipc, matching.context
        known = int((matching.data.targets == label).sum())
        images, chosen = matching.real.batch(label, known, context.generator("set", "init", label)), list[int]()
        for expert in range(len(matching.experts)):
            for first in range(0, known, _SHOWN):
                right = _asked(matching, expert, images[first : first + _SHOWN]).argmax(dim=1) == label
                places = (first + right.nonzero().flatten().cpu()).tolist()
                chosen = [*chosen, *(place for place in places if place not in chosen)][:wanted]
                if len(chosen) == wanted:
                    return images[torch.tensor(chosen, device=images.device)]
        name = matching.data.class_names[label]
        raise UnsupportedError(
            f"{self.name} begins with {wanted} images of every class that an expert gets right, and the "
            f"{len(matching.experts)} experts get {len(chosen)} of {known} of class {name!r} right. Use init=real, "
            "more epochs or experts, or a smaller --ipc."
        )

    def _labels(self, matching: Matching, images: Tensor) -> Tensor:
        """The mean logits of those experts that get an image right: float32 [M, C]."""
        total = torch.zeros((len(images), matching.budget.classes), device=images.device)
        count = torch.zeros((len(images), 1), device=images.device)
        for expert in range(len(matching.experts)):
            said = _asked(matching, expert, images)
            right = (said.argmax(dim=1) == matching.targets)[:, None]
            total += said * right
            count += right
        return total / count


def _asked(matching: Matching, expert: int, images: Tensor) -> Tensor:
    """What an expert says at the end of its training: logits float32 [B, C]."""
    matching.context.count_images(len(images))
    network = matching.experts[expert].network().to(images.device).eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in images.split(_SHOWN)])


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``datm``."""
    return [DATM]
