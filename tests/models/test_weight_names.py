"""Weights of other code give the logits that they give there: each forward is written again here, from its tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.errors import RequestError
from rethinkdc.models import Weights, build_seeded, fill_network
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator

Tensors = dict[str, Tensor]


def network(reference: str, classes: int, size: int) -> nn.Module:
    module = build_seeded(Registry().build("model", reference), classes, size, 0)  # type: ignore[arg-type]
    return module.eval()


def logits(module: nn.Module, tensors: Tensors, images: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    told = fill_network(module, Weights(tensors), "a.pth", "m")
    with torch.no_grad():
        return module(images), told


def drawn(shapes: dict[str, tuple[int, ...]], seed: int) -> Tensors:
    """Random weights; variances and scales of norms are positive."""
    made, draws = {}, generator(seed)
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=draws)
        scale = max(1, int(torch.tensor(shape[1:]).prod())) ** 0.5
        made[name] = values.abs() + 0.5 if name.endswith("running_var") else values / scale
    return made


# -- features and classifier -------------------------------------------------------------------------------------------


def features(depth: int, width: int, norm: str | None, side: int, classes: int) -> Tensors:
    stride = 4 if norm else 3
    shapes: dict[str, tuple[int, ...]] = {}
    for block in range(depth):
        shapes[f"features.{block * stride}.weight"] = (width, width if block else 3, 3, 3)
        shapes[f"features.{block * stride}.bias"] = (width,)
        if norm:
            known = ("weight", "bias", "running_mean", "running_var")
            for name in known if norm == "batch" else known[:2]:
                shapes[f"features.{block * stride + 1}.{name}"] = (width,)
    shapes |= {"classifier.weight": (classes, width * side * side), "classifier.bias": (classes,)}
    return drawn(shapes, 1)


def features_forward(tensors: Tensors, images: Tensor, depth: int, norm: str | None) -> Tensor:
    stride = 4 if norm else 3
    for block in range(depth):
        at = f"features.{block * stride}"
        images = F.conv2d(images, tensors[f"{at}.weight"], tensors[f"{at}.bias"], padding=1)
        scale = {name.split(".")[-1]: tensors[name] for name in tensors if name.startswith(f"features.{block * 4 + 1}")}
        if norm == "instance":
            images = F.instance_norm(images, weight=scale["weight"], bias=scale["bias"])
        elif norm == "batch":
            images = F.batch_norm(images, scale["running_mean"], scale["running_var"], scale["weight"], scale["bias"])
        images = F.avg_pool2d(F.relu(images), 2)
    return F.linear(images.flatten(1), tensors["classifier.weight"], tensors["classifier.bias"])


@pytest.mark.parametrize("norm", ["instance", "batch", None])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_convnets_with_features_and_a_classifier_give_their_own_logits(norm: str | None, prefix: str) -> None:
    tensors = features(2, 6, norm, 2, 5)
    images = torch.randn((3, 3, 8, 8), generator=generator(0))
    module = network(f"convnet:depth=2,width=6,norm={norm or 'none'}", 5, 8)
    got, told = logits(module, {prefix + name: tensors[name] for name in tensors}, images)
    assert torch.allclose(got, features_forward(tensors, images, 2, norm), atol=1e-4)
    assert "features and classifier" in told[-1]


def test_a_group_norm_of_other_groups_is_refused_though_its_tensors_fit() -> None:
    with pytest.raises(RequestError, match=r"has 4 groups; the one of this model has 8"):
        fill_network(
            network("convnet:depth=1,width=16,norm=group", 5, 8), Weights(features(1, 16, "g", 4, 5)), "a", "m"
        )


def test_features_of_another_depth_are_refused() -> None:
    with pytest.raises(RequestError, match="does not fit the model"):
        fill_network(network("convnet:depth=3,width=6", 5, 8), Weights(features(2, 6, "batch", 2, 5)), "a", "m")


# -- CIFAR ResNets -----------------------------------------------------------------------------------------------------

_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{key}": (width,) for key in ("weight", "bias", "running_mean", "running_var")} | {
        f"{name}.num_batches_tracked": ()
    }


def resnet(names: dict[str, str]) -> Tensors:
    """Tensors of an 18-layer network of basic blocks, named as ``names`` says."""
    shapes: dict[str, tuple[int, ...]] = {names["stem"] + ".weight": (64, 3, 3, 3), **norm_shapes(names["norm"], 64)}
    inside = 64
    for stage, (width, stride) in enumerate(_STAGES):
        for block in range(2):
            at = f"{names['stage'].format(stage + 1, stage + 2)}.{block}."
            shapes[f"{at}{names['first']}.weight"] = (width, inside, 3, 3)
            shapes |= norm_shapes(at + names["first norm"], width)
            shapes[f"{at}{names['second']}.weight"] = (width, width, 3, 3)
            shapes |= norm_shapes(at + names["second norm"], width)
            if not block and (stride != 1 or inside != width):
                shapes[f"{at}shortcut.0.weight"] = (width, inside, 1, 1)
                shapes |= norm_shapes(f"{at}shortcut.1", width)
            inside = width
    shapes |= {f"{names['last']}.weight": (4, 512), f"{names['last']}.bias": (4,)}
    return drawn(shapes, 2)


def resnet_forward(tensors: Tensors, names: dict[str, str], images: Tensor) -> Tensor:
    def convolved(images: Tensor, convolution: str, norm: str, stride: int = 1) -> Tensor:
        weight = tensors[f"{convolution}.weight"]
        images = F.conv2d(images, weight, stride=stride, padding=weight.shape[-1] // 2)
        mean, variance = tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"]
        return F.batch_norm(images, mean, variance, tensors[f"{norm}.weight"], tensors[f"{norm}.bias"])

    images = F.relu(convolved(images, names["stem"], names["norm"]))
    for stage, (_, stride) in enumerate(_STAGES):
        for block in range(2):
            at = f"{names['stage'].format(stage + 1, stage + 2)}.{block}."
            step = 1 if block else stride
            inner = F.relu(convolved(images, at + names["first"], at + names["first norm"], step))
            inner = convolved(inner, at + names["second"], at + names["second norm"])
            short = f"{at}shortcut.0.weight" in tensors
            images = F.relu(
                inner + (convolved(images, f"{at}shortcut.0", f"{at}shortcut.1", step) if short else images)
            )
    pooled = F.avg_pool2d(images, 4).flatten(1)
    return F.linear(pooled, tensors[f"{names['last']}.weight"], tensors[f"{names['last']}.bias"])


_PLAIN = {
    "stem": "conv1",
    "norm": "bn1",
    "stage": "layer{0}",
    "first": "conv1",
    "first norm": "bn1",
    "second": "conv2",
    "second norm": "bn2",
    "last": "linear",
}
NAMES: dict[str, dict[str, str]] = {
    "shortcut and linear": _PLAIN,
    "shortcut and classifier": {**_PLAIN, "last": "classifier"},
    "residual_function": {
        "stem": "conv1.0",
        "norm": "conv1.1",
        "stage": "conv{1}_x",
        "first": "residual_function.0",
        "first norm": "residual_function.1",
        "second": "residual_function.3",
        "second norm": "residual_function.4",
        "last": "fc",
    },
}


@pytest.mark.parametrize("case", NAMES)
def test_cifar_resnets_give_their_own_logits(case: str) -> None:
    names = NAMES[case]
    tensors = resnet(names)
    images = torch.randn((2, 3, 32, 32), generator=generator(0))
    got, told = logits(network("resnet18-3x3", 4, 32), tensors, images)
    expected = resnet_forward(tensors, names, images)
    assert float(expected.std()) > 0.01
    assert torch.allclose(got, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    assert "CIFAR ResNet" in told[-1]


def test_counters_that_a_file_lacks_do_not_matter() -> None:
    tensors: Any = resnet(_PLAIN)
    bare = {name: tensors[name] for name in tensors if "num_batches" not in name}
    images = torch.randn((1, 3, 32, 32), generator=generator(0))
    assert torch.equal(
        logits(network("resnet18-3x3", 4, 32), bare, images)[0],
        logits(network("resnet18-3x3", 4, 32), tensors, images)[0],
    )


def test_a_network_without_running_statistics_is_refused() -> None:
    """Code that trains such networks with instance norms gives its tensors the same names."""
    tensors = {name: tensor for name, tensor in resnet(_PLAIN).items() if "running" not in name}
    with pytest.raises(RequestError, match="running_mean is missing"):
        fill_network(network("resnet18-3x3", 4, 32), Weights(tensors), "a.pth", "m")
