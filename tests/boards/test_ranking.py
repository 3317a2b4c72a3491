"""Ranks, bands, and the family of differences to random."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from rethinkdc.boards import Board, Row
from rethinkdc.boards.beside import Machine
from rethinkdc.boards.notes import notes_on
from rethinkdc.boards.ranking import LEAST

NOISE = (0.011, -0.012, 0.004, -0.006, 0.003)
"""Of five seeds; its mean is 0."""
Find = Callable[[Board, str], Row]


def around(mean: float, order: int = 1, noise: float = 0.1) -> list[float]:
    """Five results of this mean; another order of the noise makes the pairs of two methods differ."""
    return [mean + noise * value for value in NOISE[::order]]


def test_below_five_seeds_there_is_no_rank(desk: Any, row: Find) -> None:
    desk.seeds("a", around(0.5))
    desk.seeds("b", around(0.7)[: LEAST - 1])
    board = desk.only()
    assert [(row.compressor, row.rank, row.band) for row in board.rows] == [("b", None, None), ("a", 1, 1)]
    assert any(note.startswith("n counts sets; n below 5 supports no claim") for note in notes_on(board))


def test_equal_means_share_a_rank(desk: Any, row: Find) -> None:
    # The same mean of other numbers, in another order: no rounding parts them.
    for name, mean, order in (("a", 0.7, 1), ("b", 0.7, -1), ("c", 0.5, 1), ("d", 0.9, 1)):
        desk.seeds(name, around(mean, order))
    assert [(row.compressor, row.rank) for row in desk.only().rows] == [("d", 1), ("a", 2), ("b", 2), ("c", 4)]


def test_what_is_not_told_apart_from_the_best_shares_its_band(desk: Any, row: Find) -> None:
    for name, mean, order, noise in (
        ("best", 0.8, 1, 0.1),
        ("near", 0.7999, -1, 0.1),
        ("far", 0.6, 1, 0.2),
        ("also-far", 0.5999, -1, 0.2),
    ):
        desk.seeds(name, around(mean, order, noise))
    found = {row.compressor: (row.rank, row.band, row.band_pairs) for row in desk.only().rows}
    assert found == {"best": (1, 1, 5), "near": (2, 1, 5), "far": (3, 2, 5), "also-far": (4, 2, 5)}


def test_bands_are_holms_over_all_pairs_of_scipys_paired_tests(desk: Any, row: Find) -> None:
    draws = np.random.default_rng(4)
    means = dict(zip("abcde", (0.6, 0.59, 0.57, 0.52, 0.5), strict=True))
    values = {name: mean + draws.normal(0, 0.01, 6) for name, mean in means.items()}
    for name, results in values.items():
        desk.seeds(name, results)
    names = [row.compressor for row in desk.only().rows]
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
    p = [stats.ttest_rel(values[one], values[other]).pvalue for one, other in pairs]
    adjusted = multipletests(p, method="holm")[1]
    clear = {pair: bool(p <= 0.05) for pair, p in zip(pairs, adjusted, strict=True)}
    expected: dict[str, int] = {}
    while len(expected) < len(names):
        left = [name for name in names if name not in expected]
        band = max(expected.values(), default=0) + 1
        expected |= {name: band for name in left if name == left[0] or not clear[left[0], name]}
    assert {row.compressor: row.band for row in desk.only().rows} == expected
    assert len(set(expected.values())) > 1


def test_methods_without_common_seeds_are_never_told_apart(desk: Any, row: Find) -> None:
    desk.seeds("a", around(0.9))
    for seed in range(5):
        desk.record("b", 0.1 + NOISE[seed], 10 + seed)
    board = desk.only()
    assert [(row.band, row.band_pairs) for row in board.rows] == [(1, 5), (1, 0)]
    assert "In its band for want of common seeds: b." in notes_on(board)
    differ = "Seeds differ: most have 0, 1, 2, 3, 4; b 10, 11, 12, 13, 14. Differences are over common seeds."
    assert differ in notes_on(board)


def test_students_of_a_set_are_one_pair(desk: Any, row: Find) -> None:
    """Ten students of two sets do not make ten pairs."""
    for seed in range(5):
        for student in range(2):
            sign = (-1) ** student * 0.01
            desk.record("a", 0.6 + NOISE[seed] + sign, seed, student)
            desk.record("random", 0.5 + sign, seed, student)
    found = row(desk.only(), "a")
    assert (found.runs, found.band, found.band_pairs) == (10, 1, 5)
    assert found.difference is not None
    assert found.difference.p == pytest.approx(stats.ttest_1samp(0.1 + np.array(NOISE), 0).pvalue)
    assert found.components is not None
    assert found.components.over_students == pytest.approx(0.02 / np.sqrt(2))
    within = 0.02**2 / 2
    assert found.components.over_sets == pytest.approx(math.sqrt(max(0.0, float(np.var(NOISE, ddof=1)) - within / 2)))


def test_a_finished_set_is_compared_over_its_students(desk: Any, row: Find) -> None:
    finished = {"compressor": {"kind": "set", "name": "mine", "fingerprint": "f", "ipc": 10}}
    for student in range(5):
        desk.record("mine", 0.7 + NOISE[student], 0, student, definition=finished)
        desk.record("random", 0.5, 0, student)
    found = row(desk.only(), "mine")
    assert (found.n_counts, found.rank) == ("students", 1)
    assert found.difference is not None
    assert found.difference.n == 5


def test_differences_to_random_are_one_family(desk: Any, row: Find) -> None:
    draws = np.random.default_rng(5)
    desk.seeds("random", [0.5] * 5)
    values = {name: 0.51 + draws.normal(0, 0.01, 5) for name in "abcd"}
    for name, results in values.items():
        desk.seeds(name, results)
    board = desk.only()
    p = multipletests([stats.ttest_1samp(results - 0.5, 0).pvalue for results in values.values()], method="holm")[1]
    for name, adjusted in zip(values, p, strict=True):
        found = row(board, name).difference
        assert found is not None
        assert found.holm_p == pytest.approx(adjusted)
    assert any("after Holm over the 4 methods" in note for note in notes_on(board))


def test_devices_part_boards_until_they_are_pooled(desk: Any, row: Find) -> None:
    for seed in range(3):
        desk.record("pca", 0.6, seed, environment={"device": "cpu" if seed < 2 else "cuda", "threads": 1})
    desk.seeds("random", [0.5] * 3)
    apart = desk.boards()
    assert [board.machine for board in apart] == [Machine("cpu", 1), Machine("cuda", 1)]
    assert [row(board, "pca").runs for board in apart] == [2, 1]
    pooled = desk.only(pool_devices=True)
    assert pooled.machine is None
    found = row(pooled, "pca")
    assert (found.runs, found.machines) == (3, (Machine("cpu", 1), Machine("cuda", 1)))
    told = "Pooled over devices: pca (cpu (1 thread), cuda (1 thread)); random (cpu (1 thread))."
    assert told in notes_on(pooled)


def test_ranks_that_made_a_run_together_part_boards_too(desk: Any) -> None:
    """The order of sums, and so the last bits, depend on their number."""
    for ranks in (1, 2):
        desk.record("pca", 0.6, ranks, environment={"device": "cpu", "threads": 1, "ranks": ranks})
    apart = desk.boards()
    assert [board.machine for board in apart] == [Machine("cpu", 1), Machine("cpu", 1, 2)]
    assert apart[1].machine.name == "cpu (1 thread, 2 ranks)"


def test_what_is_better_on_every_common_seed_stays_in_the_band(desk: Any, row: Find) -> None:
    """Its seeds were the harder ones: its mean is lower, and it wins each pair."""
    desk.seeds("lead", [*around(0.7), *around(0.9)])
    desk.seeds("other", [ours + 0.05 + 0.1 * noise for ours, noise in zip(around(0.7), NOISE[::-1], strict=True)])
    board = desk.only()
    assert [(row.compressor, row.rank, row.band) for row in board.rows] == [("lead", 1, 1), ("other", 2, 1)]
    assert "Ranks compare means over different seeds; bands compare over common ones." in notes_on(board)


def test_the_direction_of_bands_is_the_metrics_own(desk: Any, row: Find) -> None:
    desk.seeds("best", around(0.8))
    desk.seeds("far", around(0.6, -1))
    for metric in ("top1", "loss"):
        assert [(row.compressor, row.band) for row in desk.only(metric=metric).rows] == [("best", 1), ("far", 2)]


def test_the_full_set_asks_for_no_five_seeds_and_few_seeds_count_in_the_family(desk: Any) -> None:
    desk.record("full", 0.9, definition={"ipc": None})
    desk.seeds("random", around(0.5))
    few = "n counts sets; n below 5 supports no claim and gets no rank"
    assert not any(note.startswith(few) for note in notes_on(desk.only()))
    desk.seeds("pca", around(0.6, -1)[:3])
    assert f"{few}; its p counts in the family of this board all the same." in notes_on(desk.only())


def test_students_of_one_finished_set_speak_of_it_alone(desk: Any) -> None:
    finished = {"compressor": {"kind": "set", "name": "mine", "fingerprint": "f", "ipc": 10}}
    for student in range(5):
        desk.record("mine", 0.7 + NOISE[student], 0, student, definition=finished)
    said = "Ranks, bands and p speak of these sets alone, not of others of their methods."
    assert f"n counts students of one set: mine. {said}" in notes_on(desk.only())


def test_pairs_of_different_devices_are_told(desk: Any) -> None:
    desk.seeds("pca", around(0.6), environment={"device": "cuda", "threads": 1})
    desk.seeds("random", around(0.5, -1))
    notes = notes_on(desk.only(pool_devices=True))
    assert "Pooled over devices: pca (cuda (1 thread)); random (cpu (1 thread))." in notes
    assert "Pairs with random of which different devices computed the two runs: pca (5)." in notes


def test_a_machine_that_tells_no_threads_stands_beside_one_that_does(desk: Any) -> None:
    desk.record("pca", 0.6, 0)
    desk.record("pca", 0.6, 1, environment={"device": "cpu"})
    assert [board.machine for board in desk.boards()] == [Machine("cpu", 1), Machine("cpu", None)]
    (found,) = desk.only(pool_devices=True).rows
    assert found.machines == (Machine("cpu", 1), Machine("cpu", None))
