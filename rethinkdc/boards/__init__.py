"""Boards: tables of methods under equal conditions, from record files alone."""

from rethinkdc.boards.beside import ImageError, Lacking, Machine, Published, Robustness, Unmeasured
from rethinkdc.boards.board import Board
from rethinkdc.boards.leaderboard import leaderboard
from rethinkdc.boards.row import Missing, Row

__all__ = [
    "Board",
    "ImageError",
    "Lacking",
    "Machine",
    "Missing",
    "Published",
    "Robustness",
    "Row",
    "Unmeasured",
    "leaderboard",
]
