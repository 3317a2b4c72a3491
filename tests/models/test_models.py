"""The architectures, and how they are made."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from rethinkdc.errors import RequestError
from rethinkdc.models import Model, TimmModel, TorchvisionModel, build_seeded, external_model
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.plugins.models.resnet18_3x3 import ResNet18Small
from rethinkdc.plugins.models.resnet_light import ResNetLight


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (ConvNet(width=16), 32),
        (ConvNet(depth=2, width=16, norm="group"), 8),
        (ConvNet(width=16, norm="batch"), 35),
        (ConvNet(width=16, norm=None), 16),
        (ResNet18Small(), 32),
        (ResNetLight(width=4), 32),
        (ResNetLight(width=4), 64),
        (ResNetLight(width=4, norm="group"), 32),
    ],
    ids=lambda value: value.name if isinstance(value, Model) else str(value),
)
def test_logits_have_one_column_per_class_and_every_parameter_gets_a_gradient(model: Model, size: int) -> None:
    network = build_seeded(model, 7, size, 0)
    logits = network(torch.randn(2, 3, size, size))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(tensor.grad is not None and bool(tensor.grad.any()) for tensor in network.parameters())


def test_the_convnet_has_the_number_of_parameters_in_the_literature() -> None:
    """ConvNet-3 of width 128 at 32 px with 10 classes has 320,010 parameters in the literature's code."""
    network = build_seeded(ConvNet(), 10, 32, 0)
    assert sum(tensor.numel() for tensor in network.parameters()) == 320_010


def test_the_small_resnet18_keeps_the_resolution_in_its_stem() -> None:
    network = build_seeded(ResNet18Small(), 10, 32, 0)
    stem = network.get_submodule("conv1")(torch.zeros(1, 3, 32, 32))
    assert stem.shape == (1, 64, 32, 32)
    assert sum(tensor.numel() for tensor in network.parameters()) == 11_173_962


def test_norms_of_the_convnet_are_the_ones_named() -> None:
    def groups(model: ConvNet) -> set[int]:
        return {layer.num_groups for layer in build_seeded(model, 2, 8, 0).modules() if isinstance(layer, nn.GroupNorm)}

    assert groups(ConvNet(width=16)) == {16}
    assert groups(ConvNet(width=16, norm="group")) == {8}
    assert groups(ConvNet(width=12, norm="group")) == {4}


def test_norms_of_the_light_resnet_are_the_ones_named() -> None:
    network = build_seeded(ResNetLight(width=4, norm="group"), 2, 8, 0)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    assert {layer.num_groups for layer in network.modules() if isinstance(layer, nn.GroupNorm)} == {4, 8}


@pytest.mark.parametrize("model", [ConvNet(depth=4), ResNetLight()], ids=["convnet", "resnet-light"])
def test_images_too_small_to_be_halved_are_refused_with_the_size_that_would_do(model: Model) -> None:
    with pytest.raises(RequestError, match=r"7 px cannot be.*at least"):
        build_seeded(model, 10, 7, 0)


def test_parameters_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValidationError, match="depth"):
        ConvNet(depth=0)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    first, again, other = (build_seeded(ResNetLight(width=4), 3, 32, seed).state_dict() for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.0.weight"], other["0.0.weight"])


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("timm/resnet10t", 32),
        ("timm/vit_tiny_patch16_224", 32),
        ("torchvision/mobilenet_v3_small", 32),
        ("torchvision/googlenet", 64),
    ],
)
def test_outside_models_serve_small_images_and_any_number_of_classes(name: str, size: int) -> None:
    model = external_model(name)
    assert model is not None
    assert build_seeded(model, 7, size, 0)(torch.randn(2, 3, size, size)).shape == (2, 7)


def test_the_weights_of_outside_models_come_from_the_seed() -> None:
    model = TimmModel(id="resnet10t")
    first, other = (build_seeded(model, 3, 32, seed).state_dict()["conv1.0.weight"] for seed in (0, 1))
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", ["timm/resnet10", "torchvision/resnet19", "torchvision/fasterrcnn_resnet50_fpn"])
def test_an_unknown_outside_model_is_refused_with_names_that_are_known(name: str) -> None:
    with pytest.raises(RequestError, match=rf"{name.split('/')[0]}/\w*resnet"):
        external_model(name)


def test_an_outside_model_made_by_hand_is_checked_when_it_is_built() -> None:
    with pytest.raises(RequestError, match="has no model 'resnet19'"):
        TorchvisionModel(id="resnet19").build(10, 32)


def test_a_size_that_the_patches_do_not_divide_is_refused() -> None:
    with pytest.raises(RequestError, match="cannot be built for images of 33 px"):
        TorchvisionModel(id="vit_b_16").build(10, 33)


@pytest.mark.parametrize("name", ["convnet", "resnet18-3x3", "somebody/model", "timm"])
def test_other_names_are_nobodys_outside_model(name: str) -> None:
    assert external_model(name) is None
