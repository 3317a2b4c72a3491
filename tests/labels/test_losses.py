"""The losses of soft labels, against numbers worked by hand and direct formulas."""

from __future__ import annotations

import math

import pytest
import torch

from rethinkdc.labels import distillation, divergence, mse_gt, refined_cosine
from rethinkdc.seeds import generator


def test_the_divergence_of_two_classes_is_the_hand_worked_one() -> None:
    """T = 2: the teacher says (3/4, 1/4), the student (1/2, 1/2); KL = .75 ln 1.5 + .25 ln .5."""
    teacher = torch.tensor([[2 * math.log(3.0), 0.0]])
    student = torch.tensor([[0.0, 0.0]])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert distillation(student, teacher, 2.0).item() == pytest.approx(expected, rel=1e-6)
    assert distillation(student, teacher, 2.0, t_squared=True).item() == pytest.approx(4 * expected, rel=1e-6)
    assert divergence(student, torch.tensor([[0.75, 0.25]]), 2.0).item() == pytest.approx(expected, rel=1e-6)


def test_a_probability_of_zero_adds_nothing() -> None:
    losses = divergence(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), 1.0)
    assert losses.item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-6)


def test_the_gradient_is_the_difference_of_the_probabilities_over_the_temperature() -> None:
    student = torch.randn((3, 5), generator=generator(0)).requires_grad_()
    teacher = torch.randn((3, 5), generator=generator(1))
    (gradient,) = torch.autograd.grad(distillation(student, teacher, 4.0).sum(), student)
    expected = (torch.softmax(student / 4, 1) - torch.softmax(teacher / 4, 1)) / 4
    assert torch.allclose(gradient, expected, atol=1e-7)


def test_the_squared_error_with_the_true_class_is_the_hand_worked_one() -> None:
    """((1 - 0)^2 + (0 - 2)^2) / 2 = 2.5, and the cross-entropy of class 1 under (1, 0) is ln(1 + e)."""
    found = mse_gt(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([1]), 0.1)
    assert found.item() == pytest.approx(2.5 + 0.1 * math.log(1 + math.e), rel=1e-6)


def test_gifts_loss_and_gradient_are_those_of_the_authors() -> None:
    """``compute_loss("gift", ...)`` of LINs-lab/GIFT (validate/losses_benchmark.py at 38db552), run on these inputs.

    Its ``cuda()`` was made to do nothing; its loss is the mean over the batch, whose rows were also given one by one.
    """
    logits = torch.tensor([[1.5, -0.5, 0.25, 0.0], [-2.0, 1.0, 3.0, 0.5], [0.1, 0.2, 0.3, -0.4]], requires_grad=True)
    teacher = torch.tensor([[4.0, -1.0, 0.5, 2.0], [0.0, -3.0, 5.0, 1.0], [-0.5, 2.5, 1.0, 0.25]])
    losses = refined_cosine(logits, teacher, torch.tensor([0, 1, 1]), weight=0.1, smoothing=0.1)
    assert losses.tolist() == pytest.approx([0.09011859, 0.38612145, 0.57162696], abs=2e-7)
    (gradient,) = torch.autograd.grad(losses.mean(), logits)
    expected = [
        [-0.00749011, -0.01840033, 0.00813990, -0.08367842],
        [-0.02906042, 0.05193201, -0.03522531, -0.00875380],
        [0.14682442, -0.46683142, -0.06184085, -0.24309024],
    ]
    assert torch.allclose(gradient, torch.tensor(expected), atol=2e-7)


def test_gifts_loss_knows_no_scale() -> None:
    logits, teacher = torch.randn((3, 5), generator=generator(0)), torch.randn((3, 5), generator=generator(1))
    hard = torch.tensor([0, 1, 2])
    once = refined_cosine(logits, teacher, hard, weight=0.1, smoothing=0.1)
    assert torch.allclose(refined_cosine(7 * logits, 9 * teacher, hard, weight=0.1, smoothing=0.1), once, atol=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = refined_cosine(logits, teacher, hard, weight=0.1, smoothing=0.1)
    assert torch.equal(inside, once)


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_autocast_does_not_touch_the_divergence_of_a_thousand_classes(temperature: float) -> None:
    """At T = 20 it lives in the third digit, which bfloat16 does not have."""
    student = 3 * torch.randn((16, 1000), generator=generator(0))
    teacher = 3 * torch.randn((16, 1000), generator=generator(1))
    exact = distillation(student.double(), teacher.double(), temperature)
    plain = distillation(student, teacher, temperature)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = distillation(student, teacher, temperature)
        targets = torch.softmax(teacher / temperature, dim=1)
        of_probabilities = divergence(student, targets, temperature)
    assert inside.dtype == torch.float32
    assert torch.allclose(inside, plain, rtol=1e-4, atol=0)
    assert torch.allclose(of_probabilities, plain, rtol=1e-4, atol=0)
    assert torch.allclose(plain, exact, rtol=1e-4, atol=0)
    in_half = distillation(student.bfloat16().float(), teacher.bfloat16().float(), temperature)
    assert not torch.allclose(in_half, plain, rtol=1e-4, atol=0)
