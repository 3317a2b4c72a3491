"""A sweep tells how far it has come, and no more than somebody looks at."""

from __future__ import annotations

import json
import os
import struct
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.storage import WaitingWarning
from rethinkdc.studies.remaining import Pace, seconds_left
from rethinkdc.studies.study import Study
from rethinkdc.studies.watching import EVERY, Stage, StageProgress, Unwatched, watch
from rethinkdc.studies.workers import Waiting, Worker, _caught_warnings


class Listening:
    """Watches a sweep and keeps what it is told; its own tasks are kept too."""

    def __init__(self, *, wants_stages: bool) -> None:
        self.wants_stages = wants_stages
        self.told: list[tuple[str, Any]] = []
        self.tasks: list[str] = []

    @contextmanager
    def sweep(self, standings: Sequence[Any], jobs: int) -> Iterator[Listening]:
        self.told.append(("sweep", (len(standings), jobs)))
        yield self
        self.told.append(("over", None))

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Any]:
        self.tasks.append(description)
        yield lambda _: None

    def expect(self, seconds: Mapping[str, float]) -> None:
        self.expected = dict(seconds)

    def began(self, standing: Any) -> None:
        self.told.append(("began", standing.run.key))

    def advanced(self, standing: Any, stage: Stage) -> None:
        self.told.append(("advanced", standing.run.key))
        assert 0 <= stage.done <= stage.total

    def ended(self, standing: Any, ended: Any) -> None:
        assert ended.record.key == standing.run.key
        self.told.append(("ended", standing.run.key))


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_watcher_and_trackers_are_told_of_every_run(tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETHINKDC_JSONL", str(tmp_path / "events.jsonl"))
    watcher = Listening(wants_stages=True)
    study = Study(dataset="digits", compressors=("random",), seeds=(0, 1), overrides={"training.steps": 5})
    machine: dict[str, Any] = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}
    records = rdc.sweep(study, jobs=jobs, progress=watcher, tracker="jsonl", **machine)
    assert watcher.told[0] == ("sweep", (2, jobs))
    assert watcher.told[-1] == ("over", None)
    for record in records:
        events = [event for event, key in watcher.told if key == record.key]
        assert events[0] == "began"
        assert events[-1] == "ended"
        assert set(events[1:-1]) == {"advanced"}
    assert watcher.tasks == []
    # Trackers hear of a run in the process that makes it.
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    finished = {line["record"]["key"]: line["record"] for line in lines if line["event"] == "run_finished"}
    assert finished == {record.key: record.model_dump(mode="json") for record in records}
    assert (os.getpid() in {line["process"] for line in lines}) == (jobs == 1)


def test_who_wants_no_stages_is_told_none(tmp_path: Path) -> None:
    watcher = Listening(wants_stages=False)
    study = Study(dataset="digits", compressors=("random",), overrides={"training.steps": 5})
    rdc.sweep(study, progress=watcher, records=tmp_path / "records", cache_dir=tmp_path / "cache", device="cpu")
    assert [event for event, _ in watcher.told] == ["sweep", "began", "ended", "over"]
    # A progress of one's own goes on hearing of tasks.
    assert watcher.tasks


def test_a_progress_that_shows_no_sweeps_is_left_alone() -> None:
    with watch(SimpleNamespace(task=None), [], 1) as view:
        assert isinstance(view, Unwatched)


def test_stages_are_told_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = 100.0, list[Stage]()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = StageProgress(told.append)
    with progress.task("outer", 2) as outer:
        with progress.task("inner", 1000) as inner:
            for _ in range(1000):
                now += EVERY / 100
                inner(1)
        now += EVERY
        outer(1)
    assert told[0] == Stage("outer", 0, 2)
    assert told[-1] == Stage("outer", 1, 2)
    assert 8 <= len(told) - 2 <= 10
    assert [stage.done for stage in told[1:-1]] == sorted(stage.done for stage in told[1:-1])


def test_a_worker_that_is_ended_in_the_middle_of_a_word_is_recorded() -> None:
    ours, theirs = Pipe()
    worker: Any = object.__new__(Worker)
    worker.connection, worker.since = ours, time.perf_counter()
    worker.process = SimpleNamespace(join=lambda: None, exitcode=-9)
    worker.standing = SimpleNamespace(run="the run")
    worker.runner = SimpleNamespace(record_end=lambda *about: about)
    theirs._send(struct.pack("!i", 100) + b"only these")  # type: ignore[attr-defined]  # half a message
    theirs.close()
    ended = worker.answer()
    assert ended.record == (
        "the run",
        "failed",
        "Its process was ended by signal 9; was there enough memory?",
    )
    assert worker.standing is None


def test_for_whom_a_worker_waits_is_told_at_once_and_all_else_at_the_end_of_its_run() -> None:
    ours, theirs = Pipe()
    worker: Any = object.__new__(Worker)
    worker.connection, worker.standing = ours, SimpleNamespace(run="the run")
    with _caught_warnings(theirs) as caught:
        warnings.warn("a doubt", stacklevel=1)
        warnings.warn("Waiting for ann", WaitingWarning, stacklevel=1)
        assert ours.poll()
    with pytest.warns(WaitingWarning, match="Waiting for ann"):
        assert worker.answer() == Waiting("Waiting for ann")
    assert worker.standing is not None
    assert caught == ["a doubt"]


@pytest.mark.parametrize(
    ("ended", "running", "waiting", "jobs", "left"),
    [
        # Nothing is known of any run.
        ([], [(None, 3.0)], [None] * 4, 2, None),
        # The mean of those that ended.
        ([(None, 10.0), (None, 20.0)], [], [None] * 4, 1, 60.0),
        ([(None, 10.0), (None, 20.0)], [(None, 5.0)], [None], 2, 15.0),
        # The last run alone: other processes do not shorten it.
        ([(None, 10.0)], [(None, 2.0)], [], 4, 8.0),
        # Longer than expected: nobody knows, but it is not done yet.
        ([(None, 10.0)], [(None, 30.0)], [], 1, 0.0),
        # From records, before any run ended; and where one of the runs is not known.
        ([], [(100.0, 10.0)], [50.0], 1, 140.0),
        ([], [(100.0, 10.0)], [None], 1, None),
        # Here everything takes twice what the records say; what they do not know takes the mean, 40 s.
        ([(10.0, 20.0), (30.0, 60.0)], [(50.0, 40.0)], [5.0, None], 1, 60.0 + 10.0 + 40.0),
    ],
)
def test_seconds_left(
    ended: list[tuple[float | None, float]],
    running: list[tuple[float | None, float]],
    waiting: list[float | None],
    jobs: int,
    left: float | None,
) -> None:
    assert seconds_left([Pace(*each) for each in ended], [Pace(*each) for each in running], waiting, jobs) == left
