"""Labels that are shown again at falling temperatures, held to the authors' code (LPQLD)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.labels import Cooling, CoolingTargets, LabelSchedule, TopLogits
from rethinkdc.training import Observer
from rethinkdc.training.length import Length

CLASSES, BATCH = 5, 4


def wave(*shape: int, seed: float) -> Tensor:
    """Numbers that no generator is needed for."""
    return torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 1.7 + seed).reshape(shape).float()


WEIGHT = wave(CLASSES, 6, seed=20.0)
IMAGES = [wave(BATCH, 6, seed=seed) for seed in (0.0, 1.0, 2.0, 3.0)]


class Kept:
    """A reader of the three largest logits of each batch."""

    bytes = 0

    def logits(self, batch: int) -> Tensor:
        coding = TopLogits(3, CLASSES)
        return coding.decode(coding.encode(20 * IMAGES[batch] @ WEIGHT.T))


def targets(**options: Any) -> CoolingTargets:
    schedule = LabelSchedule(Length(8, BATCH, 4, 2), 4, order=1, views=2)
    given = {"cooling": Cooling(20.0, 0.7, 1, 2.0), "calibrated": True, "t_squared": False, **options}
    return CoolingTargets(Kept(), schedule, mix=None, **given)  # type: ignore[arg-type]


class Student:
    """A linear student under SGD."""

    def __init__(self) -> None:
        self.layer = nn.Linear(6, CLASSES)
        with torch.no_grad():
            self.layer.weight.copy_(WEIGHT / 4)
            self.layer.bias.zero_()
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=0.1)

    def learn(self, found: CoolingTargets, epoch: int, batch: int) -> float:
        logits = self.layer(IMAGES[batch])
        hard = torch.arange(BATCH)
        loss = found.loss(logits, {"soft": Kept().logits(batch), "hard": hard}).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        found.batch(epoch, torch.arange(BATCH), logits.detach(), hard, None)
        return loss.item()


def test_losses_temperatures_and_weights_are_those_of_the_authors() -> None:
    """``train`` of train_FKD_LPQLD.py of he-y/soft-label-pruning-quantization-for-dataset-distillation at 107c7a5.

    It was run on a CPU on these batches, with ``MR-3`` labels, a temperature of max(2, 20 * .7**epoch), a student's
    temperature of 1 that is fitted after each epoch, and the same linear student.
    """
    found, student = targets(), Student()
    assert isinstance(found, Observer)
    losses, temperatures = [], []
    for epoch in range(2):
        losses += [student.learn(found, epoch, 2 * epoch + place) for place in range(2)]
        temperatures.append(found.temperatures[0])
        found.epoch_ended(epoch, student.layer)
        temperatures.append(found.temperatures[1])
    assert losses == pytest.approx([0.5654446, 0.5626202, 0.0184204, 0.0121096], abs=2e-6)
    assert temperatures == pytest.approx([14.0, 0.18, 9.8, 0.14], abs=1e-6)
    expected = [0.2393998, 0.0775182, -0.2593754, -0.0106800, 0.2621275, -0.0568673]
    assert student.layer.weight[0].tolist() == pytest.approx(expected, abs=2e-6)
    expected = [-0.0157795, 0.0001094, 0.0136311, 0.0013533, 0.0006857]
    assert student.layer.bias.tolist() == pytest.approx(expected, abs=2e-6)


def test_its_state_goes_on_in_the_middle_of_a_training() -> None:
    whole, student = targets(), Student()
    for batch in range(2):
        student.learn(whole, 0, batch)
    whole.epoch_ended(0, student.layer)
    other = targets()
    assert other.restore(whole.state())
    assert other.temperatures == whole.temperatures
    assert other.restore(None)
    assert other.temperatures == (14.0, 1.0)
    assert not other.restore({})


def test_the_temperature_falls_at_equal_intervals_to_its_floor() -> None:
    """Of the authors' 300 epochs, which they count from 1: 29 at 20, then 30 each at 14, 9.8, 6.86, ..."""
    cooling = Cooling(20.0, 0.7, 30, 2.0)
    assert [cooling.at(epoch) for epoch in (0, 28, 29, 58, 59)] == pytest.approx([20, 20, 14, 14, 9.8])
    assert cooling.at(299) == 2.0
    assert Cooling(1.5, 0.7, 30, 2.0).at(299) == 1.5


@pytest.mark.parametrize("squared", [False, True])
def test_without_calibration_the_student_has_the_labels_temperature(squared: bool) -> None:
    found = targets(calibrated=False, t_squared=squared)
    assert not found.wants_batches
    logits, soft = wave(BATCH, CLASSES, seed=5.0), Kept().logits(0)
    kept = soft.isfinite()
    theirs = torch.where(kept, soft / 14.0, -torch.inf).softmax(dim=1)
    ours = torch.log_softmax(logits / 14.0, dim=1)
    expected = torch.where(kept, theirs * (theirs.clamp(min=1e-30).log() - ours), 0.0).sum(dim=1)
    losses = found.loss(logits, {"soft": soft, "hard": torch.arange(BATCH)})
    assert torch.allclose(losses, expected * (196 if squared else 1), rtol=1e-5, atol=1e-6)
