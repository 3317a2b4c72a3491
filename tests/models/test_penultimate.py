"""The features before the classifier."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.errors import RequestError
from rethinkdc.models import Model, Penultimate, TimmModel, TorchvisionModel, build_seeded
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.plugins.models.resnet18_3x3 import ResNet18Small
from rethinkdc.plugins.models.resnet_light import ResNetLight

# Each with the layer that its logits come out of.
MODELS: list[tuple[Model, str]] = [
    (ConvNet(depth=2, width=8), "9"),
    (ResNet18Small(), "fc"),
    (ResNetLight(width=4), "11"),
    (TimmModel(id="mobilenetv3_small_050"), "classifier"),
    (TimmModel(id="vit_tiny_patch16_224"), "head"),
    (TorchvisionModel(id="vgg11"), "classifier.6"),
    (TorchvisionModel(id="mobilenet_v2"), "classifier.1"),
]


@pytest.mark.parametrize(("model", "layer"), MODELS, ids=[str(getattr(m, "id", m.name)) for m, _ in MODELS])
def test_the_classifier_applied_to_the_features_gives_the_logits(model: Model, layer: str) -> None:
    network = build_seeded(model, 6, 32, 0).eval()
    classifier = network.get_submodule(layer)
    assert isinstance(classifier, nn.Linear)
    with Penultimate(network) as penultimate:
        logits = network(torch.randn(3, 3, 32, 32))
        features = penultimate.features
    assert features.shape == (3, penultimate.dimensions)
    assert not features.requires_grad
    torch.testing.assert_close(classifier(features), logits)


def test_features_are_those_of_the_last_forward() -> None:
    network = build_seeded(ConvNet(depth=1, width=4), 2, 8, 0)
    first, second = torch.randn(2, 3, 8, 8), torch.randn(5, 3, 8, 8)
    with Penultimate(network) as penultimate:
        network(first)
        network(second)
        assert torch.equal(penultimate.features, network[:-1](second))  # type: ignore[index]


def _hooks(network: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in network.modules())


def test_hooks_are_gone_afterwards_also_after_an_exception() -> None:
    network = build_seeded(ConvNet(depth=1, width=4), 2, 8, 0)

    def interrupted() -> None:
        with Penultimate(network):
            assert _hooks(network) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert _hooks(network) == 0


def test_asking_before_a_forward_is_an_error() -> None:
    with (
        Penultimate(build_seeded(ConvNet(depth=1, width=4), 2, 8, 0)) as penultimate,
        pytest.raises(RequestError, match="run the model once"),
    ):
        _ = penultimate.features


def test_two_captures_of_one_model_do_not_disturb_each_other() -> None:
    network = build_seeded(ConvNet(depth=1, width=4), 2, 8, 0)
    images = torch.randn(2, 3, 8, 8)
    with Penultimate(network) as outer:
        network(images)
        before = outer.features.clone()
        with Penultimate(network) as inner:
            network(images)
            assert torch.equal(inner.features, before)
        network(images)
        assert torch.equal(outer.features, before)


def test_a_model_without_any_linear_layer_is_refused() -> None:
    network = build_seeded(TorchvisionModel(id="squeezenet1_1"), 4, 64, 0)
    with pytest.raises(RequestError, match="SqueezeNet has no linear classifier"):
        Penultimate(network)


class _LinearInTheMiddle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(12, 4)
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, images: Tensor) -> Tensor:
        mixed: Tensor = self.mix(images.flatten(1))
        return mixed * self.scale


def test_a_linear_layer_that_the_logits_do_not_come_out_of_is_refused() -> None:
    network = _LinearInTheMiddle()
    with Penultimate(network), pytest.raises(RequestError, match="no linear classifier"):
        network(torch.randn(2, 3, 2, 2))
    assert _hooks(network) == 0
