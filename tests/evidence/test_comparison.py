"""Methods beside random: pairs, intervals that hold together, order, and what is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
import scipy.stats

from rethinkdc.cli.evidence_tables import print_comparison
from rethinkdc.evidence.comparison import Comparison, Contender, Role, compare_outcomes
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.wording import tell_comparison
from rethinkdc.measurement import Metric

CONDITIONS = Conditions(
    dataset="digits",
    protocol="digits-soft v1",
    protocol_digest="0" * 64,
    ipc=10,
    metric=Metric("top1", "higher", "fraction"),
)


def contender(method: str, role: Role, *values: float, student: str = "convnet") -> Contender:
    """One value for each seed from 0 on."""
    outcome = Outcome(values=dict(enumerate(values)), missing={})
    return Contender(method=method, role=role, student=student, counted="sets", outcome=outcome)


RANDOM = contender("random", "random", 0.50, 0.52, 0.54)
GOOD = contender("pca", "method", 0.60, 0.61, 0.65)
BAD = contender("forgetting", "method", 0.40, 0.41, 0.46)


def compare(*contenders: Contender) -> Comparison:
    return compare_outcomes(CONDITIONS, "hard", contenders)


def test_one_method_has_the_t_interval_of_its_pairs() -> None:
    (ours, _) = compare(RANDOM, GOOD).contenders
    low, high = scipy.stats.t.interval(0.95, 2, 0.1, scipy.stats.sem([0.10, 0.09, 0.11]))
    assert ours.difference is not None
    assert ours.difference.mean == pytest.approx(0.1)
    assert ours.difference.half_width == pytest.approx((high - low) / 2)
    assert ours.difference.simultaneous == pytest.approx(ours.difference.half_width)
    said = tell_comparison(compare(RANDOM, GOOD))
    assert said == (f"pca: {100 * low:+.2f} to {100 * high:+.2f} points above random, n = 3",)


def test_intervals_of_several_methods_hold_together_and_controls_claim_nothing() -> None:
    noise, full = contender("noise", "noise", 0.1, 0.1, 0.12), contender("full", "full", 0.9, 0.91, 0.92)
    found = compare(full, BAD, RANDOM, noise, GOOD)
    assert [one.method for one in found.contenders] == ["pca", "forgetting", "random", "noise", "full"]
    wide = scipy.stats.t.ppf(1 - 0.05 / 4, 2) * scipy.stats.sem([0.10, 0.09, 0.11])
    first = found.contenders[0].difference
    assert first is not None
    assert first.simultaneous == pytest.approx(wide)
    assert found.claims == 2
    assert found.contenders[3].difference is not None
    assert found.contenders[3].difference.simultaneous is None
    said = tell_comparison(found)
    assert "below random" in said[1]
    assert said[2] == "The 2 intervals hold together at 95 % (Bonferroni)."


def test_seeds_pair_with_their_own_random_under_the_same_student() -> None:
    other = contender("random", "random", 0.3, 0.3, 0.3, student="vit")
    ours = contender("pca", "method", 0.4, 0.4, student="vit")
    found = compare(RANDOM, other, ours)
    (one,) = [each for each in found.contenders if each.role == "method"]
    assert one.difference is not None
    assert one.difference.n == 2
    assert one.difference.mean == pytest.approx(0.1)
    assert tell_comparison(found)[0].startswith("pca (vit): ")


def test_what_is_not_told_apart_or_has_one_pair_says_so() -> None:
    (apart,) = tell_comparison(compare(RANDOM, contender("ccs", "method", 0.50, 0.53, 0.53)))
    assert apart.endswith("points from random, n = 3; not told apart")
    (single,) = tell_comparison(compare(RANDOM, contender("ccs", "method", 0.55)))
    assert single == "ccs: +5.00 points from random, n = 1: one pair has no interval"
    (nothing,) = tell_comparison(compare(contender("ccs", "method", 0.55)))
    assert nothing == "ccs: nothing to compare with random yet"


def test_the_order_follows_the_metric() -> None:
    loss = compare_outcomes(
        replace(CONDITIONS, metric=Metric("loss", "lower", "number")),
        "hard",
        (RANDOM, GOOD, BAD),
    )
    assert [one.method for one in loss.contenders] == ["forgetting", "pca", "random"]
    assert "(lower is better)" in tell_comparison(loss)[0]


def test_the_table_marks_intervals_that_hold_alone_beside_those_that_hold_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = contender("full", "full", 0.9, 0.91, 0.92)
    print_comparison(compare(full, BAD, RANDOM, GOOD))
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.rstrip() for line in lines if line.split()}
    assert rows["full"].endswith("*")
    assert not rows["pca"].endswith("*")
    assert "* holds at 95 % alone; the other intervals hold together." in lines
    print_comparison(compare(full, RANDOM, GOOD))
    assert "*" not in capsys.readouterr().out
