"""Distances of characteristic functions: beside the authors' code, and by hand.

Golden numbers are those of ``CFLossFunc`` in NCFM/NCFM.py and ``SampleNet`` in NCFM/SampleNet.py of gszfwsb/NCFM at
de92fb8, under float32 on a CPU, on the waves below.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.distillation import FrequencySampler, characteristic_distance
from rethinkdc.seeds import generator


def wave(shape: tuple[int, ...], pace: float) -> Tensor:
    count = torch.Size(shape).numel()
    return torch.sin(pace * torch.arange(1, count + 1, dtype=torch.float32)).view(shape)


@pytest.mark.parametrize(
    ("amplitude", "phase", "loss", "slope"), [(0.5, 0.5, 0.473491, 0.367431), (0.2, 0.8, 0.501629, 0.479233)]
)
def test_the_distance_and_its_gradient_are_those_of_the_authors_code(
    amplitude: float, phase: float, loss: float, slope: float
) -> None:
    made = wave((3, 6), 0.9).requires_grad_()
    found = characteristic_distance(wave((5, 6), 0.7), made, 2 * wave((8, 6), 0.4), amplitude, phase)
    (gradient,) = torch.autograd.grad(found, made)
    assert found.item() == pytest.approx(loss, abs=1e-5)
    assert gradient.norm().item() == pytest.approx(slope, abs=1e-5)


def test_one_frequency_by_hand() -> None:
    """At t = pi: one real row at 0 gives 1, synthetic rows at 0 and 1 give 0: amplitudes differ by 1, phases by 0."""
    made = torch.tensor([[0.0], [1.0]])
    found = characteristic_distance(torch.zeros(1, 1), made, torch.tensor([[torch.pi]]), 0.25, 0.5)
    assert found.item() == pytest.approx(0.5, abs=1e-4)


def test_the_same_rows_are_no_distance_apart() -> None:
    rows = torch.randn((4, 3), generator=generator(0))
    found = characteristic_distance(rows, rows, torch.randn((7, 3), generator=generator(1)), 0.5, 0.5)
    assert found.item() < 1e-3


def test_the_sampling_network_is_that_of_the_authors_code() -> None:
    sampler = FrequencySampler(6)
    with torch.no_grad():
        for place, parameter in enumerate(sampler.parameters(), start=1):
            parameter.copy_(wave(tuple(parameter.shape), 0.1 * place))
    found = sampler(wave((4, 6), 0.3))
    assert found.shape == (64, 6)
    assert found[1].tolist() == pytest.approx([0.105522, 0.128416, -0.351283, -0.988936, -0.680115, 0.753777], abs=1e-4)
    assert torch.equal(found[:4], found[60:])
    assert sampler.noise(generator(0)).shape == (4, 6)
