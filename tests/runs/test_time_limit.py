"""A run that takes too long is a failed record, whatever it is at."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.errors import RequestError, TimeLimitError
from rethinkdc.registry.verdict import LIMIT
from rethinkdc.runs.calls import RunCall
from rethinkdc.runs.time_limit import within
from rethinkdc.studies.study import Study

SOURCE = """
import ctypes, signal, time, warnings
from typing import ClassVar, Literal
from pydantic import Field
from rethinkdc.contracts import Compressor, hookimpl

class Stuck(Compressor):
    '''Never ends, or ends all.'''
    name: ClassVar[str] = "stuck"
    how: Literal["sleeps", "goes-on", "is-deaf", "crashes"] = Field(default="sleeps", description="What it does.")

    def compress(self, data, budget, context):
        print("printed by a method")
        warnings.simplefilter("error")
        if self.how == "crashes":
            ctypes.string_at(0)
        if self.how == "is-deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        tries = 0
        while True:
            try:
                time.sleep(0.01 if self.how == "goes-on" else 10_000)
            except Exception:
                tries += 1
                if self.how != "goes-on" or tries > 1:
                    raise

@hookimpl
def register_methods():
    return [Stuck]
"""
SAID = "It took longer than the {:g} s of --time-limit."


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(LIMIT, "0")
    site = tmp_path / "site"
    about = site / "acme_stuck-1.0.dist-info"
    about.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-stuck\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rethinkdc]\nstuck = acme_stuck\n")
    (site / "acme_stuck.py").write_text(SOURCE)
    yield
    sys.modules.pop("acme_stuck", None)


def reasons(records: Path) -> list[tuple[str, str]]:
    read = [json.loads(path.read_text()) for path in sorted(records.rglob("*.json"))]
    return [(record["status"], record["reason"]) for record in read]


@pytest.mark.parametrize("how", ["sleeps", "goes-on"])
def test_a_run_ends_at_its_limit_as_a_failed_record(how: str, tmp_path: Path) -> None:
    with pytest.raises(TimeLimitError, match=r"It took longer than the 0\.3 s of --time-limit\."):
        rdc.run(
            f"stuck:how={how}",
            dataset="digits",
            cache_dir=tmp_path / "cache",
            records=tmp_path / "records",
            device="cpu",
            time_limit=0.3,
        )
    ((status, reason),) = reasons(tmp_path / "records")
    assert status == "failed"
    assert reason.startswith(SAID.format(0.3))
    # Nothing of it goes on.
    time.sleep(0.01)


def test_a_run_within_its_limit_is_as_any_other(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"cache_dir": tmp_path / "cache", "records": tmp_path / "records", "device": "cpu"}
    record = rdc.run("random", dataset="digits", ipc=1, overrides={"training.steps": 2}, time_limit=1000.0, **kept)
    assert record.status == "ok"


def test_a_limit_is_a_number_above_zero_and_is_heard_in_the_main_thread() -> None:
    for wrong in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(RequestError, match=r"--time-limit .*: a number of seconds above 0 is needed"):
            RunCall("random", time_limit=wrong)
    found: list[Exception] = []

    def hear() -> None:
        try:
            with within(1.0):
                pass
        except RequestError as error:
            found.append(error)

    thread = threading.Thread(target=hear)
    thread.start()
    thread.join()
    assert "main thread alone" in str(found[0])


@pytest.mark.slow
def test_in_a_sweep_what_hangs_deaf_or_crashes_costs_its_own_run(tmp_path: Path) -> None:
    study = Study(
        compressors=("stuck:how=is-deaf", "stuck:how=crashes", "random"),
        dataset="digits",
        ipc=(1,),
        overrides={"training.steps": 2},
    )
    records = rdc.sweep(study, cache_dir=tmp_path / "cache", records=tmp_path / "records", device="cpu", time_limit=60)
    assert [record.status for record in records] == ["failed", "failed", "ok"]
    assert records[0].reason.startswith(SAID.format(60))
    assert "signal 11" in records[1].reason
