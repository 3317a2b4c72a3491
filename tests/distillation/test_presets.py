"""Whose values a run takes, and that a user's own come first."""

from __future__ import annotations

import pytest

from rethinkdc.distillation import nearest_dataset
from rethinkdc.distillation.inverting import Inverting
from rethinkdc.registry.registry import Registry

NAMES = ("sre2l", "cda", "dwa", "lpld")


def method(reference: str) -> Inverting:
    found = Registry().build("compressor", reference)
    assert isinstance(found, Inverting)
    return found


@pytest.mark.parametrize(
    ("size", "classes", "expected"),
    [
        (8, 10, ("cifar10", False)),
        (32, 10, ("cifar10", True)),
        (32, 100, ("cifar100", True)),
        (64, 200, ("tiny-imagenet", True)),
        (64, 10, ("tiny-imagenet", False)),
        (224, 1000, ("imagenet-1k", True)),
        (128, 100, ("imagenet-1k", False)),
        (224, 10450, ("imagenet-21k", True)),
    ],
)
def test_a_dataset_is_known_by_its_size_and_classes(size: int, classes: int, expected: tuple[str, bool]) -> None:
    assert nearest_dataset(size, classes) == expected


# Of the authors' scripts: iterations, learning rate, weight, batch, crop, roll.
PAPERS = {
    ("sre2l", "imagenet1k-soft"): (4000, 0.25, 0.01, 100, True, (0, 32)),
    ("sre2l", "tiny-imagenet-soft"): (4000, 0.1, 1.0, 100, True, (-4, 4)),
    ("sre2l", "cifar100-soft"): (1000, 0.25, 0.01, 100, False, (0, 4)),
    ("sre2l", "cifar10-soft"): (1000, 0.25, 0.01, 100, False, (0, 4)),
    ("cda", "imagenet1k-soft"): (4000, 0.25, 0.01, 100, True, (0, 32)),
    ("cda", "tiny-imagenet-soft"): (4000, 0.4, 0.05, 100, True, (0, 4)),
    ("dwa", "imagenet1k-soft"): (2000, 0.25, 0.01, 100, True, (0, 32)),
    ("dwa", "tiny-imagenet-soft"): (2000, 0.1, 0.01, 200, True, (0, 4)),
    ("dwa", "cifar10-soft"): (1000, 0.25, 0.01, 100, False, (0, 4)),
    ("lpld", "imagenet1k-soft"): (4000, 0.25, 0.01, None, True, (0, 32)),
    ("lpld", "tiny-imagenet-soft"): (4000, 0.1, 0.05, 100, True, (-4, 4)),
}


@pytest.mark.parametrize(("name", "protocol"), PAPERS)
def test_the_values_are_the_papers(name: str, protocol: str) -> None:
    found = method(name).settings(Registry().protocols.find(protocol), None)
    keys = ("iterations", "lr", "bn_weight", "batch", "crop", "roll")
    assert tuple(found[key].value for key in keys) == PAPERS[name, protocol]
    assert found["first_bn"].value == 10.0


def test_what_the_adjusted_weights_need_is_the_papers_too() -> None:
    protocols = ("imagenet1k-soft", "tiny-imagenet-soft", "cifar100-soft")
    found = [method("dwa").settings(Registry().protocols.find(name), None) for name in protocols]
    assert [(one["bn_variance"].value, one["steps"].value, one["rho"].value) for one in found] == [
        (2.0, 15, 0.015),
        (11.0, 12, 0.015),
        (11.0, 12, 0.015),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_users_value_wins_and_every_source_is_told(name: str) -> None:
    found = method(f"{name}:lr=0.5,roll=[1,2]").settings(Registry().protocols.find("digits-soft"), None)
    assert found["lr"] == (0.5, "given")
    assert found["roll"] == ((1, 2), "given")
    assert found["min_area"] == (0.08, "default")
    assert "8 px and 10 classes are taken as cifar10" in found["iterations"].source
    assert set(found) == set(type(method(name)).model_fields)


def test_canvases_smaller_than_the_papers_are_shifted_by_the_same_share() -> None:
    registry = Registry()
    digits, cifar = registry.protocols.find("digits-soft"), registry.protocols.find("cifar10-soft")
    found = method("sre2l").settings(digits, None)["roll"]
    assert found.value == (0, 1)
    assert found.source.endswith("8 px and 10 classes are taken as cifar10; shifts scaled from 32 px")
    assert method("sre2l").settings(cifar, None)["roll"].value == (0, 4)
    assert method("sre2l:roll=[-4,4]").settings(digits, None)["roll"] == ((-4, 4), "given")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["imagenet1k-soft", "tiny-imagenet-soft", "cifar100-soft", "cifar10-soft"])
def test_no_value_is_left_open(name: str, protocol: str) -> None:
    found = method(name).settings(Registry().protocols.find(protocol), None)
    assert {key for key, one in found.items() if one.value is None} <= {"teacher", "batch"}
