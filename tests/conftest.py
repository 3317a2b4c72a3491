"""What all tests share."""

from __future__ import annotations

import pytest
import torch

# Small networks gain nothing from more threads, and tests side by side would fight for the cores.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_numbers() -> None:
    """What a test draws from torch's global generator does not depend on the tests before it."""
    torch.manual_seed(0)
