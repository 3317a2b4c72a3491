"""What a sweep takes beside its runs, and how a run finds its record among many."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.context.cache import Cache
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.records import Records
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.standing import standings_of
from rethinkdc.studies.study import Study
from rethinkdc.studies.sweep import carry_out

pytestmark = pytest.mark.benchmark
SHORT = {"training.steps": 5}


def test_a_thousand_runs_are_resolved_and_looked_up_in_ten_seconds(benchmark: Any, tmp_path: Path) -> None:
    study = Study(
        dataset="digits",
        compressors=("random", "el2n:direction=easy", "pca", "pca:grid=3", "k-means"),
        ipc=(1, 2, 5, 10),
        seeds=tuple(range(50)),
    )
    registry, cache, records = Registry(), Cache(tmp_path / "cache"), Records(tmp_path / "records")
    runs_of(Study(dataset="digits", compressors=("random",)), "study", registry, cache)

    def resolve() -> None:
        standings = standings_of(runs_of(study, "study", registry, cache), records)
        assert len(standings) == 1000

    before = time.process_time()
    benchmark.pedantic(resolve, rounds=1)
    assert time.process_time() - before < 10


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_takes_a_fiftieth_more_than_its_runs(benchmark: Any, tmp_path: Path, jobs: int) -> None:
    """Runs of a second or two; the processes are there before, and import what they need in a first run each."""
    place: dict[str, Any] = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}
    runner = make_runner(Machine(cache_dir=place["cache_dir"], device="cpu"), Keeping(records=place["records"]))
    rdc.sweep(Study(dataset="digits", compressors=("random",), seeds=(99,), overrides=SHORT), **place)
    study = Study(dataset="digits", compressors=("random",), seeds=tuple(range(20)), overrides={"training.steps": 200})
    ends: list[tuple[float, float]] = []

    def sweep() -> None:
        started = time.perf_counter()
        standings = standings_of(runs_of(study, "study", runner.registry, runner.cache), runner.records)
        ends.append((time.perf_counter() - started, 0.0))
        carry_out(standings, runner, lambda _, ended: ends.append((time.perf_counter(), ended.seconds)), jobs=jobs)

    benchmark.pedantic(sweep, rounds=1)
    resolving, times, seconds = ends[0][0], [end for end, _ in ends[1:]], [took for _, took in ends[1:]]
    # From the end of each process's first run to the last end, all processes were to be busy.
    whole = (times[-1] - times[jobs - 1]) * jobs + resolving
    overhead = whole / sum(seconds[jobs:]) - 1
    benchmark.extra_info.update(whole=whole, runs=sum(seconds[jobs:]), overhead=overhead)
    print(f"jobs {jobs}: {whole:.2f} s, runs {sum(seconds[jobs:]):.2f} s, overhead {overhead:.2%}")
    assert overhead < (0.02 if jobs == 1 else 0.1)


def test_a_run_finds_its_record_among_ten_thousand_as_among_ten(benchmark: Any, tmp_path: Path) -> None:
    place = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}
    asked: dict[str, Any] = {"dataset": "digits", "overrides": SHORT, **place}
    first, records = rdc.run("random", **asked), Records(tmp_path / "records")
    content = records.path(first.key, 1).read_bytes()

    def write(numbers: range) -> None:
        """Records of other runs: of theirs nobody looks at more than the name."""
        for number in numbers:
            file = records.path(f"{number:024x}", 1)
            file.parent.mkdir()
            file.write_bytes(content)

    def seconds() -> float:
        started = time.perf_counter()
        assert rdc.run("random", **asked) == first
        return time.perf_counter() - started

    write(range(10))
    few = min(seconds() for _ in range(5))
    write(range(10, 10_000))
    many = min(seconds() for _ in range(5))
    benchmark.pedantic(seconds, rounds=1)
    benchmark.extra_info.update(among_ten=few, among_ten_thousand=many)
    print(f"among ten {few:.3f} s, among ten thousand {many:.3f} s")
    assert many - few < 0.2
