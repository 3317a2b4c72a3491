"""What all tests share."""

from __future__ import annotations

import os

import pytest
import torch

# Small networks gain nothing from more threads, and tests side by side would fight for the cores.
torch.set_num_threads(1)
# A plugin under test is not slow because the machine is busy.
os.environ.setdefault("RETHINKDC_PLUGIN_SECONDS", "300")


@pytest.fixture(autouse=True)
def _own_numbers() -> None:
    """What a test draws from torch's global generator does not depend on the tests before it."""
    torch.manual_seed(0)
