"""FTD: flat trajectories (Du et al., CVPR 2023, arXiv 2211.11004).

Specified after the authors' code, AngusDujw/FTD-distillation at 711532a; values from table 7 of the paper, which its
readme shows too; rho, and that images of CIFAR are whitened, from its scripts, which are for ipc 10. Neither tells of
Tiny ImageNet whether its images are whitened, or how deep the network is: depths beyond CIFAR are those of ``mtt``.
Matching is MTT's; experts step by GSAM, and the set is a moving average of the images. Deviations are those of ``mtt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from rethinkdc.contracts import Method, Optimizer, hookimpl
from rethinkdc.distillation import Preset, TrajectoryMatching, trajectory_values

_TABLE = "table 7 of arXiv 2211.11004"
_TINY = f"{_TABLE}; depth 4 as mtt"


def _preset(alpha: float, ema: float, values: Mapping[str, Any], source: str = _TABLE) -> Preset:
    return Preset({**values, "alpha": alpha, "ema": ema}, source)


class FTD(TrajectoryMatching):
    """Matches trajectories as ``mtt`` does, of experts that seek flat places, and averages the images over time."""

    name: ClassVar[str] = "ftd"
    paper: ClassVar[str] = "arXiv 2211.11004"

    rho: float = Field(default=0.01, ge=0, description="Radius of the experts' ascent; 0 = plain SGD.")
    alpha: float | None = Field(
        default=None, ge=0, description="Weight of the experts' surrogate gap; none = the paper's."
    )
    ema: float | None = Field(
        default=None, ge=0, lt=1, description="Decay of the images' moving average in each step; none = the paper's."
    )

    presets: ClassVar[Mapping[str, Mapping[int, Preset]]] = {
        "cifar10": {
            1: _preset(0.3, 0.9999, trajectory_values(50, 2, 2, 100, 1e-7, zca=True)),
            10: _preset(0.3, 0.9995, trajectory_values(30, 2, 20, 100, 1e-5, rate=0.001, zca=True)),
            50: _preset(1, 0.999, trajectory_values(30, 2, 40, 1000, 1e-5, zca=True)),
        },
        "cifar100": {
            1: _preset(1, 0.9995, trajectory_values(40, 3, 20, 1000, 1e-5, zca=True)),
            10: _preset(1, 0.9995, trajectory_values(20, 2, 40, 1000, 1e-5, zca=True)),
            50: _preset(1, 0.999, trajectory_values(80, 2, 40, 1000, 1e-5, batch=1000, zca=True)),
        },
        "tiny-imagenet": {
            1: _preset(1, 0.999, trajectory_values(30, 2, 10, 10_000, 1e-4, depth=4), _TINY),
            10: _preset(1, 0.999, trajectory_values(20, 2, 40, 10_000, 1e-4, batch=500, depth=4), _TINY),
        },
        "imagenet-1k": {
            1: _preset(
                1,
                0.999,
                trajectory_values(20, 2, 10, 10_000, 1e-4, batch=64, depth=5, zca=False),
                "the authors, issue 3 of AngusDujw/FTD-distillation, for subsets of ImageNet; depth 5 as mtt",
            ),
        },
    }

    def expert_optimizer(self, values: Mapping[str, Any]) -> Optimizer:
        plain = super().expert_optimizer(values)
        return plain.model_copy(update={"rho": self.rho, "alpha": values["alpha"]}) if self.rho else plain


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``ftd``."""
    return [FTD]
