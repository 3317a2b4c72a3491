"""Hard labels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.plugins.labels.hard import Hard
from rethinkdc.testing import context, images
from rethinkdc.types import Supervision, ViewBatch, ViewKey
from rethinkdc.views import CutMix

# Two classes; softmax gives the rows 1/4 and 3/4, then 1/2 each.
LOGITS = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
LOG2, LOG4, LOG43 = math.log(2), math.log(4), math.log(4 / 3)


def supervision(folder: Path, classes: int = 2, **values: Any) -> Supervision:
    data = images(classes=classes, per_class=2)
    made = CompressedSet.of_rows(data, torch.arange(len(data)))
    found: Supervision = Hard(**values).prepare(made, context(folder, data=data))
    return found


def batch(partner: list[int] | None = None, area: list[float] | None = None) -> ViewBatch:
    hard = torch.tensor([0, 1])
    return ViewBatch(
        pixels=torch.zeros((2, 3, 4, 4), dtype=torch.uint8),
        rows=torch.tensor([0, 2]),
        hard=hard,
        key=ViewKey(0, 0, 0),
        partner_rows=None if partner is None else torch.tensor([0, 2])[partner],
        partner_hard=None if partner is None else hard[partner],
        area=None if area is None else torch.tensor(area),
    )


def losses(found: Supervision, shown: ViewBatch) -> Tensor:
    return found.loss(LOGITS, found.targets(shown))


def test_the_loss_of_a_view_is_the_cross_entropy_of_its_class(tmp_path: Path) -> None:
    found = losses(supervision(tmp_path), batch())
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([LOG4, LOG2])


def test_a_mix_weighs_both_classes_by_the_pasted_area(tmp_path: Path) -> None:
    """A quarter of the first view shows class 1, three eighths of the second show class 0."""
    found = losses(supervision(tmp_path), batch([1, 0], [0.25, 0.375]))
    assert found.tolist() == pytest.approx([0.75 * LOG4 + 0.25 * LOG43, LOG2])


def test_a_view_that_is_mixed_with_itself_or_shows_no_partner_is_as_without_a_mix(tmp_path: Path) -> None:
    plain = losses(supervision(tmp_path), batch())
    assert torch.allclose(losses(supervision(tmp_path), batch([0, 1], [0.5, 0.5])), plain)
    assert torch.allclose(losses(supervision(tmp_path), batch([1, 0], [0.0, 0.0])), plain)


def test_a_view_that_only_shows_its_partner_has_its_partners_class(tmp_path: Path) -> None:
    assert losses(supervision(tmp_path), batch([1, 0], [1.0, 1.0])).tolist() == pytest.approx([LOG43, LOG2])


def test_label_smoothing_spreads_its_share_over_all_classes(tmp_path: Path) -> None:
    found = losses(supervision(tmp_path, label_smoothing=0.2), batch())
    assert found.tolist() == pytest.approx([0.9 * LOG4 + 0.1 * LOG43, LOG2])


def test_the_mix_is_the_protocols_unless_it_is_set(tmp_path: Path) -> None:
    assert supervision(tmp_path).mix == "protocol"
    assert supervision(tmp_path, mix=None).mix is None
    assert isinstance(supervision(tmp_path, mix="cutmix").mix, CutMix)


@pytest.mark.parametrize(("classes", "size"), [(2, 1), (256, 1), (257, 2)])
def test_labels_cost_the_fewest_whole_bytes_that_hold_every_class(tmp_path: Path, classes: int, size: int) -> None:
    cost = supervision(tmp_path, classes=classes).cost
    assert (cost.label_bytes, cost.teacher_bytes, cost.teacher_at_training) == (size * 2 * classes, 0, False)


def test_hard_labels_belong_to_no_stored_views(tmp_path: Path) -> None:
    assert supervision(tmp_path).drawn(3) is None
