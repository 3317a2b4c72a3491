"""What figures say: numbers worked by hand, and those of the boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rethinkdc.boards import Board, rank_folder
from rethinkdc.boards.beside import Published, Unmeasured
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import CORNERS
from rethinkdc.evidence.explanation import explain_corners
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.measurement import Metric
from rethinkdc.reports.accuracies import draw_budgets, draw_bytes, draw_compute, draw_differences
from rethinkdc.reports.conditions import name_rows
from rethinkdc.reports.costs import draw_stages
from rethinkdc.reports.explanations import draw_explanations
from rethinkdc.reports.figures import Chart, Point, Series
from rethinkdc.reports.insides import draw_classes, draw_curves
from rethinkdc.reports.material import Material
from rethinkdc.reports.plotly_figures import draw
from rethinkdc.reports.published import draw_published
from rethinkdc.reports.sections import KINDS, draw_sections
from rethinkdc.reports.tracks import draw_tracks
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records

T_4 = 2.776445
"""The 97.5 % point of Student's t with four degrees of freedom, from a printed table."""

LINE = 17
"""Pixels of a line of names of 13 pixels."""
Make = Callable[..., Record]
Collect = Callable[..., Material]


def with_top1(record: Record, top1: float) -> Record:
    assert record.evaluation
    metrics = {**record.evaluation.metrics, "top1": top1}
    return record.model_copy(update={"evaluation": record.evaluation.model_copy(update={"metrics": metrics})})


def with_bytes(record: Record, lossy: int) -> Record:
    return record.model_copy(update={"cost": Cost(image_bytes={"lossy": lossy})})


def named(chart: Chart, name: str) -> Series:
    (found,) = [series for series in chart.series if series.name == name]
    return found


def test_differences_are_those_of_the_board_the_best_on_top(make: Make, material: Collect) -> None:
    runs = [with_top1(make(name, seed=seed), value) for name, values in [
        ("random", (0.5, 0.5)), ("pca", (0.6, 0.7)), ("noise", (0.1, 0.1)),
    ] for seed, value in enumerate(values)]  # fmt: skip
    (chart,) = draw_differences(material(*runs))
    assert [text for _, text in chart.y.ticks] == ["noise", "pca"]
    (point,) = named(chart, "pca").points
    assert point.x == pytest.approx(0.15)
    assert point.y == 1
    # Two pairs of +0.1 and +0.2: the 97.5 % point with one degree of freedom is 12.7062, the standard error 0.05.
    assert point.error == pytest.approx(12.7062 * 0.05, rel=1e-4)
    (noise,) = named(chart, "noise").points
    # Equal pairs have no spread, and no interval.
    assert noise.error is None
    assert "pca with +15.00 ± 63.53" in chart.alt


def test_a_mean_has_the_interval_of_its_sets(make: Make, material: Collect) -> None:
    values = (0.5, 0.52, 0.54, 0.56, 0.58)
    runs = [
        with_top1(make("random", ipc=ipc, seed=seed), value) for ipc in (1, 10) for seed, value in enumerate(values)
    ]
    (chart,) = draw_budgets(material(*runs))
    one, ten = named(chart, "random").points
    assert (one.x, ten.x) == (1, 10)
    assert one.y == pytest.approx(0.54)
    assert one.error == pytest.approx(T_4 * 0.0316228 / 5**0.5, rel=1e-5)
    assert chart.x.ticks == ((1, "1"), (10, "10"))


def test_one_budget_has_no_chart_and_says_what_to_do(make: Make, material: Collect) -> None:
    collected = material(make("random"))
    assert draw_budgets(collected) == []
    (section,) = [one for one in draw_sections(collected) if one.kind == "ipc"]
    assert "another `--ipc`" in section.missing


def test_the_front_holds_what_is_better_than_all_that_is_cheaper(make: Make, material: Collect) -> None:
    costs = {"a": (100, 0.5), "b": (200, 0.4), "c": (300, 0.6), "d": (300, 0.55), "e": (50, 0.1), "g": (400, 0.6)}
    runs = [with_bytes(with_top1(make(name), top1), size) for name, (size, top1) in costs.items()]
    (chart,) = draw_bytes(material(*runs))
    assert named(chart, "Pareto front").points == (Point(50, 0.1), Point(100, 0.5), Point(300, 0.6))


def test_the_front_of_a_loss_goes_down(make: Make, tmp_path: Path) -> None:
    records = Records(tmp_path / "records")
    for name, size, top1 in (("a", 100, 0.5), ("b", 200, 0.4), ("c", 300, 0.6)):
        record = with_bytes(make(name), size)
        assert record.evaluation
        metrics = {"top1": top1, "top5": 1.0, "loss": 1 - top1}
        records.add(record.model_copy(update={"evaluation": record.evaluation.model_copy(update={"metrics": metrics})}))
    (chart,) = draw_bytes(Material(tuple(rank_folder(records, metric="loss").boards), records))
    assert [point.x for point in named(chart, "Pareto front").points] == [100, 300]


def test_of_many_methods_the_best_are_drawn_and_random_and_it_is_said(make: Make, material: Collect) -> None:
    many = [with_top1(make(f"method-{place:02}", ipc=ipc), place / 100) for place in range(60) for ipc in (1, 10)]
    collected = material(*many, *(with_top1(make("random", ipc=ipc), 0.001) for ipc in (1, 10)))
    (chart,) = draw_budgets(collected)
    assert {series.name for series in chart.series} == {"random"} | {f"method-{place}" for place in range(45, 60)}
    assert "16 of 61 methods: random and the best." in chart.caption
    difference = draw_differences(collected)[0]
    assert [text for _, text in difference.y.ticks][-1] == "method-59"
    assert len(difference.series) == 40
    assert "The best 40 of 60 methods." in difference.caption


def test_records_are_opened_up_to_a_bound(make: Make, material: Collect, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = material(*(make(name, ipc=ipc, seed=seed) for name in "ab" for ipc in (1, 5, 10) for seed in range(3)))
    monkeypatch.setattr("rethinkdc.reports.trainings.OPENED", 4)
    opened: list[str] = []
    find = Records.find

    def counted(self: Records, key: str) -> Record | None:
        opened.append(key)
        return find(self, key)

    monkeypatch.setattr(Records, "find", counted)
    assert [board.ipc for board, _ in collected.trainings] == [1, 5]
    assert len(opened) == 4
    assert "not drawn" in draw_sections(collected)[list(KINDS).index("curve")].missing


def test_tracks_meet_where_bytes_are_paid_and_no_budget_is_lost(studied: Path) -> None:
    records = Records(studied)
    charts = draw_bytes(Material(tuple(rank_folder(records).boards), records))
    assert [chart.label.facets.tracks for chart in charts] == [("hard",), ("online",)]
    assert len(named(charts[0], "pca").points) == 3


def test_runs_that_do_not_tell_their_images_seen_are_not_drawn_at_zero(make: Make, material: Collect) -> None:
    told, silent = make("pca"), make("random", cost=Cost(seconds={"training": 1.0}))
    assert draw_compute(material(silent)) == []
    (chart,) = draw_compute(material(told))
    assert [series.name for series in chart.series] == ["Pareto front", "pca"]
    assert named(chart, "pca").points[0].x == 50_000


def test_noise_is_subtracted_under_the_same_labels(make: Make, material: Collect) -> None:
    tops = {
        ("pca", "hard"): 0.6,
        ("noise", "hard"): 0.1,
        ("pca", "soft"): 0.9,
        ("noise", "soft"): 0.7,
        ("random", "hard"): 0.5,
    }
    runs = [
        with_top1(
            make(name, labeler=labeler, track="hard" if labeler == "hard" else "online", seed=seed), top1 + 0.01 * seed
        )
        for (name, labeler), top1 in tops.items()
        for seed in range(2)
    ]
    (matrix,) = draw_tracks(material(*runs))
    cells = {
        (row, column.split(",")[0]): value
        for row, values in zip(matrix.rows, matrix.values, strict=True)
        for column, value in zip(matrix.columns, values, strict=True)
    }
    assert cells[("pca", "hard")] == pytest.approx(0.5)
    assert cells[("pca", "soft")] == pytest.approx(0.2)
    assert cells[("random", "soft")] is None
    assert "noise" not in matrix.rows


def test_labels_without_noise_are_named_and_not_shown(make: Make, material: Collect) -> None:
    (matrix,) = draw_tracks(material(make("noise"), make("pca"), make("pca", labeler="soft", track="online")))
    assert len(matrix.columns) == 1
    assert "online under digits-soft v1" in matrix.caption


def test_curves_are_means_over_runs_and_thinned(make: Make, material: Collect) -> None:
    runs = []
    for seed in range(2):
        record = make("random", seed=seed)
        assert record.evaluation
        curve = [{"epoch": float(epoch), "train_loss": float(epoch + seed)} for epoch in range(1, 1001)]
        runs.append(record.model_copy(update={"evaluation": record.evaluation.model_copy(update={"curve": curve})}))
    (chart,) = draw_curves(material(*runs))
    (series,) = chart.series
    assert len(series.points) == 120
    assert series.points[0] == Point(1, 1.5)
    assert series.points[-1] == Point(1000, 1000.5)


def test_what_was_tested_while_training_has_a_chart_of_its_own(make: Make, material: Collect) -> None:
    charts = draw_curves(material(make("random")))
    assert [(chart.y.title, chart.y.unit) for chart in charts] == [
        ("training loss", "number"),
        ("test top-1 (%)", "fraction"),
    ]


def test_classes_are_averaged_over_runs_before_their_spread(make: Make, material: Collect) -> None:
    runs = []
    for seed, classes in enumerate([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]):
        record = make("random", seed=seed)
        assert record.evaluation
        runs.append(
            record.model_copy(update={"evaluation": record.evaluation.model_copy(update={"per_class": classes})})
        )
    (figure,) = draw_classes(material(*runs))
    (box,) = figure.boxes
    assert (box.least, box.median, box.largest) == (0.5, 0.5, 0.5)


def test_stages_are_laid_in_the_order_of_a_run_with_one_style_each(make: Make, material: Collect) -> None:
    first = make("random", cost=Cost(seconds={"training": 2.0, "selection": 1.0}))
    second = make("random", ipc=1, cost=Cost(seconds={"training": 2.0}))
    one, ten = draw_stages(material(first, second))
    assert [part.name for part in ten.parts] == ["selection", "training"]
    assert one.parts[0].style == ten.parts[1].style


def test_published_values_stand_beside_ours_also_where_nothing_was_measured(make: Make, material: Collect) -> None:
    collected = material(*(with_top1(make("pca", seed=seed), value) for seed, value in enumerate((0.5, 0.6))))
    (board,) = collected.boards
    told = Published(0.7, None, None, "A paper, table 1", "another student")
    board = replace(
        board,
        rows=(replace(board.rows[0], published=(told,)),),
        unmeasured=(Unmeasured("far", "hard", replace(told, value=0.9)),),
    )
    (chart,) = draw_published(replace(collected, boards=(board,)))
    assert [text for _, text in chart.y.ticks] == ["far + hard", "pca"]
    assert [(point.x, point.y) for point in named(chart, "reported").points] == [(0.9, 0), (0.7, 1)]
    (ours,) = named(chart, "measured here").points
    assert ours.x == pytest.approx(0.55)
    assert all("another student" in point.note for point in named(chart, "reported").points)


def test_an_explanation_shows_what_each_switch_adds_and_the_corners(make: Make, material: Collect) -> None:
    worth = {"images": 0.3, "labels": 0.2, "views": 0.1}
    corners = {
        corner: Outcome({seed: 0.1 + sum(worth[one] for one in corner.on) + 0.01 * seed for seed in range(3)}, {})
        for corner in CORNERS
    }
    conditions = Conditions("digits", "digits-soft v1", "d" * 64, 10, Metric("top1", "higher", "fraction"))
    explanation = explain_corners(
        corners, {"random": corners[CORNERS[-1]]}, method="pca", conditions=conditions, labeler="soft", classes=10,
        counted="sets",
    )  # fmt: skip
    collected = replace(material(make("pca")), explanations=(explanation,))
    shares, eight = draw_explanations(collected)
    assert [text for _, text in shares.y.ticks] == ["views", "labels", "images"]
    (series,) = shares.series
    assert [point.x for point in series.points] == [pytest.approx(value) for value in (0.1, 0.2, 0.3)]
    assert len(eight.y.ticks) == 9
    assert len(named(eight, "pca").points) == 8
    assert [level.at for level in eight.levels] == [0.1]
    assert draw_sections(collected)[5].figures == (shares, eight)


def test_every_figure_has_a_name_of_its_own_and_says_what_it_shows(studied: Path) -> None:
    records = Records(studied)
    boards = rank_folder(records).boards
    figures = [figure for section in draw_sections(Material(tuple(boards), records)) for figure in section.figures]
    assert {figure.label.kind for figure in figures} == set(KINDS) - {"explain", "reported", "robust"}
    assert len({figure.label.name for figure in figures}) == len(figures)
    for figure in figures:
        assert figure.alt
        assert figure.caption
        digests = {board.protocol_digest[:12] for board in boards if board.protocol in figure.label.conditions}
        assert any(digest in figure.label.digests for digest in digests)


def test_a_method_has_one_style_in_all_figures(studied: Path) -> None:
    records = Records(studied)
    collected = Material(tuple(rank_folder(records).boards), records)
    styles: dict[str, set[object]] = {}
    for chart in [*draw_budgets(collected), *draw_bytes(collected), *draw_differences(collected)]:
        for series in chart.series:
            if chart.label.facets.tracks == ("hard",):
                styles.setdefault(series.name, set()).add(series.style)
    assert len(styles) > 4
    assert {len(found) for found in styles.values()} == {1}


def test_names_tell_the_labeler_only_where_there_are_several(make: Make, material: Collect) -> None:
    board: Board = material(make("pca"), make("pca", labeler="other")).boards[0]
    assert sorted(map(name_rows([board]), board.rows)) == ["pca + hard", "pca + other"]


def test_rows_are_as_high_as_the_lines_of_their_names(make: Make, material: Collect) -> None:
    names = [f"dm:iterations={number}000,batch=128,network=[convnet:width=32,norm=batch]" for number in range(1, 7)]
    (figure,) = draw_stages(material(*(make(name) for name in names)))
    drawn = draw(figure)
    assert {name.count("<br>") for name in drawn["layout"]["yaxis"]["ticktext"]} == {2}
    assert drawn["layout"]["height"] > 3 * LINE * len(names)


def test_stages_of_one_colour_differ_in_their_filling(make: Make, material: Collect) -> None:
    stages = ("proxy", "teacher", "selection", "synthesis", "experts", "networks", "labels", "training")
    (figure,) = draw_stages(material(make("pca", cost=Cost(seconds=dict.fromkeys(stages, 1.0)))))
    looks = {(part.style.colour, part.style.hatched) for part in figure.parts}
    assert len(looks) == len(figure.parts) == len(stages)
    drawn = draw(figure)
    filled = {(one["marker"]["color"], one["marker"]["pattern"]["shape"]) for one in drawn["data"]}
    assert len(filled) == len({(key["colour"], key["mark"]) for key in drawn["legend"]}) == len(stages)
