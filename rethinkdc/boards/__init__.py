"""Boards: tables of methods under equal conditions, from record files alone."""

from rethinkdc.boards.board import Board, leaderboard
from rethinkdc.boards.row import Missing, Row
from rethinkdc.boards.spread import Difference, Spread

__all__ = ["Board", "Difference", "Missing", "Row", "Spread", "leaderboard"]
