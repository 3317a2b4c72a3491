"""Single plots: the same figures, drawn by matplotlib into the same bytes each time."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

import rethinkdc as rdc
from rethinkdc.errors import RequestError
from rethinkdc.reports import list_figures
from rethinkdc.reports.matplotlib_figures import draw
from rethinkdc.reports.sections import KINDS
from rethinkdc.runs.calls import PlotCall


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"explain", "reported", "robust"}))
def test_a_figure_of_every_kind_is_drawn_the_same_twice(kind: str, studied: Path) -> None:
    figure = next(one for one in list_figures(PlotCall(studied)) if one.label.kind == kind)
    once = draw(figure, KINDS[kind].title, ".png")
    assert once == draw(figure, KINDS[kind].title, ".png")
    picture = Image.open(io.BytesIO(once)).convert("L")
    assert min(picture.size) > 400
    shades = picture.histogram()
    assert shades[255] < picture.width * picture.height
    assert sum(count > 0 for count in shades) > 20


@pytest.mark.parametrize(("ending", "begin"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_plot_is_written_without_date_or_program(ending: str, begin: bytes, studied: Path, tmp_path: Path) -> None:
    path = rdc.plot(studied, figure="ipc", protocol="digits-hard", out=tmp_path / f"ipc.{ending}")
    content = path.read_bytes()
    assert content.startswith(begin)
    for trace in (b"CreationDate", b"/Producer", b"<dc:date>", b"Matplotlib version"):
        assert trace not in content
    other = rdc.plot(studied, figure="ipc", protocol="digits-hard", out=tmp_path / f"again.{ending.upper()}")
    assert other.read_bytes() == content


def test_a_dollar_in_a_name_is_no_mathematics(studied: Path, tmp_path: Path) -> None:
    path = rdc.plot(studied, figure="difference", protocol="digits-hard", ipc=10, out=tmp_path / "names.svg")
    text = path.read_text(encoding="utf-8")
    assert re.search(r"<!--[^>]*\$x\^2\$", text)


def test_several_figures_of_a_kind_are_listed_to_choose_from(studied: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="2 figures are of the kind bytes") as caught:
        rdc.plot(studied, figure="bytes", out=tmp_path / "bytes.png")
    for name in re.findall(r"^  (bytes-\S+)$", str(caught.value), re.MULTILINE):
        assert rdc.plot(studied, figure=name, out=tmp_path / f"{name}.png").exists()


def test_an_unknown_figure_names_the_nearest(studied: Path) -> None:
    with pytest.raises(RequestError, match=r"No figure is called 'byts'.*bytes"):
        rdc.plot(studied, figure="byts")


def test_without_matplotlib_the_extra_is_named(studied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RequestError, match=re.escape('pip install "rethinkdc[plots]"')):
        rdc.plot(studied, figure="ipc", protocol="digits-hard", out=tmp_path / "ipc.png")
    assert not (tmp_path / "ipc.png").exists()
