"""``robust`` from the command line to its files and figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

STUDY = """
title = "Two methods of digits"
dataset = "digits"
protocol = "digits-hard"
compressors = ["random", "noise"]
ipc = [1]
seeds = [0, 1]
settings = 4

[axes]
training.steps = [8, 4]
training.batch = [10, 5]
student = ["convnet:depth=1,width=8", "convnet:depth=1,width=4"]
"""


def test_a_family_is_planned_run_answered_and_drawn(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(STUDY)
    plan = cli("robust", "mine.toml", "--plan")
    assert plan.code == 0, plan.err
    told = " ".join(plan.out.split())
    assert "Orthogonal array OA(4, 2^3), a regular fraction of 8 settings, resolution III." in told
    assert "16 runs: none on record, 16 to run." in plan.out
    described = json.loads(cli("robust", "mine.toml", "--plan", "--json").out)
    assert [one["training.batch"] for one in described["design"]["settings"]] == ["10", "5", "10", "5"]
    assert len(described["runs"]) == 16
    assert not (tmp_path / "evidence").exists()

    part = cli("robust", "mine.toml", "--shard", "0/2")
    assert part.code == 0, part.err
    assert "16 runs: none on record, 8 to run." in part.out
    half = json.loads(cli("robust", "mine.toml", "--on-record", "--json").out)
    assert half["pairs"] == []
    assert any(
        "4 settings count for nothing, since 8 of their runs have no result: 1, 2, 3, 4" in one for one in half["says"]
    )
    assert any("Fewer than two settings are complete" in one for one in half["says"])
    done = cli("robust", "mine.toml")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "16 runs: 8 ok on record, 8 to run." in said
    assert "noise is above random in" in said
    assert "of 4 designed settings" in said
    assert "a count over a design, not a probability" in said
    folder = tmp_path / "evidence" / "robust-mine"
    assert sorted(file.name for file in folder.iterdir()) == ["answer.json", "report.html", "study.toml"]

    again = cli("robust", "mine.toml", "--json")
    assert "0 to run" in again.err
    answer, sealed = json.loads(again.out), json.loads((folder / "answer.json").read_text())
    assert sealed.pop("seal")
    assert answer == sealed
    assert answer["images"] == 360
    assert set(answer["pairs"][0]["parts"]) == {"setting", "set", "images"}
    keys = [key for one in answer["survey"]["settings"] for cell in one["cells"].values() for key in cell["records"]]
    assert len(keys) == 16
    records = [json.loads(next((tmp_path / "records" / key).glob("*.json")).read_text()) for key in keys]
    assert records[0]["notes"]["setting"].startswith("mine, setting 1: training.steps=8, training.batch=10, student=")
    assert {record["protocol_digest"] for record in records} == {
        one["protocol_digest"] for one in answer["survey"]["settings"]
    }

    listed = cli("plot", "--list", "--answers", "evidence").out
    for figure in ("under-every-setting", "what-each-knob-does", "shares-of-the-variance", "setting-by-setting"):
        assert f"robust-mine-{figure}" in listed
    assert "mine: under every setting" in (folder / "report.html").read_text()


def test_a_study_without_axes_is_refused(cli: Callable[..., Any]) -> None:
    done = cli("robust", "digits-small")
    assert done.code == 2
    assert "declares no family of protocols" in done.err
