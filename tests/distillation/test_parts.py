"""From the parts that a synthesiser makes to its set: nothing that was learned is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rethinkdc.compressed import load_working, save_working
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.errors import RequestError
from rethinkdc.seeds import generator
from rethinkdc.testing import context, images

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
NAMES = ("class 0", "class 1", "class 2", "class 3")


def trajectory_part(index: int) -> dict[str, Tensor]:
    """A class's part as trajectory matching makes it: images, learned labels, and the one learned rate."""
    draws = generator(index)
    return make_part(
        torch.randn((2, 3, 6, 6), generator=draws),
        torch.full((2,), index),
        MEAN,
        STD,
        soft_targets=torch.randn((2, 4), generator=draws),
        student_lr=0.037,
        weights=torch.tensor([1.0, 3.0]),
        sources=torch.tensor([[index], [-1]]),
        source_boxes=torch.tensor([0, 0, 4, 4], dtype=torch.int32).expand(2, 1, 4),
    )


def test_what_was_learned_is_in_the_set_also_after_the_parts_lay_on_disk(tmp_path: Path) -> None:
    fresh = [trajectory_part(index) for index in range(4)]
    made = assemble_set(context(tmp_path / "run", data=images()).parts(4, trajectory_part), NAMES)
    assert made.student_lr == 0.037
    assert made.fingerprint == assemble_set(fresh, NAMES).fingerprint
    for name in ("soft_targets", "sources", "source_boxes", "targets"):
        found = getattr(made, name)
        assert torch.equal(found, torch.cat([part[name] for part in fresh])), name
    assert made.weights is not None
    assert made.weights.tolist() == [0.5, 1.5] * 4
    assert made.card.clamp_error == max(float(part["errors"][0]) for part in fresh) > 0
    (folder := tmp_path / "set").mkdir()
    save_working(made, folder)
    again = load_working(folder, images())
    assert (again.student_lr, again.fingerprint) == (0.037, made.fingerprint)


def test_learned_labels_keep_their_softmax() -> None:
    labels = torch.tensor([[1e5, 1e5 + 1, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4]])
    made = assemble_set([make_part(torch.zeros(2, 3, 6, 6), torch.arange(2), MEAN, STD, soft_targets=labels)], NAMES)
    assert made.soft_targets is not None
    assert torch.allclose(made.soft_targets.float().softmax(1), labels.softmax(1), atol=1e-3)


def test_a_rate_that_differs_between_parts_is_refused() -> None:
    parts = [make_part(torch.zeros(1, 3, 6, 6), torch.arange(1), MEAN, STD, student_lr=rate) for rate in (0.1, 0.2)]
    with pytest.raises(RequestError, match="one student_lr"):
        assemble_set(parts, NAMES)
