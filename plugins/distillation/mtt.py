"""MTT: matching training trajectories (Cazenavette et al., CVPR 2022, arXiv 2203.11932).

Specified after the authors' code, GeorgeCazenavette/mtt-distillation at 50dccea. Its readme shows the parameters of
each dataset as a picture alone; they are those that methods/tm of justincui03/dc_benchmark at 071901d lists as given by
the authors. Experts are those of ``buffer.py``: 100 networks, 50 epochs, SGD of .01 without momentum, DSA. Deviations:
views of experts are rounded and clipped as pixels; the images are when they are stored; and the last iterate is kept,
where the authors keep the one that does best on the test images. Their CIFAR sets, but for ipc 50 of CIFAR-10 and
ipc 10 of CIFAR-100, are of whitened images, and are tested on such: ``zca=true`` matches as they do, but students of
protocols see pixels, so it is no default here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import ALL, ZCA, Preset, TrajectoryMatching

_LISTED = "justincui03/dc_benchmark at 071901d"


def _preset(
    steps: int,
    epochs: int,
    last: int,
    lr: float,
    rate_lr: float,
    rate: float,
    batch: int | str = ALL,
    source: str = _LISTED,
    *,
    zca: bool = False,
) -> Preset:
    values = {
        "steps": steps,
        "expert_epochs": epochs,
        "last_start": last,
        "lr": lr,
        "rate_lr": rate_lr,
        "rate": rate,
        "batch": batch,
        ZCA: zca,
    }
    return Preset(values, source)


class MTT(TrajectoryMatching):
    """Moves images, and a rate with them, until a student's steps on them lead where an expert's epochs lead."""

    name: ClassVar[str] = "mtt"
    paper: ClassVar[str] = "arXiv 2203.11932"

    presets: ClassVar[Mapping[str, Mapping[int, Preset]]] = {
        "cifar10": {
            1: _preset(50, 2, 2, 100, 1e-7, 0.01, ALL, zca=True),
            10: _preset(30, 2, 20, 100, 1e-5, 0.001, ALL, zca=True),
            50: _preset(30, 2, 40, 1000, 1e-5, 0.001, ALL),
        },
        "cifar100": {
            1: _preset(20, 3, 20, 1000, 1e-5, 0.01, ALL, zca=True),
            10: _preset(20, 2, 20, 1000, 1e-5, 0.01, ALL),
            50: _preset(80, 2, 40, 1000, 1e-5, 0.01, 125, zca=True),
        },
        "tiny-imagenet": {
            1: _preset(10, 2, 10, 10_000, 1e-4, 0.01, ALL),
            10: _preset(20, 2, 40, 10_000, 1e-4, 0.01, 200),
            50: _preset(20, 2, 40, 10_000, 1e-4, 0.01, 300),
        },
        "imagenet-1k": {
            1: _preset(20, 2, 10, 1000, 1e-6, 0.01, ALL)._replace(
                source="MTT's readme for subsets of ImageNet at 128 px"
            )
        },
    }


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``mtt``."""
    return [MTT]
