"""Trackers from the command line: the built-in one, and one that fails."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

QUICK = ("run", "-d", "digits", "-c", "random", "--set", "training.steps=60", "--json")


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_jsonl_writes_one_line_for_each_event(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli(*QUICK, "--tracker", "jsonl", "--seeds", "0,1")
    assert done.code == 0, done.err
    lines = events(tmp_path / "rethinkdc-events.jsonl")
    records = json.loads(done.out)
    starts = [at for at, line in enumerate(lines) if line["event"] == "run_started"]
    assert starts[0] == 0
    assert len(starts) == len(records) == 2
    for run, record in zip((lines[: starts[1]], lines[starts[1] :]), records, strict=True):
        first, *epochs, last = run
        assert (first["definition"], first["names"]) == (record["definition"], record["names"])
        assert first["key"] == record["key"]
        assert [line["event"] for line in epochs] == ["epoch_ended"] * len(epochs)
        assert [line["epoch"] for line in epochs] == list(range(len(epochs)))
        assert [line["loss"] for line in epochs] == [entry["train_loss"] for entry in record["evaluation"]["curve"]]
        assert (last["event"], last["record"]) == ("run_finished", record)
    assert {line["process"] for line in lines} == {os.getpid()}
    times = [line["time"] for line in lines]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", time) for time in times)


def test_jsonl_appends_where_the_environment_says(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "logs" / "events.jsonl"
    monkeypatch.setenv("RETHINKDC_JSONL", str(path))
    assert cli(*QUICK, "--tracker", "jsonl").code == 0
    once = path.read_text()
    # On record: nothing is computed, so nothing is told.
    assert cli(*QUICK, "--tracker", "jsonl").code == 0
    assert path.read_text() == once
    assert cli(*QUICK, "--tracker", "jsonl", "--force").code == 0
    assert path.read_text().startswith(once)
    assert [line["event"] for line in events(path)].count("run_finished") == 2
    assert not (tmp_path / "rethinkdc-events.jsonl").exists()


def test_jsonl_lines_of_several_writers_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rethinkdc.plugins.trackers.jsonl import append_event

    monkeypatch.setenv("RETHINKDC_JSONL", str(tmp_path / "events.jsonl"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: append_event("epoch_ended", {"epoch": at, "text": "x" * 5000}), range(200)))
    assert sorted(line["epoch"] for line in events(tmp_path / "events.jsonl")) == list(range(200))


def test_a_diverged_run_is_told_as_failed(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli(*QUICK, "--set", "training.optimizer.lr=1e30", "--tracker", "jsonl")
    assert done.code == 1, done.err
    last = events(tmp_path / "rethinkdc-events.jsonl")[-1]
    assert (last["event"], last["record"]["status"]) == ("run_finished", "failed")


def test_a_tracker_that_fails_loses_no_run(cli: Callable[..., Any], tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "taken").mkdir()
    monkeypatch.setenv("RETHINKDC_JSONL", str(tmp_path / "taken"))
    done = cli(*QUICK, "--tracker", "jsonl")
    assert done.code == 0, done.err
    (record,) = json.loads(done.out)
    assert record["status"] == "ok"
    failed = f"The tracker 'jsonl' of rethinkdc {record['plugins']['rethinkdc']} failed in"
    for event in ("run_started", "epoch_ended", "run_finished"):
        assert done.err.count(f"{failed} {event}: IsADirectoryError") == 1
    monkeypatch.delenv("RETHINKDC_JSONL")
    (again,) = json.loads(cli(*QUICK, "--force").out)
    assert again["result_digest"] == record["result_digest"]


def test_an_unknown_tracker_is_refused_before_anything_is_computed(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli(*QUICK, "--tracker", "jsnol")
    assert done.code == 2
    assert "Did you mean 'jsonl'" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_tracker_is_listed_and_shown(cli: Callable[..., Any]) -> None:
    assert "run --tracker NAME" in cli("list-plugins").out
    assert "one line of JSON" in cli("show", "jsonl").out.replace("\n", " ")
    (shown,) = json.loads(cli("show", "jsonl", "--json").out)
    assert (shown["kind"], shown["name"]) == ("tracker", "jsonl")
