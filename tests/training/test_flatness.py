"""Steps that seek flat places: beside numbers that the authors' optimiser gave, and in the loop."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.training.flatness import flatten
from rethinkdc.training.recipe import Optimizer, Recipe

# Made in float64 by `GSAM` of AngusDujw/FTD-distillation at 711532a (buffer/gsam/gsam.py; adaptive, rho .05, gsam_alpha
# .3) over SGD of .1 without momentum, three steps on the network and images of `trained`: the loss before each step,
# the weights' sum of squares after it, and the second number of each tensor at the end.
LOSSES = (1.182110038620517, 1.1625465585369124, 1.1466070547660563)
SQUARES = (14.139967347827836, 14.112017185114604, 14.091977340264332)
SECOND = (
    0.30132535082916984,
    0.12821396407014893,
    -0.13205158665021538,
    -0.3105239850433574,
    -0.16078509945812391,
    0.12125554406501914,
)


def wave(*shape: int, phase: float, scale: float = 1.0) -> Tensor:
    """Numbers that every machine makes alike."""
    return scale * torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 1.7 + phase).reshape(shape)


def trained(alpha: float) -> tuple[list[float], list[float], list[float]]:
    model = ConvNet(depth=1, width=4).build(3, 8).double()
    with torch.no_grad():
        for place, weight in enumerate(model.parameters()):
            weight.copy_(wave(*weight.shape, phase=place, scale=0.3))
    images, targets = wave(6, 3, 8, 8, phase=0.2), torch.arange(3).repeat_interleave(2)
    optimizer = Optimizer(name="sgd", lr=0.1, momentum=0.0, weight_decay=0.0, rho=0.05, alpha=alpha).make(model)

    losses, squares = [], []

    def look() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), targets)
        loss.backward()
        losses.append(float(loss.detach()))

    for _ in range(3):
        look()
        flatten(model, 0.05, alpha, look)
        optimizer.step()
        squares.append(sum(float(weight.detach().square().sum()) for weight in model.parameters()))
    return losses[::2], squares, [float(weight.detach().flatten()[1]) for weight in model.parameters()]


def test_the_steps_are_those_of_the_authors_optimiser() -> None:
    losses, squares, second = trained(0.3)
    assert losses == pytest.approx(LOSSES, rel=1e-10)
    assert squares == pytest.approx(SQUARES, rel=1e-10)
    assert second == pytest.approx(SECOND, rel=1e-9)
    assert trained(0.0)[1] != pytest.approx(SQUARES, rel=1e-6)


def test_weights_and_statistics_are_what_they_were() -> None:
    model = ConvNet(depth=1, width=4, norm="batch").build(3, 8)
    images = torch.rand((6, 3, 8, 8), generator=torch.Generator().manual_seed(1))

    def look() -> None:
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), torch.arange(3).repeat_interleave(2)).backward()

    look()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gradients = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
    flatten(model, 0.5, 0.3, look)
    for name, tensor in model.state_dict().items():
        assert torch.allclose(tensor, before[name], atol=1e-6), name
    after = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert not all(torch.allclose(one, other) for one, other in zip(gradients, after, strict=True))


def test_what_is_not_asked_for_is_no_part_of_a_recipe() -> None:
    plain = Recipe(epochs=1, optimizer=Optimizer(name="sgd"))
    assert not {"rho", "alpha"} & plain.model_dump(mode="json")["optimizer"].keys()
    with pytest.raises(ValueError, match=r"needs rho; found alpha 0.3"):
        Optimizer(alpha=0.3)
