"""`rethinkdc report` and `rethinkdc plot`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.studies.study import Study

SHORT = {"training.steps": 2, "reference.epochs": 1}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("reported") / "records"
    study = Study(dataset="digits", compressors=("random", "noise"), seeds=(0, 1), ipc=(1, 2), overrides=SHORT)
    rdc.sweep(study, records=folder, cache_dir=shared_cache, device="cpu")
    return folder


@pytest.fixture
def beside(cli: Callable[..., Any], records: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line beside these records."""
    monkeypatch.setenv("RETHINKDC_RECORDS", str(records))
    return cli


def test_the_page_is_written_and_told_of(beside: Callable[..., Any], tmp_path: Path) -> None:
    done = beside("report", "--out", "pages/digits.html")
    assert done.code == 0
    assert done.out.startswith("pages/digits.html: 2 boards, ")
    page = (tmp_path / "pages" / "digits.html").read_text(encoding="utf-8")
    assert "digits, hard labels, ipc 2" in page
    assert "(modified: reference.epochs=1, training.steps=2)" in page

    told = json.loads(beside("report", "--ipc", "1", "--json").out)
    assert (told["path"], told["boards"]) == ("report.html", 1)
    assert told["bytes"] == (tmp_path / "report.html").stat().st_size


def test_figures_are_listed_by_the_names_that_draw_them(beside: Callable[..., Any], tmp_path: Path) -> None:
    listed = json.loads(beside("plot", "--list", "--json").out)
    (name,) = [figure["name"] for figure in listed if figure["name"].startswith("ipc-")]
    assert name in beside("plot", "--list").out
    assert beside("plot", name, "--out", "a.pdf").out == "a.pdf\n"
    assert beside("plot", "ipc").out == "ipc.png\n"
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plot"], "`rethinkdc plot --list` shows them"),
        (["plot", "ipcs"], "No figure is called 'ipcs'"),
        (["plot", "ipc", "--out", "ipc.gif"], "must end in .png or .pdf or .svg"),
        (["report", "--out", "page.txt"], "must end in .html"),
        (["report", "--records", "nowhere"], "There is no record below nowhere"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(beside: Callable[..., Any], words: list[str], told: str) -> None:
    done = beside(*words)
    assert done.code == 2
    assert told in done.err
