"""Figures of families of protocols: what they show of every setting, and that both renderers draw them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rethinkdc.evidence.sensitivity import Sensitivity, measure_sensitivity
from rethinkdc.reports import matplotlib_figures, plotly_figures
from rethinkdc.reports.figures import Bars, Chart
from rethinkdc.reports.material import Material
from rethinkdc.reports.sections import KINDS, draw_sections
from rethinkdc.reports.sensitivities import draw_sensitivities
from rethinkdc.runs.records import Records
from tests.evidence.test_sensitivity import DESIGN, flipped, none, survey


def material(tmp_path: Path, *answers: Sensitivity) -> Material:
    return Material((), Records(tmp_path), sensitivities=answers)


def test_every_setting_is_a_point_and_every_level_a_line(tmp_path: Path) -> None:
    answer = measure_sensitivity(survey(flipped), none)
    settings, knobs, parts, lines = draw_sensitivities(material(tmp_path, answer))
    assert isinstance(settings, Chart)
    assert isinstance(knobs, Chart)
    assert isinstance(parts, Bars)
    assert isinstance(lines, Chart)
    assert [text for _, text in settings.y.ticks] == ["pca - random", "rded - random"]
    assert [(series.name, len(series.points)) for series in settings.series] == [
        ("labels: low", 8),
        ("labels: high", 8),
    ]
    assert "pca is above random in 4 of 8 designed settings" in settings.alt
    assert "setting 1 (labels=low, batch=low, views=low, student=low): +10.05" in settings.series[0].points[0].note
    assert [text for _, text in knobs.y.ticks][-2:] == ["labels: high", "labels: low"]
    assert [series.name for series in knobs.series] == ["rded - random", "pca - random"]
    assert all(len(series.points) == 8 for series in knobs.series)
    assert parts.names == ("rded - random", "pca - random")
    assert [sum(part.lengths[bar] for part in parts.parts) for bar in (0, 1)] == pytest.approx([1.0, 1.0])
    assert [text for _, text in sorted(lines.y.ticks, reverse=True)] == [
        f"{number}: {', '.join(('low', 'high')[level] for level in row)}"
        for number, row in enumerate(DESIGN.rows, start=1)
    ]
    assert [point.y for point in lines.series[0].points] == [7, 6, 5, 4, 3, 2, 1, 0], "the first setting is on top"
    assert len({figure.label.name for figure in (settings, knobs, parts, lines)}) == 4


def test_both_renderers_draw_them(tmp_path: Path) -> None:
    answer = measure_sensitivity(survey(flipped), none)
    for figure in draw_sensitivities(material(tmp_path, answer)):
        assert json.dumps(plotly_figures.draw(figure), allow_nan=False)
        assert matplotlib_figures.draw(figure, KINDS["robust"].title, ".png").startswith(b"\x89PNG")


def test_an_answer_without_pairs_has_no_figure_and_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    whole = survey(flipped)
    assert draw_sensitivities(material(tmp_path, Sensitivity(whole))) == []
    (section,) = [one for one in draw_sections(material(tmp_path)) if one.kind == "robust"]
    assert "rethinkdc robust STUDY" in section.missing
