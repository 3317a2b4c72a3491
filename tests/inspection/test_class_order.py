"""The order of a set's classes, fitted to one half of its images and judged on the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.inspection.class_order import fit_order
from rethinkdc.seeds import generator

CLASSES = 7


def predictions(classes: Tensor, sure: float) -> Tensor:
    """Probabilities of a teacher that names the right class as often as ``sure`` says: float [M, C]."""
    drawn = generator(4)
    other = torch.randint(0, CLASSES, classes.shape, generator=drawn)
    named = torch.where(torch.rand(len(classes), generator=drawn) < sure, classes, other)
    return torch.nn.functional.one_hot(named, CLASSES).double() * 0.8 + 0.2 / CLASSES


@pytest.mark.parametrize("seed", range(3))
def test_any_order_is_found_from_what_a_teacher_says(seed: int) -> None:
    order = torch.randperm(CLASSES, generator=generator(seed))
    assumed = torch.arange(CLASSES).repeat(6)
    found = fit_order(predictions(order[assumed], 0.9), assumed)
    assert torch.equal(found.places, order)
    assert bool(found.judged.all())
    assert found.found.double().mean() > 0.8
    assert found.declared.double().mean() == (predictions(order[assumed], 0.9).argmax(1) == assumed).double().mean()


def test_a_right_order_is_left_as_it_is() -> None:
    assumed = torch.arange(CLASSES).repeat(12)
    found = fit_order(predictions(assumed, 0.9), assumed)
    assert torch.equal(found.places, torch.arange(CLASSES))
    assert torch.equal(found.found, found.declared)


def test_one_image_of_a_class_is_fitted_and_never_judged() -> None:
    order = torch.arange(CLASSES).roll(1)
    assumed = torch.arange(CLASSES)
    found = fit_order(predictions(order, 1.0), assumed)
    assert not bool(found.judged.any())
    assert not bool(found.found.any()), "an order that always fits would be a proof of nothing"


def test_classes_without_images_are_not_moved() -> None:
    assumed = torch.tensor([0, 0, 2, 2])
    found = fit_order(predictions(torch.tensor([2, 2, 0, 0]), 1.0), assumed)
    assert found.places.tolist() == [2, 1, 0, 3, 4, 5, 6]
    assert bool(found.found.all())


def test_noise_gives_no_order_that_holds_on_the_other_half() -> None:
    assumed = torch.arange(CLASSES).repeat(40)
    found = fit_order(predictions(assumed, 0.0), assumed)
    assert found.found.double().mean() < 0.3
