"""The networks that G-VBSM and EDC recover CIFAR images from, against the authors' own.

The numbers were made by running ``models.model_dict[NAME](num_classes=10)`` of Branch_CIFAR_10/recover/models in
shaoshitong/EDC at 80116a7 on the images and with the weights that are made here, drawn in the same order.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rethinkdc.contracts import RequestError
from rethinkdc.models import Model
from rethinkdc.registry.registry import Registry

THEIRS = {
    "wide-resnet": (691_674, 44, [-8.857895, -6.349862, 2.849886]),
    "mobilenet-v2-half": (697_546, 161, [2.201364, -5.354972, -5.692652]),
    "shufflenet-v2-half": (351_466, 170, [3.930156, 0.401001, -1.573385]),
    "resnet18-3x3": (11_173_962, 62, [-5.010360, -3.755911, 9.533058]),
}
"""WRN_16_2, MobileNetV2, ShuffleNetV2_0_5 and ResNet18: parameters, their tensors, first logits of the first image."""


def build(reference: str, size: int = 32) -> nn.Module:
    return Registry().build(Model, reference).build(10, size)


@pytest.mark.parametrize("name", THEIRS)
def test_a_network_is_the_authors(name: str) -> None:
    network, draws = build(name).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            drawn = torch.randn if weight.ndim > 1 else torch.rand
            scale, offset = ((2 / weight[0].numel()) ** 0.5, 0.0) if weight.ndim > 1 else (0.5, 0.5)
            weight.copy_(drawn(weight.shape, generator=draws) * scale + offset)
        logits = network(torch.linspace(-1, 1, 2 * 3 * 32 * 32).sin().view(2, 3, 32, 32))
    numbers, tensors, expected = THEIRS[name]
    assert sum(weight.numel() for weight in network.parameters()) == numbers
    assert len(list(network.parameters())) == tensors
    assert logits[0, :3].tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["wide-resnet:depth=10,widen=1", "mobilenet-v2-half", "shufflenet-v2-half"])
def test_other_sizes_work(name: str) -> None:
    assert build(name, 64).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 10)


def test_a_depth_that_no_stage_divides_is_refused() -> None:
    with pytest.raises(RequestError, match=r"depth=17: a depth is 6n \+ 4"):
        build("wide-resnet:depth=17")
