"""The digest of a network's weights."""

from __future__ import annotations

import torch
from torch import nn

from rethinkdc.models import weights_digest


def test_the_digest_of_weights_tells_one_changed_bit_and_a_buffer() -> None:
    def digest(change: float = 0.0, running: float = 0.0) -> str:
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        with torch.no_grad():
            for tensor in model.parameters():
                tensor.fill_(0.5)
            model.get_parameter("0.weight")[1, 1] += change
            model.get_buffer("1.running_mean")[0] = running
        return weights_digest(model)

    assert digest() == digest()
    assert len({digest(), digest(change=1e-7), digest(running=1e-7)}) == 3
