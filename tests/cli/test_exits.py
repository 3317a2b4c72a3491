"""Methods that would end the process are failures like any other: on record, with a reason, and nobody else's."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.cli.main import main

LEAVING = """
import sys
from typing import ClassVar

from rethinkdc.contracts import Compressor, Labeler, Tracker, hookimpl
from rethinkdc.data import Dataset
from rethinkdc.evaluation import StudentEvaluator
from rethinkdc.models import Model


class LeavingCompressor(Compressor):
    '''Ends the process.'''

    name: ClassVar[str] = "leaving-compressor"

    def compress(self, data, budget, context):
        sys.exit(0)


class LeavingLabeler(Labeler):
    '''Ends the process.'''

    name: ClassVar[str] = "leaving-labeler"
    track: ClassVar[str] = "hard"

    def prepare(self, compressed, context):
        sys.exit()


class LeavingEvaluator(StudentEvaluator):
    '''Ends the process.'''

    name: ClassVar[str] = "leaving-evaluator"

    def evaluate(self, compressed, supervision, test, context):
        raise SystemExit("that was all")


class LeavingModel(Model):
    '''Ends the process.'''

    name: ClassVar[str] = "leaving-model"

    def build(self, classes, size):
        sys.exit(3)


class LeavingTracker(Tracker):
    '''Ends the process.'''

    name: ClassVar[str] = "leaving-tracker"

    def run_started(self, definition, names, key):
        sys.exit(0)


class Odd(BaseException):
    pass


class OddCompressor(Compressor):
    '''Raises what is no exception.'''

    name: ClassVar[str] = "odd-compressor"

    def compress(self, data, budget, context):
        raise Odd("neither here nor there")


@hookimpl
def register_methods():
    return [LeavingCompressor, LeavingLabeler, LeavingEvaluator, LeavingModel, LeavingTracker, OddCompressor]
"""
SAID = (
    "The {0} leaving-{0} of some-leaving 1.0 tried to end the process with sys.exit({1}) instead of raising an error."
)


@pytest.fixture
def leaving(install: Callable[..., None], tmp_path: Path) -> None:
    names = ("compressor", "labeler", "evaluator", "model", "tracker")
    install("some-leaving", {"leaving": LEAVING})
    site = tmp_path / "site-some-leaving" / "some_leaving-1.0.dist-info" / "entry_points.txt"
    points = [f"leaving-{name} = some_leaving_leaving" for name in names] + ["odd-compressor = some_leaving_leaving"]
    site.write_text("[rethinkdc]\n" + "\n".join(points) + "\n")


def swept(cli: Callable[..., Any], tmp_path: Path, text: str, *words: str) -> tuple[Any, dict[str, tuple[str, str]]]:
    """The sweep of a study of digits, and how each run ended, by compressor."""
    (tmp_path / "study.toml").write_text(f'dataset = "digits"\n{text}\n[overrides]\ntraining.steps = 5\n')
    done = cli("sweep", "study.toml", "--json", *words)
    ended = json.loads(done.out) if done.out else []
    return done, {record["names"]["compressor"]: (record["status"], record["reason"]) for record in ended}


@pytest.mark.parametrize(
    ("kind", "study", "ends", "code"),
    [
        ("compressor", 'compressors = ["leaving-compressor", "random"]', {"leaving-compressor"}, "0"),
        ("labeler", 'compressors = ["random", "full"]\nlabelers = ["leaving-labeler"]', {"random", "full"}, ""),
        ("evaluator", 'compressors = ["random"]\nevaluator = "leaving-evaluator"', {"random"}, "'that was all'"),
        ("model", 'compressors = ["random"]\nstudents = ["leaving-model"]', {"random"}, "3"),
    ],
)
def test_a_method_that_leaves_fails_its_run_and_the_sweep_goes_on(
    kind: str, study: str, ends: set[str], code: str, cli: Callable[..., Any], leaving: None, tmp_path: Path
) -> None:
    done, ended = swept(cli, tmp_path, study)
    assert done.code == 1
    for compressor, (status, reason) in ended.items():
        assert status == ("failed" if compressor in ends else "ok"), reason
        assert (SAID.format(kind, code) in reason) == (compressor in ends)


def test_what_is_no_exception_is_a_failure_too(cli: Callable[..., Any], leaving: None, tmp_path: Path) -> None:
    done, ended = swept(cli, tmp_path, 'compressors = ["odd-compressor", "random"]')
    assert done.code == 1
    said = "The compressor odd-compressor of some-leaving 1.0 raised Odd: neither here nor there."
    assert ended == {"odd-compressor": ("failed", said), "random": ("ok", "")}


def test_a_tracker_that_leaves_loses_no_run(cli: Callable[..., Any], leaving: None, tmp_path: Path) -> None:
    done, ended = swept(cli, tmp_path, 'compressors = ["random"]', "--tracker", "leaving-tracker")
    assert (done.code, ended) == (0, {"random": ("ok", "")})
    assert "The tracker 'leaving-tracker'" in done.err


def test_a_run_that_leaves_is_an_error_of_the_command(cli: Callable[..., Any], leaving: None, tmp_path: Path) -> None:
    done = cli("run", "-d", "digits", "-c", "leaving-compressor")
    assert (done.code, done.out) == (1, "")
    assert SAID.format("compressor", 0) in done.err
    assert "The option --debug, before the command, shows where." in done.err
    (record,) = map(json.loads, map(Path.read_text, (tmp_path / "records").rglob("*.json")))
    assert (record["status"], record["reason"]) == ("failed", SAID.format("compressor", 0))
    # It is no result: the same command tries again.
    assert cli("run", "-d", "digits", "-c", "leaving-compressor").code == 1
    assert len(list((tmp_path / "records").rglob("*.json"))) == 2


def test_debug_shows_where_it_left(cli: Callable[..., Any], leaving: None, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("list-protocols")
    monkeypatch.setattr(sys, "argv", ["rethinkdc", "--debug", "run", "-d", "digits", "-c", "leaving-compressor"])
    with pytest.raises(Exception, match=r"sys\.exit\(0\)") as raised:
        main()
    assert isinstance(raised.value.__cause__, SystemExit)
