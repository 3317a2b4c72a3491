"""Shapley values: the four axioms that define them, and games worked by hand."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from rethinkdc.statistics import attribute, coalitions

PLAYERS = ("images", "labels", "views")
Game = dict[frozenset[str], float]


def game(seed: int) -> Game:
    draws = random.Random(seed)
    return {some: draws.random() for some in coalitions(PLAYERS)}


@pytest.mark.parametrize("seed", range(5))
def test_they_sum_to_what_all_add_to_none(seed: int) -> None:
    worth = game(seed)
    found = attribute(worth, PLAYERS)
    assert sum(found.values()) == pytest.approx(worth[frozenset(PLAYERS)] - worth[frozenset()], abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_they_are_the_mean_over_all_orders_in_which_players_come(seed: int) -> None:
    worth, sums = game(seed), dict.fromkeys(PLAYERS, 0.0)
    orders = list(permutations(PLAYERS))
    for order in orders:
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            sums[player] += (worth[before | {player}] - worth[before]) / len(orders)
    assert attribute(worth, PLAYERS) == pytest.approx(sums, abs=1e-12)


def test_players_that_add_the_same_to_all_others_have_the_same_value() -> None:
    worth = game(0)
    for some in coalitions(["views"]):
        worth[some | {"labels"}] = worth[some | {"images"}]
    found = attribute(worth, PLAYERS)
    assert found["images"] == pytest.approx(found["labels"], abs=1e-12)


def test_a_player_that_adds_a_constant_has_that_value_and_a_dummy_none() -> None:
    worth = game(0)
    for some in coalitions(["images", "labels"]):
        worth[some | {"views"}] = worth[some] + 0.125
    assert attribute(worth, PLAYERS)["views"] == pytest.approx(0.125, abs=1e-12)


def test_values_of_a_sum_of_games_are_the_sums_of_their_values() -> None:
    one, other = game(1), game(2)
    both = attribute({some: one[some] + 2 * other[some] for some in one}, PLAYERS)
    first, second = attribute(one, PLAYERS), attribute(other, PLAYERS)
    assert both == pytest.approx({player: first[player] + 2 * second[player] for player in PLAYERS}, abs=1e-12)


def test_what_two_add_only_together_is_split_evenly() -> None:
    """v = 0.10 whatever is on, but 0.50 with images and labels."""
    worth = {some: 0.5 if {"images", "labels"} <= some else 0.1 for some in coalitions(PLAYERS)}
    assert attribute(worth, PLAYERS) == pytest.approx({"images": 0.2, "labels": 0.2, "views": 0.0}, abs=1e-12)


def test_a_coalition_without_a_worth_is_an_error() -> None:
    worth = game(0)
    del worth[frozenset({"labels"})]
    with pytest.raises(KeyError):
        attribute(worth, PLAYERS)
