"""What all tests share."""

from __future__ import annotations

import torch

# Small networks gain nothing from more threads, and tests side by side would fight for the cores.
torch.set_num_threads(1)
