"""Shapley values: what each of a few switches adds, whatever else is on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import TypeVar

P = TypeVar("P")


def attribute(worth: Mapping[frozenset[P], float], players: Sequence[P]) -> dict[P, float]:
    """The Shapley value of each player (Shapley, *Contributions to the Theory of Games* II, 1953), exactly.

    phi_i = sum over S without i of [v(S + i) - v(S)] / (n C(n - 1, |S|)): what i adds, averaged over all orders in
    which the players can come. They sum to v(all) - v(none); what several add only together is split evenly among
    them.

    Args:
        worth: v of each of the 2^n coalitions.
        players: the n players.

    Raises:
        KeyError: a coalition has no worth.
    """
    return {player: _value(player, worth, [other for other in players if other != player]) for player in players}


def coalitions(players: Collection[P]) -> list[frozenset[P]]:
    """All 2^n coalitions, the smallest first, in the players' order."""
    return [frozenset(some) for size in range(len(players) + 1) for some in combinations(players, size)]


def _value(player: P, worth: Mapping[frozenset[P], float], others: Sequence[P]) -> float:
    total = 0.0
    for some in coalitions(others):
        total += (worth[some | {player}] - worth[some]) / comb(len(others), len(some))
    return total / (len(others) + 1)
