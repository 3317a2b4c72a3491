"""Protocols that follow from the data alone, by stated rules: what a dataset without one runs under."""

from __future__ import annotations

import math
from statistics import median
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict

from rethinkdc.data.splits import Schema, Splits
from rethinkdc.protocol.protocol import Protocol, validated

RULES_VERSION = 2
"""Raised whenever the same data would have another protocol; it is the protocols' version."""
DERIVED = {"auto-hard": "hard", "auto-soft": "soft"}
"""The names of derived protocols, with their tracks."""

_SAMPLE = 100
_LARGEST = 64
_WHOLE = 224
_MANY = 100_000
_MOST_GROWTH = 1.5
"""Of the steps at ``_LARGEST`` px: 900 at ipc 10 are 58,000 views, some 200 seconds of a core."""
_CHARACTERS = 32
_TRIED = (8, 28, 32)
"""Sizes at which real sets could be tried with ``--tune``: digits, mnist-5k, CIFAR-10."""
_MEAN, _STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


class DataFacts(BaseModel):
    """All of a dataset that a protocol is derived from.

    Attributes:
        classes: how many.
        train: training images.
        test: test images.
        smallest: training images of the smallest class.
        side: median over training images of the shorter side, in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: int
    train: int
    test: int
    smallest: int
    side: int


def facts_of(splits: Splits) -> DataFacts:
    """Looks at a dataset: every label, and the sides of at most 100 training images, evenly spread over the rows."""
    train = splits.train
    rows = torch.linspace(0, len(train) - 1, min(_SAMPLE, len(train)), dtype=torch.float64).round().long()
    sides = [min(image.shape[1:]) for image in train.native(rows)]
    return DataFacts(
        classes=len(train.class_names),
        train=len(train),
        test=len(splits.test),
        smallest=int(train.targets.bincount(minlength=len(train.class_names)).min()),
        side=int(median(sides)),
    )


def derive_protocol(facts: DataFacts, track: Literal["hard", "soft"], name: str | None = None) -> Protocol:
    """The protocol of a dataset by the rules of this file, each of which is the source of the value that it gives.

    Args:
        facts: of the dataset.
        track: of the labels.
        name: the protocol's id; None = ``auto-hard`` or ``auto-soft``.
    """
    size = _size(facts)
    views, soft = _views(size), track == "soft"
    network = {"model": _model(size, "group"), "mean": _MEAN, "std": _STD}
    proxy = _full_training(views, _epochs(facts, size), 64 if size < _CHARACTERS else 128)
    strong = {**proxy, "epochs": 2 * proxy["epochs"]}
    weak = {**proxy, "epochs": max(1, proxy["epochs"] // 5)}
    taught = {"model": _model(size, "batch"), "mean": _MEAN, "std": _STD}
    training = {
        "steps": _steps(facts, size),
        "batch": 64,
        "optimizer": _optimizer(size),
        "schedule": _SCHEDULE,
        "views": views,
        **({"mix": {"op": "cutmix", "alpha": 1.0}} if soft else {}),
    }
    content: dict[str, Any] = {
        "id": name or f"auto-{track}",
        "version": RULES_VERSION,
        "summary": f"Derived from the data: {facts.classes} classes of {size} px, {track} labels.",
        "status": "derived",
        "sources": _sources(facts, size, soft=soft),
        "track": track,
        "default_ipc": max(1, min(10, facts.smallest // 4)),
        "data": Schema(classes=facts.classes, train=facts.train, test=facts.test).model_dump(),
        "store": {"size": size, "fit": "squash" if size < _LARGEST else "centre"},
        "student": network,
        "training": training,
        "test": {"resize": size, "size": size, "fit": "squash" if size < _LARGEST else "centre"},
        "proxy": {
            **network,
            "clean": [0.5, 1.0],
            "training": proxy,
            "scores": {"el2n": {"epochs": [1, min(10, proxy["epochs"])]}},
        },
        "reference": {**proxy, "epochs": 2 * proxy["epochs"]},
        "teacher": {
            "recipes": {
                "standard": {**taught, "training": proxy},
                "weak": {**taught, "training": weak},
                "strong": {**taught, "model": _model(size, "batch", factor=2), "training": strong},
            }
        },
        **({"soft": {"temperature": 20.0}} if soft else {}),
    }
    return validated(content, "the derived protocol")


_SCHEDULE = {"name": "cosine", "per": "step"}


def _size(facts: DataFacts) -> int:
    if facts.side >= _WHOLE and facts.train >= _MANY:
        return _WHOLE
    return max(8, min(_LARGEST, facts.side // 4 * 4))


def _model(size: int, norm: str, factor: int = 1) -> Any:
    if size == _WHOLE:
        return "torchvision/resnet18" if factor == 1 else "torchvision/resnet50"
    depth = int(math.log2(size / 4))
    width = (64 if size < _LARGEST else 32) * factor
    return {"name": "convnet", "values": {"depth": depth, "width": width, "norm": norm}}


def _views(size: int) -> list[dict[str, Any]]:
    if size < _CHARACTERS:
        shift = max(1.0, round(size / 14, 1))
        return [{"op": "affine", "shift": shift, "rotation": 10.0, "scale": [0.85, 1.15]}]
    return [{"op": "random-resized-crop", "scale": [0.25 if size < _WHOLE else 0.08, 1.0]}, {"op": "flip"}]


def _optimizer(size: int) -> dict[str, Any]:
    return {"name": "adamw", "lr": 0.003 if size < _WHOLE else 0.001, "weight_decay": 0.01}


def _steps(facts: DataFacts, size: int) -> dict[int, int]:
    growth = max(1.0, math.sqrt(facts.classes / 10))
    if size == _LARGEST:
        growth = min(growth, _MOST_GROWTH)
    return {ipc: round(steps * growth / 10) * 10 for ipc, steps in {1: 300, 10: 600, 50: 1200}.items()}


def _views_of_the_proxy(size: int) -> int:
    return 60_000 if size < _LARGEST else 30_000


def _epochs(facts: DataFacts, size: int) -> int:
    least = 10 if size < _LARGEST else 5
    return max(least, min(20, round(_views_of_the_proxy(size) / facts.train)))


def _full_training(views: list[dict[str, Any]], epochs: int, batch: int) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "batch": batch,
        "optimizer": {"name": "adamw", "lr": 0.003, "weight_decay": 0.01},
        "schedule": _SCHEDULE,
        "views": views,
    }


def _sources(facts: DataFacts, size: int, *, soft: bool) -> dict[str, str]:
    """The rule of every value; ``untuned`` where no data at hand could confirm it."""
    untuned = "" if size in _TRIED else "untuned: "
    return {
        "data": f"this dataset; its smallest class has {facts.smallest} training images",
        "default_ipc": "10, or a quarter of the smallest class, so that four images fit on a canvas",
        "store.size": (
            f"rule: the median of the shorter sides ({facts.side} px) down to a multiple of 4, at least 8 and at most "
            f"{_LARGEST}, where a CPU answers in minutes; {_WHOLE} from {_MANY:,} training images of that size on"
        ),
        "store": "rule: as in all small protocols",
        "store.fit": f"rule: whole images below {_LARGEST} px, from there on the centre of photographs",
        "student.model": (
            f"{untuned}rule: a ConvNet that halves its images until 4 to 7 px are left, 64 wide below {_LARGEST} px, "
            f"32 there, GroupNorm as in digits-hard; at {_WHOLE} px torchvision's ResNet-18 as in imagenet1k-hard"
        ),
        "student.mean": "rule: the middle of the range, the same for all data",
        "student.std": "rule: a quarter of the range, the same for all data",
        "training.steps": (
            "rule: digits-hard and cifar10-small-hard, 300 at ipc 1, 600 at 10, 1200 at 50; times the root of classes "
            "/ 10 above 10 classes, as cifar100-hard is to them (untuned above 10)"
            f"{f', at most {_MOST_GROWTH} times at {_LARGEST} px, where a CPU answers in minutes' * (size == _LARGEST)}"
        ),
        "training.batch": "rule: as in digits-hard and cifar10-small-hard",
        "training.optimizer": (
            f"{untuned}rule: as in digits-hard; with --tune on three random sets at ipc 1, rates of .001, .003 and .01 "
            "gave digits 65.0, 63.5 and 63.4 %, 4,000 CIFAR-10 images 15.2, 17.1 and 15.4, where a ResNet did no "
            f"better; at {_WHOLE} px as in imagenet1k-hard"
        ),
        "training.schedule": "rule: cosine per step, as in all small protocols",
        "training.views": (
            f"{untuned}rule: below {_CHARACTERS} px, where characters are common, shifts (a fourteenth of the side, at "
            "least 1 px) and turns, no flip: with --tune on three random sets at ipc 1 they gave mnist-5k (width 32) "
            "51.1 % where crops from .6 of the area gave 43.5, tiled 85.3 and 79.8, and digits 63.5 and 58.5; from "
            "there on crops from .25 and flips, as in cifar10-small-hard: 4,000 CIFAR-10 images 17.1 % where crops "
            f"from .08 gave 16.6 and from .5 15.8; crops from .08 at {_WHOLE} px"
        ),
        "test": "rule: as images are stored",
        "proxy": (
            f"{untuned}rule: the student on all training images, {_views_of_the_proxy(size):,} views in all, at least "
            f"{10 if size < _LARGEST else 5} epochs and at most 20"
        ),
        "proxy.scores.el2n": "rule: the first ten epochs at most: EL2N is an early score (arXiv 2107.07075)",
        "reference": "rule: the proxy's recipe, twice as long",
        "teacher": (
            "rule: standard: the proxy's recipe; weak: a fifth of its epochs; strong: twice the width and the epochs; "
            "with BatchNorm, which methods that match its statistics need"
        ),
        **(
            {
                "soft.temperature": "rule: that of digits-soft and cifar10-small-soft",
                "training.mix": "rule: CutMix, Beta(1, 1), as in arXiv 2502.06434",
            }
            if soft
            else {}
        ),
    }
