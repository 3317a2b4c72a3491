"""Combination: several images on one canvas."""

from rethinkdc.combination.canvases import permute_patches, store_rows
from rethinkdc.combination.combination import Combination
from rethinkdc.combination.grid import canvas_weights, cells_of, combine_rows

__all__ = [
    "Combination",
    "canvas_weights",
    "cells_of",
    "combine_rows",
    "permute_patches",
    "store_rows",
]
