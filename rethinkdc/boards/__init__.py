"""Boards: tables of methods under equal conditions, from record files alone."""

from rethinkdc.boards.beside import ImageError, Lacking, Machine, Published, Robustness, Unmeasured
from rethinkdc.boards.board import Board
from rethinkdc.boards.index import LeftOut
from rethinkdc.boards.leaderboard import Ranking, rank_folder
from rethinkdc.boards.row import Missing, Row

__all__ = [
    "Board",
    "ImageError",
    "Lacking",
    "LeftOut",
    "Machine",
    "Missing",
    "Published",
    "Ranking",
    "Robustness",
    "Row",
    "Unmeasured",
    "rank_folder",
]
