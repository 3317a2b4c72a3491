"""MTT: matching training trajectories (Cazenavette et al., CVPR 2022, arXiv 2203.11932).

Specified after the authors' code, GeorgeCazenavette/mtt-distillation at 50dccea. Its readme shows the parameters of
each dataset as a picture alone, which was not read; they are those that methods/tm of justincui03/dc_benchmark at
071901d lists as given by the authors. That list names a ConvNet of depth 4 for Tiny ImageNet at ipc 50 alone: it is
taken for 1 and 10 too. Experts are those of ``buffer.py``: 100 networks, 50 epochs, SGD of .01 without momentum, DSA.
Deviations: views of experts are rounded and clipped as pixels; the images are when they are stored; and the last
iterate is kept, where the authors keep the one that does best on the test images. Their CIFAR sets, but for ipc 50 of
CIFAR-10 and ipc 10 of CIFAR-100, are of whitened images, and are tested on such: ``zca=true`` matches as they do, but
students of protocols see pixels, so it is no default here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import Preset, TrajectoryMatching, trajectory_values

_LISTED = "justincui03/dc_benchmark at 071901d"
_TINY = f"{_LISTED}, depth 4 as there for ipc 50"


class MTT(TrajectoryMatching):
    """Moves images, and a rate with them, until a student's steps on them lead where an expert's epochs lead."""

    name: ClassVar[str] = "mtt"
    paper: ClassVar[str] = "arXiv 2203.11932"

    presets: ClassVar[Mapping[str, Mapping[int, Preset]]] = {
        "cifar10": {
            1: Preset(trajectory_values(50, 2, 2, 100, 1e-7, zca=True), _LISTED),
            10: Preset(trajectory_values(30, 2, 20, 100, 1e-5, rate=0.001, zca=True), _LISTED),
            50: Preset(trajectory_values(30, 2, 40, 1000, 1e-5, rate=0.001, zca=False), _LISTED),
        },
        "cifar100": {
            1: Preset(trajectory_values(20, 3, 20, 1000, 1e-5, zca=True), _LISTED),
            10: Preset(trajectory_values(20, 2, 20, 1000, 1e-5, zca=False), _LISTED),
            50: Preset(trajectory_values(80, 2, 40, 1000, 1e-5, batch=125, zca=True), _LISTED),
        },
        "tiny-imagenet": {
            1: Preset(trajectory_values(10, 2, 10, 10_000, 1e-4, depth=4, zca=False), _TINY),
            10: Preset(trajectory_values(20, 2, 40, 10_000, 1e-4, batch=200, depth=4, zca=False), _TINY),
            50: Preset(trajectory_values(20, 2, 40, 10_000, 1e-4, batch=300, depth=4, zca=False), _LISTED),
        },
        "imagenet-1k": {
            1: Preset(
                trajectory_values(20, 2, 10, 1000, 1e-6, depth=5, zca=False),
                "MTT's readme at 50dccea, for subsets of ImageNet at 128 px",
            )
        },
    }


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``mtt``."""
    return [MTT]
