"""Soft labels: losses, teachers asked as one, what is stored and how it is read back."""

from rethinkdc.labels.coding import Coding, Dense, Quantised, TopK
from rethinkdc.labels.ensemble import Averaging, Ensemble
from rethinkdc.labels.losses import distillation, divergence, mse_gt
from rethinkdc.labels.schedule import LabelSchedule
from rethinkdc.labels.shards import LabelReader, Shards, write_labels
from rethinkdc.labels.supervision import Objective, OnlineTargets, StaticTargets, StoredTargets

__all__ = [
    "Averaging",
    "Coding",
    "Dense",
    "Ensemble",
    "LabelReader",
    "LabelSchedule",
    "Objective",
    "OnlineTargets",
    "Quantised",
    "Shards",
    "StaticTargets",
    "StoredTargets",
    "TopK",
    "distillation",
    "divergence",
    "mse_gt",
    "write_labels",
]
