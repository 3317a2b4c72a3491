"""Sweeps over an engine: each unit once, whoever takes it, and whatever becomes of the processes."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import rethinkdc as rdc
from rethinkdc import interruption
from rethinkdc.contracts import Crew, Engine
from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.runner import Runner
from rethinkdc.storage import locks
from rethinkdc.studies import elsewhere, taking
from rethinkdc.studies.elsewhere import Elsewhere, EngineError
from rethinkdc.studies.journals import Began, Journal, Journals, Left, journal_in
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.standing import Standing, standings_of
from rethinkdc.studies.study import Study
from rethinkdc.studies.sweep import carry_out
from rethinkdc.studies.taking import DEATHS, take_units
from rethinkdc.studies.units import Workload, plan_workload, read_workload, write_workload
from rethinkdc.studies.watching import Stage

IMPOSSIBLE = Study(dataset="digits", compressors=("random",), ipc=(1000, 1001, 1002, 1003))
"""Runs that end at once, on record: digits has no thousand images of a class."""
Take = Callable[[Path, Workload, Runner], None]


def take(file: Path, workload: Workload, runner: Runner) -> None:
    take_units(file, workload, runner, lambda _: None)


def die_once(file: Path, workload: Workload, runner: Runner) -> None:
    """The first to come begins a unit and dies without a word."""
    with journal_in(file.parent) as journal:
        if not Journals(file.parent).refresh():
            journal.write(Began(unit=0))
            return
    take(file, workload, runner)


class ThreadCrew(Crew):
    def __init__(self, threads: list[threading.Thread], left: str) -> None:
        self.threads, self.left, self.stopped = threads, left, False

    def running(self) -> int:
        return sum(thread.is_alive() for thread in self.threads)

    def said(self) -> str:
        return "no room here"

    def leave(self) -> str:
        return self.left

    def stop(self) -> None:
        self.stopped = True
        for thread in self.threads:
            thread.join(60)


class Threads(Engine):
    """Each process is a thread of this one, which does what the test says."""

    name: ClassVar[str] = "threads"

    def start(self, command: Sequence[str], count: int, folder: Path) -> Crew:
        file = Path(command[4])
        workload = read_workload(file)
        runner = make_runner(workload.machine, workload.keeping)
        threads = [threading.Thread(target=TAKE[0], args=(file, workload, runner)) for _ in range(count)]
        CREWS.append(ThreadCrew(threads, LEFT[0]))
        for thread in threads:
            thread.start()
        return CREWS[-1]


TAKE: list[Any] = [take]
LEFT = [""]
CREWS: list[ThreadCrew] = []


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    TAKE[:], LEFT[:] = [take], [""]
    CREWS.clear()
    monkeypatch.setattr(elsewhere, "_ASKS", 0.0)
    monkeypatch.setattr(elsewhere, "_POLL", 0.01)
    # Threads share what processes each have of their own, such as the plugins that are loaded: one works at a time.
    turn, whole = threading.Lock(), taking._Taker.carry_out

    def in_turn(taker: Any, number: int) -> Any:
        with turn:
            return whole(taker, number)

    monkeypatch.setattr(taking._Taker, "carry_out", in_turn)
    # It is for processes that do nothing else.
    monkeypatch.setattr(taking, "_heed", lambda asked: None)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(cache_dir=tmp_path / "cache", device="cpu")


@pytest.fixture
def keeping(tmp_path: Path) -> Keeping:
    return Keeping(records=tmp_path / "records")


@pytest.fixture
def runner(machine: Machine, keeping: Keeping) -> Runner:
    return make_runner(machine, keeping)


@pytest.fixture
def standings(runner: Runner) -> list[Standing]:
    return standings_of(runs_of(IMPOSSIBLE, "study", runner.registry, runner.cache), runner.records)


@pytest.fixture
def swept(runner: Runner, standings: list[Standing], machine: Machine, keeping: Keeping) -> Callable[[], list[Any]]:
    """Sweeps over two threads; the records, in the order of the study."""

    def sweep() -> list[Any]:
        ended: dict[str, Any] = {}
        place = Elsewhere(Threads(), 2, machine, keeping)
        carry_out(standings, runner, lambda one, end: ended.update({one.run.key: end.record}), elsewhere=place)
        return [ended[one.run.key] for one in standings]

    return sweep


def attempts(runner: Runner, standings: list[Standing]) -> list[int]:
    return [len(runner.records.attempts(one.run.key)) for one in standings]


def test_two_processes_make_each_run_once(
    swept: Callable[[], list[Any]], runner: Runner, standings: list[Standing]
) -> None:
    assert [record.status for record in swept()] == ["unsupported"] * 4
    assert attempts(runner, standings) == [1] * 4
    assert CREWS[-1].stopped
    assert list((runner.cache.root / "sweeps").iterdir()) == []


def test_a_run_whose_process_died_is_taken_by_another(
    swept: Callable[[], list[Any]], runner: Runner, standings: list[Standing]
) -> None:
    TAKE[0] = die_once
    assert len(swept()) == 4
    assert attempts(runner, standings) == [1] * 4


def test_a_run_at_which_process_after_process_dies_is_recorded_as_failed(
    runner: Runner, standings: list[Standing], machine: Machine, keeping: Keeping, tmp_path: Path
) -> None:
    file = tmp_path / "sweep" / "units.json"
    workload = plan_workload(standings, runner, machine, keeping)
    for _ in range(DEATHS):
        with journal_in(file.parent) as journal:
            journal.write(Began(unit=2))
    take(file, workload, runner)
    failed = runner.records.attempts(standings[2].run.key)
    assert [(record.status, record.reason) for record in failed] == [
        ("failed", "Its process ended 3 times without a word; was there enough memory?")
    ]
    assert attempts(runner, standings) == [1] * 4


def test_a_process_that_was_asked_to_end_is_none_that_died(
    runner: Runner, standings: list[Standing], machine: Machine, keeping: Keeping, tmp_path: Path
) -> None:
    file = tmp_path / "sweep" / "units.json"
    for _ in range(DEATHS):
        with journal_in(file.parent) as journal:
            journal.write(Began(unit=2))
            journal.write(Left(unit=2, told="Interrupted."))
    take(file, plan_workload(standings, runner, machine, keeping), runner)
    assert runner.records.attempts(standings[2].run.key)[0].status == "unsupported"


def test_a_unit_that_a_living_process_is_at_is_left_to_it(
    runner: Runner, standings: list[Standing], machine: Machine, keeping: Keeping, tmp_path: Path
) -> None:
    file = tmp_path / "sweep" / "units.json"
    with journal_in(file.parent) as journal:
        journal.write(Began(unit=1))
        take(file, plan_workload(standings, runner, machine, keeping), runner)
    assert attempts(runner, standings) == [1, 0, 1, 1]


def test_processes_that_end_before_they_begin_are_given_up_with_what_they_said(
    swept: Callable[[], list[Any]], runner: Runner
) -> None:
    TAKE[0] = lambda *_: None
    with pytest.raises(EngineError, match=r"engine threads starts end before.*The last one said: no room here"):
        swept()
    assert len(CREWS) == 4
    assert len(list((runner.cache.root / "sweeps").iterdir())) == 1


def test_what_would_end_all_processes_ends_the_sweep(
    swept: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise RethinkError("There is no room left.")

    monkeypatch.setattr(Runner, "attempt", full)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with pytest.raises(RethinkError, match="no room left"):
        swept()
    assert CREWS[-1].stopped


def test_where_the_run_has_another_key_it_is_not_made(
    runner: Runner, standings: list[Standing], machine: Machine, keeping: Keeping, tmp_path: Path
) -> None:
    """As where a host has another version, or other files of a dataset."""
    file = tmp_path / "sweep" / "units.json"
    write_workload(file, plan_workload(standings, runner, machine, keeping))
    file.write_text(file.read_text().replace(standings[0].run.key, "0" * 24))
    with pytest.raises(RequestError, match=rf"has the key {standings[0].run.key} here, and 0{{24}} where"):
        take(file, read_workload(file), runner)
    assert attempts(runner, standings) == [0] * 4


@pytest.mark.parametrize(("left", "stopped"), [("Two jobs go on.", False), ("", True)])
def test_an_interruption_ends_the_processes_or_says_that_they_are_left(
    left: str,
    stopped: bool,
    runner: Runner,
    standings: list[Standing],
    machine: Machine,
    keeping: Keeping,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    LEFT[0] = left
    told: list[str] = []
    monkeypatch.setattr(interruption, "add", told.append)
    goes_on = threading.Event()

    def take_and_stay(*about: Any) -> None:
        take(*about)
        goes_on.wait(60)

    TAKE[0] = take_and_stay

    def interrupted(*_: object) -> None:
        if stopped:
            goes_on.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(standings, runner, interrupted, elsewhere=Elsewhere(Threads(), 1, machine, keeping))
    assert CREWS[-1].stopped is stopped
    assert told == (
        [
            f"{left} Their runs end on record, and the same command waits for those that go on instead of "
            "making them twice."
        ]
        if left
        else []
    )
    assert bool(list((runner.cache.root / "sweeps").iterdir())) is not stopped
    goes_on.set()


def test_processes_that_wait_for_a_place_are_not_hired_again(
    runner: Runner, standings: list[Standing], machine: Machine, keeping: Keeping
) -> None:
    """Two of four have a place; the others will have one, and there is no work for a fifth."""
    places = threading.Semaphore(2)

    def take_a_place(file: Path, workload: Workload, runner: Runner) -> None:
        with places:
            take(file, workload, runner)

    TAKE[0] = take_a_place
    carry_out(standings, runner, lambda *_: None, elsewhere=Elsewhere(Threads(), 4, machine, keeping))
    assert [len(crew.threads) for crew in CREWS] == [4]


def test_a_sweep_that_was_left_long_ago_is_cleared_away_unless_a_process_of_it_lives(
    swept: Callable[[], list[Any]], runner: Runner
) -> None:
    old, living, new = (runner.cache.root / "sweeps" / name for name in ("old", "living", "new"))
    with journal_in(living):
        for folder in (old, new):
            folder.mkdir()
        for folder in (old, living):
            os.utime(folder, (0, 0))
        swept()
        assert sorted((runner.cache.root / "sweeps").iterdir()) == [living, new]


def test_jobs_of_an_engine_are_a_number(machine: Machine, keeping: Keeping, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"--jobs auto counts the cores.*--engine submitit starts.*Give a number"):
        rdc.sweep(
            IMPOSSIBLE, jobs="auto", engine="submitit", cache_dir=tmp_path / "cache", records=tmp_path / "records"
        )


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_file_of_units_reads_back_as_it_was_written(
    runner: Runner, standings: list[Standing], machine: Machine, keeping: Keeping, tmp_path: Path
) -> None:
    workload = plan_workload(standings, runner, machine, keeping)
    write_workload(tmp_path / "units.json", workload)
    assert json.loads((tmp_path / "units.json").read_text())["units"][0]["request"]["compressor"] == "random"
    read = read_workload(tmp_path / "units.json")
    assert (read.units, read.folder, read.version) == (workload.units, workload.folder, workload.version)
    assert Path(str(read.machine.cache_dir)) == runner.cache.root


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "has no units of a sweep: ValueError|has no units of a sweep: JSONDecodeError"),
        ("[]", "has no units of a sweep: TypeError"),
        ("{}", "has no units of a sweep: KeyError: 'format'"),
        ('{"format": 2}', "units of the format 2, and this version of rethinkdc reads 1"),
        (None, r"cannot be read: No such file.*A sweep that has ended removes its units"),
    ],
)
def test_a_file_without_units_is_refused_in_a_sentence(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "units.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RequestError, match=said):
        read_workload(file)


def test_how_far_a_unit_has_come_is_told_seldom(tmp_path: Path) -> None:
    with journal_in(tmp_path) as journal:
        journal.write(Began(unit=3))
        journals = Journals(tmp_path)
        journals.refresh()
        assert list(journals.stages()) == []
        for done in (1, 2, 3):
            journal.tell(Stage("student", done, 10))
        assert list(journals.stages()) == [(3, Stage("student", 1, 10))]


def test_a_process_on_a_host_that_gives_no_sign_of_life_counts_as_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of a dead host may stay held."""
    monkeypatch.setattr("rethinkdc.storage.holders._LOOK", 0.0)
    clock = [0.0]
    monkeypatch.setattr("rethinkdc.storage.holders.time.monotonic", lambda: clock[0])
    with journal_in(tmp_path) as journal:
        journal.write(Began(unit=3))
        journals = Journals(tmp_path)
        journals.refresh()
        for clock[0], dead in ((1.0, 0), (locks.PATIENCE - 1, 0), (locks.PATIENCE + 2, 1)):
            assert journals.deaths().total() == dead
            assert len(journals.going()) == 1 - dead


def test_processes_that_nobody_would_see_to_live_do_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", fail)
    with (
        pytest.warns(UserWarning, match="Locks cannot be had"),
        pytest.raises(RequestError, match="tell each other by locks that they live"),
        journal_in(tmp_path),
    ):
        pass


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    with journal_in(tmp_path) as journal:
        journal.write(Began(unit=3))
        (file,) = tmp_path.rglob("*.jsonl")
        whole = file.read_bytes()
        file.write_bytes(whole + whole[:7])
        journals = Journals(tmp_path)
        assert journals.refresh() == [Began(unit=3)]
        assert journals.refresh() == []
        file.write_bytes(whole + whole)
        assert journals.refresh() == [Began(unit=3)]
        assert list(journals.going().values()) == [3]
    assert journals.going() == {}
    assert isinstance(journal, Journal)
