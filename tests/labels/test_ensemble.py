"""Several teachers asked as one, also where ranks share a batch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rethinkdc import ranks
from rethinkdc.labels import Ensemble
from rethinkdc.seeds import generator
from rethinkdc.training import TestView
from rethinkdc.training.share import share_of
from rethinkdc.training.teacher import Teacher
from rethinkdc.training.together import Together
from tests.ranks.launching import launch, values

CLASSES, SIZE = 3, 4
CPU = torch.device("cpu")


def teacher(seed: int, scale: float) -> Teacher:
    linear = nn.Linear(3 * SIZE * SIZE, CLASSES, bias=False)
    linear.weight.data = torch.randn(CLASSES, 3 * SIZE * SIZE, generator=generator(seed)) * scale
    network = nn.Sequential(nn.Flatten(), linear)
    view = TestView(resize=SIZE, size=SIZE)
    return Teacher("t", seed, network, (0.5,) * 3, (0.5,) * 3, SIZE, view)


def asked(count: int, averaging: str) -> Tensor:
    """What the teachers say of this rank's share of a batch, those who have none of one view that does not count."""
    pixels = torch.rand((count, 3, SIZE, SIZE), generator=generator(7))
    together = Together(share_of(8, 1), CPU)
    own = together.share.places(count)
    with together.asking(count):
        said = Ensemble([teacher(1, 1.0), teacher(2, 9.0)], averaging).logits(pixels[own])  # type: ignore[arg-type]
    return said[: len(together.share.own(count))]


@pytest.mark.parametrize("averaging", ["mean", "normed"])
@pytest.mark.parametrize("count", [8, 5, 1])
def test_ranks_that_share_a_batch_bring_teachers_to_the_norm_of_all_of_it(
    count: int, averaging: str, tmp_path: Path
) -> None:
    whole = asked(count, averaging)
    shares = values(launch(2, partial(asked, count, averaging), tmp_path))
    assert not ranks.together()
    assert all(len(share) < len(whole) or count == 1 for share in shares)
    torch.testing.assert_close(torch.cat(shares), whole)
