"""Shares of three switches: sums, intervals over seeds, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import scipy.stats

from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import CORNERS, SWITCHES, Corner
from rethinkdc.evidence.explanation import Explanation, explain_corners
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.wording import tell_explanation
from rethinkdc.measurement import Metric

CONDITIONS = Conditions(
    dataset="digits",
    protocol="digits-soft v1",
    protocol_digest="0" * 64,
    ipc=10,
    metric=Metric("top1", "higher", "fraction"),
)


def outcome(*values: float) -> Outcome:
    """One value for each seed from 0 on."""
    return Outcome(values=dict(enumerate(values)), missing={})


def additive(*seeds: tuple[float, float, float], floor: float = 0.1) -> dict[Corner, Outcome]:
    """Corners of which each switch adds its own number; a triple (images, labels, views) for each seed."""

    def worth(corner: Corner, parts: tuple[float, float, float]) -> float:
        named = dict(zip(SWITCHES, parts, strict=True))
        return floor + sum(part for switch, part in named.items() if switch in corner.on)

    return {corner: outcome(*(worth(corner, parts) for parts in seeds)) for corner in CORNERS}


def explain(corners: dict[Corner, Outcome]) -> Explanation:
    return explain_corners(
        corners,
        {"random": outcome(0.5, 0.6, 0.55)},
        method="pca",
        conditions=CONDITIONS,
        labeler="soft",
        classes=10,
        counted="sets",
    )


def test_there_are_eight_corners_from_nothing_to_everything() -> None:
    assert len({corner.on for corner in CORNERS}) == len(CORNERS) == 8
    assert CORNERS[0].on == frozenset()
    assert CORNERS[-1].on == {"images", "labels", "views"}


def test_only_a_corner_that_differs_from_the_protocol_overrides_it() -> None:
    changed = {str(corner): dict(corner.overrides) for corner in CORNERS if corner.images == "own"}
    assert changed == {
        "its own images, hard labels, fixed views": {"track": "any", "training.fixed_views": True},
        "its own images, hard labels, new views": {"track": "any"},
        "its own images, soft labels, fixed views": {"training.fixed_views": True},
        "its own images, soft labels, new views": {},
    }


def test_switches_that_add_up_are_credited_with_what_each_adds() -> None:
    found = explain(additive((0.3, 0.2, 0.05), (0.32, 0.18, 0.07), (0.28, 0.25, 0.03)))
    shares = {share.switch: share.difference for share in found.shares}
    assert {name: one.mean for name, one in shares.items()} == pytest.approx(
        {"images": 0.3, "labels": 0.21, "views": 0.05}
    )
    low, high = scipy.stats.t.interval(0.95, 2, 0.21, scipy.stats.sem([0.2, 0.18, 0.25]))
    assert shares["labels"].half_width == pytest.approx((high - low) / 2)
    assert found.total is not None
    assert found.floor is not None
    assert found.total.mean == pytest.approx(sum(one.mean for one in shares.values()))
    assert found.floor.mean == pytest.approx(0.0, abs=1e-12)
    assert found.seeds == (0, 1, 2)


def test_what_images_and_labels_add_only_together_is_split_evenly() -> None:
    corners = {corner: outcome(0.7 if {"images", "labels"} <= corner.on else 0.1) for corner in CORNERS}
    shares = {share.switch: share.difference.mean for share in explain(corners).shares}
    assert shares == pytest.approx({"images": 0.3, "labels": 0.3, "views": 0.0}, abs=1e-12)


def test_a_seed_without_all_corners_counts_for_nothing_and_what_is_missing_is_told() -> None:
    corners = additive((0.3, 0.2, 0.05), (0.32, 0.18, 0.07))
    lost = CORNERS[3]
    corners[lost] = Outcome(values={0: corners[lost].values[0]}, missing={1: "the student diverged"})
    found = explain(corners)
    assert found.seeds == (0,)
    assert all(share.difference.half_width is None for share in found.shares)
    said = " ".join(tell_explanation(found))
    assert f"Missing: {lost}, seed 1: the student diverged" in said
    assert "n = 1 set" in said
    nothing = explain({**corners, lost: Outcome(values={}, missing={0: "no", 1: "no"})})
    assert nothing.shares == ()
    assert "No seed has all eight corners" in tell_explanation(nothing)[0]


def test_the_text_tells_the_shares_the_floor_and_how_to_read_them() -> None:
    said = tell_explanation(explain(additive((0.3, 0.2, 0.05), (0.32, 0.18, 0.07), floor=0.13)))
    assert said[0].startswith("+31.00 ± 12.71 points are credited to the images, 55% of the whole")
    assert "+3.00 points from chance (10.00%)" in said[3]
    assert "split evenly" in said[4]
    assert "n = 2 sets, intervals at 95 %" in said[5]
    students = tell_explanation(replace(explain(additive((0.3, 0.2, 0.05), (0.3, 0.2, 0.05))), counted="students"))
    assert "n = 2 students" in students[5]


def test_parts_of_the_whole_are_told_only_of_a_whole_above_zero_that_nothing_takes_from() -> None:
    def parts(*seeds: tuple[float, float, float]) -> bool:
        return any("of the whole" in line for line in tell_explanation(explain(additive(*seeds))))

    assert parts((0.3, 0.2, 0.05), (0.32, 0.18, 0.07))
    assert not parts((0.02, 0.01, 0.0), (-0.01, -0.015, 0.0)), "the whole is not told from zero"
    assert not parts((0.3, 0.2, -0.05), (0.32, 0.18, -0.06)), "views take away"
    assert not parts((0.3, 0.2, 0.05)), "one seed has no interval"


def test_of_another_metric_than_top1_chance_is_not_told() -> None:
    corners = additive((0.3, 0.2, 0.05), (0.32, 0.18, 0.07))
    found = explain_corners(
        corners,
        {},
        method="pca",
        conditions=replace(CONDITIONS, metric=Metric("top5", "higher", "fraction")),
        labeler="soft",
        classes=10,
        counted="sets",
    )
    assert found.chance is None
    assert found.floor is None
    said = tell_explanation(found)
    assert not any("chance" in line for line in said)
    assert said[3].endswith("from noise with hard labels and fixed views to all three.")
