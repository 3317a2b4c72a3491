"""`rethinkdc sweep`: what it prints, what it skips, and that one failure does not end it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FICKLE = """
import os
import signal
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from rethinkdc.contracts import Compressor
from rethinkdc.errors import DivergedError, RequestError, UnsupportedError
from rethinkdc.contracts import hookimpl


class Fickle(Compressor):
    '''Ends as it is told to, until a file tells it otherwise.'''

    name: ClassVar[str] = "fickle"
    how: Literal["break", "refuse", "diverge", "cannot", "die", "interrupt"] = Field("break", description="Its end.")

    def compress(self, data, budget, context):
        if Path("mended").exists():
            return context.compress("random", data, budget)
        if self.how == "break":
            raise ZeroDivisionError("nothing to divide")
        if self.how == "refuse":
            raise RequestError("not like this")
        if self.how == "diverge":
            raise DivergedError("the loss is not finite", epoch=1, step=2)
        if self.how == "cannot":
            raise UnsupportedError("not with these data")
        if self.how == "interrupt":
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGKILL)


@hookimpl
def register_methods():
    return [Fickle]
"""


DAMAGED_IN_WORKERS = """
import multiprocessing
from typing import ClassVar

from pydantic import model_validator

from rethinkdc.contracts import Compressor, hookimpl
from rethinkdc.errors import DamagedError


class Brittle(Compressor):
    '''Cannot be made in a worker process.'''

    name: ClassVar[str] = "brittle"

    @model_validator(mode="after")
    def check(self):
        if multiprocessing.parent_process():
            raise DamagedError("what it reads is damaged")
        return self


@hookimpl
def register_methods():
    return [Brittle]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Writes study.toml with short training."""

    def written(*compressors: str, seeds: str = "[0]", more: str = "") -> None:
        dataset = "" if "dataset" in more else 'dataset = "digits"\n'
        lists = f"{dataset}compressors = {json.dumps(list(compressors))}\nseeds = {seeds}\n"
        (tmp_path / "study.toml").write_text(f"{lists}{more}\n[overrides]\ntraining.steps = 5\n")

    return written


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "records").rglob("*.json"))


def test_every_run_gets_a_line_as_it_ends(cli: Callable[..., Any], write: Callable[..., None]) -> None:
    write("random", seeds="[0, 1]")
    done = cli("sweep", "study.toml")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "2 runs: none on record, 2 to run."
    assert lines[1].startswith("[1/2] ok ")
    assert "% random + hard, ipc 1, seed 0 (" in lines[1]
    assert lines[2].startswith("[2/2] ok ")
    assert lines[3:] == ["2 ok.", "Compare them with: rethinkdc leaderboard"]


def test_a_second_sweep_runs_nothing_and_says_so(
    cli: Callable[..., Any], write: Callable[..., None], tmp_path: Path
) -> None:
    write("random")
    cli("sweep", "study.toml")
    before = files(tmp_path)
    again = cli("sweep", "study.toml")
    assert again.out.splitlines()[0] == "1 runs: 1 ok on record, 0 to run."
    assert files(tmp_path) == before


def test_a_plan_is_printed_and_nothing_is_run(
    cli: Callable[..., Any], write: Callable[..., None], tmp_path: Path
) -> None:
    write("random", "pca", seeds="[0, 1]", more='title = "What is to come"')
    done = cli("sweep", "study.toml", "--plan")
    assert (done.code, files(tmp_path)) == (0, [])
    assert "What is to come" in done.out
    assert done.out.count("run") >= 4
    assert "4 runs: none on record, 4 to run." in done.out
    cli("run", "-d", "digits", "-c", "random", "--set", "training.steps=5")
    rows = json.loads(cli("sweep", "study.toml", "--plan", "--json").out)["runs"]
    assert [(row["compressor"], row["seeds"]["set"], row["status"], row["to_run"]) for row in rows] == [
        ("random", 0, "ok", False),
        ("random", 1, "new", True),
        ("pca", 0, "new", True),
        ("pca", 1, "new", True),
    ]
    assert len(files(tmp_path)) == 1


def test_seeds_of_one_axis_are_named(cli: Callable[..., Any], write: Callable[..., None]) -> None:
    write("random", seeds='"student=0,3"')
    plan = cli("sweep", "study.toml", "--plan").out
    assert "0, student=3" in plan
    assert "student=0" not in plan


def test_failures_are_recorded_with_their_reason_and_the_sweep_goes_on(
    cli: Callable[..., Any], write: Callable[..., None], install: Callable[..., None], tmp_path: Path
) -> None:
    install("some-fickle", {"fickle": FICKLE})
    ways = ("break", "refuse", "diverge", "cannot")
    write(*(f"fickle:how={way}" if way != "break" else "fickle" for way in ways), "random")
    done = cli("sweep", "study.toml", "--json")
    assert done.code == 1
    ended = {record["names"]["compressor"]: (record["status"], record["reason"]) for record in json.loads(done.out)}
    assert ended == {
        "fickle": (
            "failed",
            "The compressor fickle of some-fickle 1.0 raised ZeroDivisionError: nothing to divide.",
        ),
        "fickle:how=refuse": ("failed", "not like this"),
        "fickle:how=diverge": ("failed", "the loss is not finite"),
        "fickle:how=cannot": ("unsupported", "not with these data"),
        "random": ("ok", ""),
    }
    assert len(files(tmp_path)) == 5
    assert "[1/5] failed fickle + hard, ipc 1, seed 0" in done.err

    # What failed is tried again, what is unsupported only when asked for.
    (tmp_path / "mended").touch()
    again = cli("sweep", "study.toml")
    assert again.code == 0, again.out
    assert again.out.splitlines()[0] == "5 runs: 1 ok, 1 unsupported, 3 failed on record, 3 to run."
    assert "4 ok, 1 unsupported." in again.out
    last = cli("sweep", "study.toml", "--retry-unsupported")
    assert "[1/1] ok" in last.out
    assert len(files(tmp_path)) == 9


@pytest.mark.slow
def test_a_process_that_dies_fails_its_own_run_only(
    cli: Callable[..., Any], write: Callable[..., None], install: Callable[..., None], tmp_path: Path
) -> None:
    install("some-fickle", {"fickle": FICKLE})
    write("fickle:how=die", "random", more="ipc = [1, 2]")
    done = cli("sweep", "study.toml", "--jobs", "2", "--json")
    assert done.code == 1
    ended = [(record["names"]["compressor"], record["status"]) for record in json.loads(done.out)]
    assert ended == [("fickle:how=die", "failed"), ("random", "ok")] * 2
    assert "ended by signal 9" in json.loads(files(tmp_path)[0].read_text())["reason"] + done.err


@pytest.mark.slow
def test_an_error_of_a_worker_keeps_its_exit_code(
    cli: Callable[..., Any], write: Callable[..., None], install: Callable[..., None], tmp_path: Path
) -> None:
    """Damage is no wrong request, whichever process meets it."""
    install("some-brittle", {"brittle": DAMAGED_IN_WORKERS})
    write("brittle", more="ipc = [1, 2]")
    done = cli("sweep", "study.toml", "--jobs", "2")
    assert (done.code, files(tmp_path)) == (1, [])
    assert "what it reads is damaged" in done.err


def test_an_interrupt_ends_the_sweep(
    cli: Callable[..., Any], write: Callable[..., None], install: Callable[..., None], tmp_path: Path
) -> None:
    install("some-fickle", {"fickle": FICKLE})
    write("fickle:how=interrupt", "random")
    done = cli("sweep", "study.toml")
    assert done.code == 130
    assert "0 of 2 runs ended before the interruption, each on record." in done.err
    assert "Interrupted in fickle." in done.err
    assert files(tmp_path) == []


def test_a_wrong_entry_stops_before_anything_runs(
    cli: Callable[..., Any], write: Callable[..., None], tmp_path: Path
) -> None:
    write("random", "pcaa")
    done = cli("sweep", "study.toml")
    assert (done.code, done.out, files(tmp_path)) == (2, "", [])
    assert "study.toml, compressor 'pcaa'" in done.err


def test_the_dataset_and_the_seeds_of_the_command_line_take_the_studys_place(
    cli: Callable[..., Any], write: Callable[..., None]
) -> None:
    write("random", more='dataset = "cifar10"\nprotocol = "cifar10-hard"')
    words = ("--dataset", "digits:fold=2", "--protocol", "digits-hard", "--seeds", "3")
    (row,) = json.loads(cli("sweep", "study.toml", *words, "--plan", "--json").out)["runs"]
    assert (row["dataset"], row["protocol"], row["seeds"]["set"]) == ("digits:fold=2", "digits-hard v1", 3)


def test_a_shipped_study_is_named(cli: Callable[..., Any]) -> None:
    rows = json.loads(cli("sweep", "digits-small", "--plan", "--json").out)["runs"]
    assert {"random", "pca"} <= {row["compressor"] for row in rows}


# -- engines and shards --------------------------------------------------------------------------------------------

ROWED = """
from typing import ClassVar

from pydantic import Field

from rethinkdc.contracts import Engine, RequestError, hookimpl


class Rowed(Engine):
    '''An engine with rows of machines.'''

    name: ClassVar[str] = "rowed"
    rows: int = Field(1, description="Rows.")

    def check(self):
        if self.rows == 13:
            raise RequestError("The engine rowed has no row 13.")

    def slots(self, jobs):
        return jobs * self.rows

    def start(self, command, count, folder):
        raise RequestError(f"There is no room for {count} processes of {command[3]}.")


@hookimpl
def register_methods():
    return [Rowed]
"""


@pytest.fixture
def rowed(install: Callable[..., None], tmp_path: Path) -> None:
    install("some-rows", {"rowed": ROWED})
    (tmp_path / "study.toml").write_text('dataset = "digits"\ncompressors = ["random"]\nseeds = [0, 1, 2, 3, 4]\n')


def test_a_plan_counts_the_slots_of_the_engine(cli: Callable[..., Any], rowed: None) -> None:
    plan = json.loads(cli("sweep", "study.toml", "--plan", "--engine", "rowed:rows=4", "--jobs", "2", "--json").out)
    assert (plan["estimate"]["jobs"], plan["estimate"]["engine"]) == (8, "rowed:rows=4")
    plan = json.loads(cli("sweep", "study.toml", "--plan", "--json").out)
    assert (plan["estimate"]["jobs"], plan["estimate"]["engine"]) == (1, "local")


def test_a_plan_of_a_shard_has_its_runs_alone(cli: Callable[..., Any], rowed: None) -> None:
    parts = [
        json.loads(cli("sweep", "study.toml", "--plan", "--shard", f"{n}/2", "--json").out)["runs"] for n in (0, 1)
    ]
    assert [[run["seeds"]["set"] for run in part] for part in parts] == [[0, 1], [2, 3, 4]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "rowd"), "Unknown engine 'rowd'. Did you mean 'rowed'"),
        (("--engine", "rowed:row=1"), "rowed has no parameter 'row'. Did you mean 'rows'"),
        (("--engine", "rowed:rows=13"), "The engine rowed has no row 13."),
        (("--engine", "rowed:rows=7"), "There is no room for 5 processes of carry-out."),
        (("--engine", "random"), "Unknown engine 'random'."),
        (("--shard", "2/2"), "--shard 2/2: the parts are 0/2 to 1/2."),
        (("--shard", "half"), "--shard half: expected one part of so many, counted from 0"),
    ],
)
def test_an_engine_or_a_shard_that_cannot_be_is_refused_in_a_sentence(
    cli: Callable[..., Any], rowed: None, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = cli("sweep", "study.toml", *words)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert not (tmp_path / "records").exists()
