"""Worker processes: one that cannot start costs little, and all end with their work kept when the sweep is ended."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rethinkdc.studies import sweep
from rethinkdc.studies.standing import Ended, Standing
from rethinkdc.studies.watching import Unwatched
from rethinkdc.studies.workers import StartError, Worker


@dataclass(frozen=True)
class Recorder:
    """A runner that tells what it would record."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def record_end(self, run: Any, status: str, reason: str) -> tuple[str, Any, str]:
        return status, run, reason


class Scripted:
    """A worker that ends while it starts where its turn says so, and else answers each run at once."""

    turns: Iterator[int | None]
    deadline = math.inf

    def __init__(self, runner: Recorder, *, tells: bool) -> None:
        self.connection, self._theirs = Pipe()
        self.code, self.standing = next(Scripted.turns), None
        self.runner = runner
        self.process = SimpleNamespace(is_alive=lambda: self.code is None)
        self._theirs.send(None)

    def answer(self) -> Ended | None:
        self.connection.recv()
        if self.code is not None:
            how = f"was ended by signal {-self.code}" if self.code < 0 else f"ended ({self.code})"
            raise StartError(how, by_signal=self.code < 0)
        standing, self.standing = self.standing, None
        return Ended(("ok", standing.run), 0.0) if standing else None

    def begin(self, standing: Any) -> None:
        self.standing = standing
        self._theirs.send("ended")

    def end_overdue(self) -> None:
        raise AssertionError("it has no deadline")

    def dismiss(self) -> None:
        self.connection.close()

    kill = dismiss


@pytest.fixture
def carry_out(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Any, ...]]]:
    """Runs "a", "b", ... in two workers whose turns are given; how each ended."""

    def carried(runs: str, *turns: int | None) -> list[tuple[Any, ...]]:
        Scripted.turns = iter(turns)
        monkeypatch.setattr(sweep, "Worker", Scripted)
        monkeypatch.setattr(sweep, "stop_all", lambda workers: [])
        monkeypatch.setattr(sweep._Waiting, "take", lambda waiting, running: waiting._standings.pop(0))
        ended: list[tuple[Any, ...]] = []
        runner: Any = Recorder()
        standings: Any = [SimpleNamespace(run=run) for run in runs]
        report: Any = lambda standing, end: ended.append(end.record)  # noqa: E731
        sweep._in_processes(standings, runner, report, Unwatched(), 2)
        return ended

    return carried


def test_a_worker_that_is_killed_while_it_starts_is_replaced(carry_out: Callable[..., Any]) -> None:
    assert sorted(carry_out("abc", -9, None, None)) == [("ok", "a"), ("ok", "b"), ("ok", "c")]
    # Also before any has ever started.
    assert sorted(carry_out("ab", -9, -9, None, None)) == [("ok", "a"), ("ok", "b")]


def test_a_worker_that_never_starts_again_costs_a_run_and_not_the_sweep(carry_out: Callable[..., Any]) -> None:
    ended = carry_out("abcd", None, -9, 1, -9, None)
    assert sorted(record[1] for record in ended) == ["a", "b", "c", "d"]
    (failed,) = [record for record in ended if record[0] == "failed"]
    assert failed[2] == (
        "No process could be started for it in 3 tries: the last one was ended by signal 9; was there enough memory?"
    )
    assert sum(record[0] == "ok" for record in ended) == 3


def test_where_no_worker_can_start_at_all_the_sweep_says_so_at_once(carry_out: Callable[..., Any]) -> None:
    """As in a script that starts a sweep whenever it is imported."""
    with pytest.raises(
        StartError, match=r"it ended \(1\)\. Run without --jobs and --time-limit; in a script.*__main__"
    ):
        carry_out("abcd", 1, 1)
    with pytest.raises(StartError, match="it was ended by signal 9"):
        carry_out("abcd", -9, -9, -9, -9)


def test_a_worker_that_is_let_go_does_not_outlive_an_interruption() -> None:
    ended: list[str] = []

    def join(seconds: float | None = None) -> None:
        if seconds is not None:
            raise KeyboardInterrupt

    worker = Worker.__new__(Worker)
    worker.connection, _theirs = Pipe()
    worker.process = SimpleNamespace(join=join, is_alive=lambda: True, kill=lambda: ended.append("killed"))  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        worker.dismiss()
    assert ended == ["killed"]


def test_a_run_that_is_sent_to_a_process_that_has_just_ended_is_recorded_as_failed() -> None:
    ours, theirs = Pipe()
    worker: Any = object.__new__(Worker)
    worker.connection, worker.process = ours, SimpleNamespace(join=lambda: None, exitcode=-9)
    worker.runner = SimpleNamespace(record_end=lambda *about: about)
    theirs.close()
    run: Any = SimpleNamespace(asked="the request")
    worker.begin(Standing(run, None))
    assert worker.answer().record[1:] == ("failed", "Its process was ended by signal 9; was there enough memory?")


# -- real processes ------------------------------------------------------------------------------------------------

ENDLESS = """
import time
from typing import ClassVar

from rethinkdc.contracts import CompressedSet, Compressor, hookimpl


class Endless(Compressor):
    '''Parts that are never done, whose state is kept after each step.'''

    name: ClassVar[str] = "endless"

    def compress(self, data, budget, context):
        def make(index):
            kept, step = context.resumable("steps", every=0.0), 0
            while True:
                time.sleep(0.01)
                step += 1
                kept.keep(lambda: {"step": step}, done=step)

        return CompressedSet.of_canvases(context.parts(budget.classes, make), data.class_names)


@hookimpl
def register_methods():
    return [Endless]
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A sweep in two worker processes, both of which are making images."""
    about = tmp_path / "site" / "endless-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: endless\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rethinkdc]\nendless = endless_plugin\n")
    (tmp_path / "site" / "endless_plugin.py").write_text(ENDLESS)
    (tmp_path / "study.toml").write_text('dataset = "digits"\ncompressors = ["endless"]\nseeds = [0, 1]\n')
    words = ["sweep", "study.toml", "--jobs", "2", "--device", "cpu", "--cache-dir", "cache", "--records", "records"]
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", "rethinkdc", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(list((tmp_path / "cache").rglob("checkpoint.pt"))) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    yield process
    if group_of(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def group_of(group: int) -> list[int]:
    """The processes of a group that run, but for those that only look after others'."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            words = (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(of) == group and state not in "ZX" and "resource_tracker" not in words:
            found.append(int(folder.name))
    return found


@pytest.mark.slow
def test_a_sweep_that_is_asked_to_end_ends_its_workers_with_their_work_kept(
    started: subprocess.Popen[str], tmp_path: Path
) -> None:
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 143, said
    assert group_of(started.pid) == []
    assert "leaked" not in said
    assert "0 of 2 runs ended before the interruption, each on record." in said
    for seed in (0, 1):
        where = f"endless + hard, ipc 1, seed {seed}: Interrupted in part 1 of 10 of endless."
        assert f"{where} Kept: the checkpoint of step " in said
    assert len(list((tmp_path / "cache" / "work").rglob("checkpoint.pt"))) == 2


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(started: subprocess.Popen[str], tmp_path: Path) -> None:
    started.kill()
    started.wait()
    while group_of(started.pid):
        time.sleep(0.05)
    assert len(list((tmp_path / "cache" / "work").rglob("checkpoint.pt"))) == 2
    assert not list((tmp_path / "records").rglob("*.json"))


@pytest.mark.slow
def test_a_sweep_in_processes_ends_without_a_word_of_what_was_left(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        'dataset = "digits"\ncompressors = ["random"]\nseeds = [0, 1]\n[overrides]\ntraining.steps = 5\n'
    )
    words = [
        "sweep",
        "study.toml",
        "--jobs",
        "2",
        "--device",
        "cpu",
        "--cache-dir",
        "cache",
        "--records",
        "r",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "rethinkdc", *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [record["status"] for record in json.loads(done.stdout)] == ["ok", "ok"]
    assert "leaked" not in done.stderr
