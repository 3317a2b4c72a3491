"""Choosing rows by score, and combining them on canvases."""

from rethinkdc.pruning.pick import Picked, pick, random_rows

__all__ = ["Picked", "pick", "random_rows"]
