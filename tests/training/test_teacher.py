"""A frozen teacher: its input, its logits, and that nothing changes it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rethinkdc.errors import RequestError
from rethinkdc.models import weights_digest
from rethinkdc.seeds import generator
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


def network(norm: bool = True) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 4, 3, padding=1)]
    layers += [nn.BatchNorm2d(4)] if norm else []
    module = nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    with torch.no_grad():
        for index, tensor in enumerate(module.state_dict().values()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator(index)) + 0.1)
    return module


def teacher(size: int = 8, norm: bool = True) -> Teacher:
    return Teacher("one", "a net", network(norm).train(), MEAN, STD, size, TestView(resize=size, size=size))


def pixels(count: int = 6, size: int = 8) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator(9))


def test_logits_are_the_networks_on_normalised_pixels_in_evaluation_mode() -> None:
    found = teacher()
    plain = network().eval()
    normalised = (pixels().double() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    assert torch.allclose(found.logits(pixels()), plain(normalised.float()), atol=1e-5)
    assert torch.allclose(found.logits(pixels().float() / 255), plain(normalised.float()), atol=1e-5)
    assert not any(module.training for module in found.module.modules())


def test_views_of_another_size_are_resized_to_the_teachers() -> None:
    small = F.interpolate(pixels(size=16).float() / 255, size=(8, 8), mode="bilinear", antialias=True)
    assert torch.allclose(teacher().logits(pixels(size=16)), teacher().logits(small), atol=1e-6)


def test_asking_changes_neither_weights_nor_statistics() -> None:
    found = teacher()
    before = weights_digest(found.module)
    found.logits(pixels())
    found.with_batch_statistics().logits(pixels())
    images = found.normalised(pixels()).requires_grad_()
    found.classify(images).sum().backward()
    assert images.grad is not None
    assert weights_digest(found.module) == before
    assert all(parameter.grad is None for parameter in found.module.parameters())


def test_batch_statistics_are_those_that_training_mode_would_use() -> None:
    plain = network().train()
    found = teacher()
    expected = plain(found.normalised(pixels()))
    batched = found.with_batch_statistics()
    assert torch.allclose(batched.logits(pixels()), expected, atol=1e-5)
    assert torch.equal(batched.logits(pixels()), batched.logits(pixels()))
    assert not torch.allclose(found.logits(pixels()), expected, atol=1e-2)
    assert not torch.allclose(batched.logits(pixels())[:3], batched.logits(pixels()[:3]), atol=1e-5)


def test_a_teacher_without_batchnorm_has_no_batch_statistics() -> None:
    with pytest.raises(RequestError, match=r"The teacher one has no BatchNorm layer.*teacher_bn=running"):
        teacher(norm=False).with_batch_statistics()


def test_the_bytes_are_those_of_parameters_and_buffers() -> None:
    convolution, norm, counter, linear = 3 * 4 * 9 + 4, 4 * 4, 8, 4 * 5 + 5
    assert teacher().bytes == 4 * (convolution + norm + linear) + counter


def test_the_normalised_input_is_the_callers_own() -> None:
    found = teacher()
    first = found.normalised(pixels())
    kept = first.clone()
    found.normalised(255 - pixels())
    assert torch.equal(first, kept)
