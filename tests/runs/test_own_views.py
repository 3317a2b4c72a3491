"""Labels that are at chance on the set's own views, and what is not yet enough to say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.kinds import Labeler
from rethinkdc.notes import Notes
from rethinkdc.runs.own_views import Agreement, doubt_of_labels, measure_agreement
from rethinkdc.testing import context, images
from rethinkdc.types import Drawn, ViewKey

TEACHERS = {"trained": {"top1": 0.9, "for": ["labels"]}}


@pytest.mark.parametrize(
    ("hits", "views", "pictures", "largest", "at_chance"),
    [
        # Of 100 images of ten classes a tenth by chance, give or take 2 sqrt(.09 / 100) = 6 points.
        (15, 100, 100, 0.10, True),
        (17, 100, 100, 0.10, False),
        # The same of ten images tells nothing.
        (1, 100, 10, 0.10, False),
        # One class alone is always named.
        (100, 100, 100, 1.00, False),
        # Three quarters are one class: naming it is no agreement.
        (75, 100, 100, 0.75, True),
    ],
)
def test_labels_are_at_chance_within_the_error_of_so_many_images(
    hits: int, views: int, pictures: int, largest: float, at_chance: bool
) -> None:
    found = Agreement(hits, views, pictures, largest)
    assert found.at_chance() == at_chance
    assert bool(doubt_of_labels(found, Notes.model_validate({"teachers": TEACHERS}))) == at_chance


@pytest.mark.parametrize(
    ("notes", "cause"),
    [
        ({"teachers": TEACHERS}, "a teacher that is right of 90.00%"),
        ({"teachers": {"t": {"top1": 0.1, "for": ["labels"]}}}, "knows little of this data"),
        ({"teachers": {"t": {"top1": 0.9, "for": ["synthesis"]}}}, "learned labels"),
        ({}, "learned labels"),
    ],
)
def test_the_likeliest_cause_depends_on_who_gave_the_labels(notes: dict[str, Any], cause: str) -> None:
    assert cause in doubt_of_labels(Agreement(0, 100, 100, 0.1), Notes.model_validate(notes))


@pytest.mark.parametrize(("shift", "at_chance"), [(0, False), (1, True)])
def test_learned_labels_of_classes_in_another_order_are_found(shift: int, at_chance: bool, tmp_path: Path) -> None:
    here = context(tmp_path, data=images(), protocol="digits-soft", ipc=10)
    rows = torch.cat([torch.arange(first, first + 10) for first in range(0, 80, 20)])
    plain = CompressedSet.of_rows(here.data, rows)
    made = replace(plain, soft_targets=20 * torch.eye(4)[(plain.targets + shift) % 4])
    supervision = here.method(Labeler, "soft-static:source=learned").prepare(made, here)
    found = measure_agreement(made, supervision, here)
    assert found is not None
    assert found.at_chance() == at_chance
    assert found.images == 40


def test_of_a_mixed_view_the_larger_part_is_asked_for_and_hard_labels_are_not_doubted(tmp_path: Path) -> None:
    here = context(tmp_path, data=images(), protocol="digits-soft", ipc=10)
    made = CompressedSet.of_rows(here.data, torch.arange(80))
    assert measure_agreement(made, here.method(Labeler, "hard").prepare(made, here), here) is None
    asked = Asked(made)
    found = measure_agreement(made, asked, here)
    assert found is not None
    assert (found.hits, found.views) == (found.views, asked.views)


class Asked:
    """Right of whatever fills most of a view."""

    mix = "protocol"
    cost: Any = None

    def __init__(self, made: CompressedSet) -> None:
        self.made, self.views = made, 0

    def drawn(self, step: int) -> Drawn:
        return Drawn(ViewKey(step, 0, 0), torch.randperm(80, generator=torch.Generator().manual_seed(step))[:30])

    def targets(self, batch: Any) -> dict[str, Tensor]:
        self.views += len(batch.rows)
        own = torch.eye(4)[batch.hard]
        area = batch.area[:, None]
        return {"probabilities": (1 - area) * own + area * torch.eye(4)[batch.partner_hard]}

    def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        raise AssertionError("no student is trained")
