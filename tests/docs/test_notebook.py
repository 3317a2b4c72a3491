"""The notebook runs from start to report, and holds nothing of the machine that it was written on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docs.generating.notebook import NOTEBOOK, cells, notebook_page


def test_it_holds_no_outputs() -> None:
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    assert len(code) >= 6
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_its_page_has_every_cell() -> None:
    page = notebook_page()
    assert all(source in page for kind in ("code", "markdown") for source in cells(kind))


@pytest.mark.slow
def test_it_runs_from_start_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`.ci/run` has a stage for it: digits, three methods, five sets each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RETHINKDC_RECORDS", raising=False)
    names: dict[str, Any] = {}
    for number, source in enumerate(cells()):
        exec(compile(source, f"{NOTEBOOK.name}, cell {number}", "exec"), names)
    assert (tmp_path / "report.html").stat().st_size > 1_000_000
    printed = capsys.readouterr().out
    assert "to random" in printed
    assert printed.count("n = 5") == 3
