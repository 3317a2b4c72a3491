"""Choosing rows: quotas, picks by score, grids of cells."""

from rethinkdc.selection.quota import check_supply, class_counts
from rethinkdc.selection.select import Picked, pick, random_rows

__all__ = ["Picked", "check_supply", "class_counts", "pick", "random_rows"]
