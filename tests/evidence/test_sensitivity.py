"""What settings say of a comparison: cases that are made so that the answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rethinkdc.errors import RequestError
from rethinkdc.evidence.reading import read_answers
from rethinkdc.evidence.sensitivity import Sensitivity, measure_sensitivity
from rethinkdc.evidence.survey import Cell, SettingResult, Survey
from rethinkdc.evidence.telling import tell_sensitivity
from rethinkdc.evidence.writing import write_answer
from rethinkdc.measurement import Metric
from rethinkdc.statistics import choose_design

DESIGN = choose_design((2, 2, 2, 2), 8)
KNOBS = dict.fromkeys(("labels", "batch", "views", "student"), ("low", "high"))
Reach = Callable[[str, tuple[int, ...], int, int], float]


def survey(reach: Reach, *, methods: tuple[str, ...] = ("random", "pca", "rded"), students: int = 2) -> Survey:
    """Of each method, setting, set and student what ``reach`` says, under eight settings of four knobs."""
    settings, runs = [], [(made, nth) for made in (0, 1) for nth in range(students)]
    for number, levels in enumerate(DESIGN.rows, start=1):
        cells = {
            method: Cell(
                {f"{made}/{made + 2 * nth}": reach(method, levels, made, nth) for made, nth in runs},
                {},
                tuple(f"{method}-{number}-{made}-{nth}" for made, nth in runs),
            )
            for method in methods
        }
        names = {knob: KNOBS[knob][level] for knob, level in zip(KNOBS, levels, strict=True)}
        settings.append(SettingResult(number, levels, names, "p v1", f"{number:064}", {}, "convnet", "hard", cells))
    return Survey(
        family="made up",
        dataset="digits",
        ipc=1,
        metric=Metric("top1", "higher", "fraction"),
        design=str(DESIGN),
        grid=DESIGN.grid,
        resolution=DESIGN.resolution,
        knobs=KNOBS,
        methods=methods,
        sets=(0, 1),
        students=students,
        settings=tuple(settings),
        machines=("cpu (1 thread)",),
    )


def flipped(method: str, levels: tuple[int, ...], made: int, nth: int) -> float:
    """PCA is .1 above random at the first level of the labels and .06 below at the second; RDED is always above."""
    if method == "pca":
        return 0.6 + (0.1, -0.06)[levels[0]] + 0.001 * made
    return {"random": 0.6, "rded": 0.65 + 0.002 * made + 0.001 * nth * levels[1]}[method]


def none(*_: object) -> None:
    return None


def test_the_knob_that_flips_the_order_is_found() -> None:
    answer = measure_sensitivity(survey(flipped), none)
    first, second, third = answer.pairs
    assert [(pair.one, pair.other) for pair in answer.pairs] == [("rded", "random"), ("pca", "random"), ("rded", "pca")]
    assert (first.above, first.below, first.turning) == (tuple(range(1, 9)), (), None)
    assert (second.above, second.below) == ((1, 2, 3, 4), (5, 6, 7, 8))
    assert second.unanimous == (4, 4)
    assert second.told == (4, 4), "two sets differ by .001 alone"
    turning = second.turning
    assert turning is not None
    assert turning.knob == "labels"
    assert turning.told
    assert turning.share == pytest.approx(1.0)
    assert [level.difference.mean for level in turning.levels] == pytest.approx([0.1005, -0.0595])
    assert turning.effect.mean == pytest.approx(0.16)
    assert third.turning is not None
    assert third.turning.knob == "labels"
    assert answer.chief == (first, second)


def test_the_claim_is_a_count_over_a_design() -> None:
    said = tell_sensitivity(measure_sensitivity(survey(flipped), none))
    assert "made up: 8 designed settings of 4 knobs" in said[0]
    assert "OA(8, 2^4), a regular fraction of 16 settings, resolution IV" in said[0]
    assert "rded is above random in 8 of 8 designed settings (on every set: 8, told from noise: 8)." in said
    assert any("below in settings 5, 6, 7, 8 (on every set: 4, told from noise: 4)." in line for line in said)
    assert any(line.startswith("labels flips pca and random: +10.05 at low, -5.95 at high") for line in said)
    assert any("both sides are told from noise" in line for line in said)
    assert any("a count over a design, not a probability" in line for line in said)
    assert any("Some run has no predictions" in line for line in said)


def test_orders_agree_as_far_as_their_pairs_do() -> None:
    """The first four settings have pca > rded > random, the others rded > random > pca: tau is 1 and -1/3."""
    agreement = measure_sensitivity(survey(flipped), none).agreement
    assert agreement is not None
    assert agreement.settings.mean == pytest.approx((12 * 1 + 16 * (-1 / 3)) / 28)
    assert (agreement.settings.least, agreement.settings.largest) == pytest.approx((-1 / 3, 1.0))
    assert list(agreement.by_set) == [0, 1]
    assert agreement.within == pytest.approx(1.0)


def test_settings_without_a_run_count_for_nothing_and_are_told() -> None:
    whole = survey(flipped)
    broken = whole.settings[2]
    lost = Cell({"0/0": 0.6}, {"0/2": "the student diverged", "1/1": "not run yet", "1/3": "not run yet"}, ("k",))
    settings = [
        replace(broken, cells={**broken.cells, "pca": lost}) if one is broken else one for one in whole.settings
    ]
    answer = measure_sensitivity(replace(whole, settings=tuple(settings)), none)
    pca = answer.pairs[1]
    assert (pca.above, pca.below) == ((1, 2, 4), (5, 6, 7, 8))
    assert pca.turning is not None
    assert pca.turning.effect.mean == pytest.approx(0.16), "least squares, though the design is not balanced any more"
    said = " ".join(tell_sensitivity(answer))
    assert "1 settings count for nothing, since 3 of their runs have no result: 3." in said
    assert "setting 3, pca: the student diverged" in said
    assert "not balanced" in said
    assert "pca is above random in 3 of 7 designed settings" in said


def test_of_fewer_than_two_complete_settings_nothing_is_said() -> None:
    whole = survey(flipped)
    gone = Cell({}, {"0/0": "not run yet"}, ())
    settings = [replace(one, cells=dict.fromkeys(one.cells, gone)) if one.number > 1 else one for one in whole.settings]
    answer = measure_sensitivity(replace(whole, settings=tuple(settings)), none)
    assert (answer.pairs, answer.agreement) == ((), None)
    assert any("Fewer than two settings are complete" in line for line in tell_sensitivity(answer))


def test_a_metric_of_which_less_is_better_is_turned_around() -> None:
    higher = measure_sensitivity(survey(flipped), none)
    lower = survey(lambda *about: -flipped(*about))
    turned = measure_sensitivity(replace(lower, metric=Metric("loss", "lower", "number")), none)
    assert [(pair.one, pair.other, pair.above, pair.below) for pair in turned.pairs] == [
        (pair.one, pair.other, pair.above, pair.below) for pair in higher.pairs
    ]


def test_predictions_tell_what_the_test_images_add() -> None:
    """Students that differ by the draw of images alone: all of the variance is the images'."""
    count = 400
    hit: dict[tuple[int, str], NDArray[np.float32]] = {}
    for number, levels in enumerate(DESIGN.rows):
        for method in ("random", "pca"):
            draws = np.random.default_rng([number, len(method)])
            hit[number + 1, method] = (draws.random((count, 2, 2)) < 0.6).astype(np.float32)
        assert levels
    found = survey(
        lambda method, levels, made, nth: float(
            hit[DESIGN.rows.index(levels) + 1, method][:, made, nth].mean(dtype=np.float64)
        ),
        methods=("random", "pca"),
    )
    answer = measure_sensitivity(found, lambda number, method: hit[number, method])
    assert answer.images == count
    (pair,) = answer.pairs
    assert pair.parts["images"].share > 0.75
    assert pair.parts["images"].variance == pytest.approx(2 * 0.6 * 0.4 / count, rel=0.05)
    fewer = measure_sensitivity(found, lambda number, method: hit[number, method] if number > 1 else None)
    assert fewer.images == 0
    assert "images" not in fewer.pairs[0].parts


def test_an_answer_is_written_and_read_back(tmp_path: Path) -> None:
    answer = measure_sensitivity(survey(flipped), none)
    file = write_answer(answer, tmp_path / "one")
    assert read_answers(tmp_path) == [answer]
    content = json.loads(file.read_text())
    assert content["question"] == "robust"
    assert content["says"][0].startswith("made up: 8 designed settings")
    file.write_text(file.read_text().replace('"digits"', '"cifar10"'))
    with pytest.raises(RequestError, match=r"no answer that robust wrote .*its seal is"):
        read_answers(tmp_path)


def test_one_student_a_set_is_told_of() -> None:
    answer: Sensitivity = measure_sensitivity(survey(flipped, students=1), none)
    assert set(answer.pairs[1].parts) == {"setting", "set"}
    assert any("Each set has one student" in line for line in tell_sensitivity(answer))
