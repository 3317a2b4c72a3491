"""Statistics of channels against autograd's own in float64, in every layout and number of chunks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.distillation import channel_statistics
from rethinkdc.distillation.channels import CHUNK
from rethinkdc.seeds import generator


def batch(*shape: int, layout: torch.memory_format = torch.channels_last) -> Tensor:
    """Far from zero, where one pass over the squares would lose digits."""
    return (torch.randn(shape, generator=generator(0)) + 30).contiguous(memory_format=layout).requires_grad_()


def gradients(loss: Tensor, given: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, given)
    return found


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
# One chunk; seven chunks of which the last is shorter; images that are larger than a chunk.
@pytest.mark.parametrize("shape", [(6, 5, 4, 4), (25, 3, 32, 32), (3, 2, 70, 70), (9, 4, 1, 1)])
def test_statistics_and_gradients_are_those_of_autograd(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    assert 25 % (CHUNK // 32**2) == 1
    given = batch(*shape, layout=layout)
    exact = given.detach().double().requires_grad_()
    variance, mean = torch.var_mean(exact, dim=(0, 2, 3), correction=0)
    found = channel_statistics(given)
    assert found.mean.dtype == found.variance.dtype == torch.float32
    assert torch.allclose(found.mean.double(), mean, rtol=2e-6)
    assert torch.allclose(found.variance.double(), variance, rtol=1e-5)
    weights = torch.randn((2, shape[1]), generator=generator(1))
    expected = gradients((weights.double() * torch.stack([mean, variance])).sum(), exact)
    got = gradients((weights * torch.stack(list(found))).sum(), given)
    assert torch.allclose(got.double(), expected, rtol=1e-3, atol=2e-5 * float(expected.abs().max()))


def test_one_of_the_two_alone_has_a_gradient() -> None:
    given = batch(6, 3, 4, 4)
    assert torch.allclose(gradients(channel_statistics(given).mean.sum(), given), torch.full_like(given, 1 / 96))
    centred = given.detach() - given.detach().mean(dim=(0, 2, 3), keepdim=True)
    assert torch.allclose(gradients(channel_statistics(given).variance.sum(), given), centred / 48, atol=1e-6)


def test_half_precision_is_measured_in_float32_and_gets_its_gradient_back() -> None:
    given = batch(6, 3, 4, 4).detach().bfloat16().requires_grad_()
    found = channel_statistics(given)
    assert torch.equal(found.mean, channel_statistics(given.detach().float()).mean)
    assert gradients(found.mean.sum(), given).dtype == torch.bfloat16


def test_a_second_gradient_is_refused_and_not_wrong() -> None:
    given = batch(6, 3, 4, 4)
    (first,) = torch.autograd.grad(channel_statistics(given).variance.square().sum(), given, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        first.square().sum().backward()
