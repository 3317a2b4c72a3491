"""Matching of characteristic functions: NCFM (Wang et al., CVPR 2025, arXiv 2502.20653)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rethinkdc.training.precision import widened

_LEAST = 1e-12
"""Smallest difference of phases, as in the authors' code: the root of what is below has no slope."""
_ROWS, _REPEATS = 4, 16
"""Rows of noise that the sampling network reads, and how often each of its answers is repeated: SampleNet.py."""


def characteristic_distance(real: Tensor, made: Tensor, frequencies: Tensor, amplitude: float, phase: float) -> Tensor:
    """Mean over frequencies of the root of the weighted differences of amplitude and of phase.

    With the empirical characteristic functions a(t) = mean exp(i t.x) of real rows and b(t) of synthetic ones:
    sqrt(amplitude (|a| - |b|)^2 + 2 phase (|a| |b| - Re(a conj b))).

    Args:
        real: float [R, d].
        made: float [m, d].
        frequencies: float [k, d].
        amplitude: weight of the first difference.
        phase: weight of the second.
    """
    (real_cos, real_sin), (cos, sin) = (_mean_wave(rows, frequencies) for rows in (real, made))
    real_norm, norm = (real_cos.square() + real_sin.square()).sqrt(), (cos.square() + sin.square()).sqrt()
    apart = 2 * (real_norm * norm - cos * real_cos - sin * real_sin)
    return (amplitude * (real_norm - norm).square() + phase * apart.clamp(min=_LEAST)).sqrt().mean()


def _mean_wave(rows: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of the characteristic function of ``rows`` [n, d] at ``frequencies`` [k, d]: [k] both."""
    # An angle of three digits says nothing of its cosine.
    with torch.autocast(rows.device.type, enabled=False):
        angles = widened(frequencies) @ widened(rows).T
    return angles.cos().mean(dim=1), angles.sin().mean(dim=1)


class FrequencySampler(nn.Module):
    """Makes frequencies of noise: three linear layers with BatchNorm, leaky ReLU between them and tanh at the end.

    It answers to four rows of noise, and each answer counts sixteen times, as in the authors' code.

    Args:
        dimensions: d, of the features.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions
        layers: list[nn.Module] = []
        for last in (False, False, True):
            layers += [nn.Linear(dimensions, dimensions), nn.BatchNorm1d(dimensions)]
            layers.append(nn.Tanh() if last else nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers)

    def forward(self, noise: Tensor) -> Tensor:
        """Float [64, d] of ``noise`` [4, d]."""
        made: Tensor = self.layers(noise)
        return made.repeat(_REPEATS, 1)

    def noise(self, draws: torch.Generator) -> Tensor:
        """What it reads: normal, float32 [4, d], on the CPU."""
        return torch.randn((_ROWS, self.dimensions), generator=draws)
