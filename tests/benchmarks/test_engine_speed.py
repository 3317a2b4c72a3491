"""What a run costs beside its own work, over each engine: a thousand runs that are refused before they compute.

Such a run is resolved, chosen, held by its lock and refused by its budget, since digits has no thousand images of a
class; its record is written. What a sweep needs to start is told apart: imports, the plan, processes, a Ray.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from rethinkdc.runs.records import Records

pytestmark = pytest.mark.benchmark
RUNS = int(os.environ.get("RETHINKDC_BENCHMARK_RUNS", "1000"))
ENGINES: dict[str, list[list[str]]] = {
    "local, 1 process": [["--jobs", "1"]],
    "local, 2 processes": [["--jobs", "2"]],
    "4 shards at one time": [["--shard", f"{number}/4"] for number in range(4)],
    "submitit, local, 2 jobs": [["--jobs", "2", "--engine", "submitit:cluster=local"]],
    "ray, local, 2 tasks": [["--jobs", "2", "--engine", "ray"]],
}
MISSING = {name for name in ("submitit", "ray") if importlib.util.find_spec(name) is None}


@dataclass
class Ends:
    """When the runs of a sweep ended, in seconds from its start, and when the sweep did."""

    times: list[float]
    whole: float = 0.0


def sweep(folder: Path, words: list[str], ends: Ends, begun: float) -> None:
    command = [sys.executable, "-m", "rethinkdc", "sweep", "study.toml", "--device", "cpu", *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("["):
                ends.times.append(time.perf_counter() - begun)
    assert process.returncode == 0
    ends.whole = max(ends.whole, time.perf_counter() - begun)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_costs_little_beside_its_work(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    if missing := MISSING & {engine.partition(",")[0]}:
        pytest.skip(f"{missing.pop()} is not installed")
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))
    ipc = ", ".join(str(1000 + number) for number in range(RUNS))
    (tmp_path / "study.toml").write_text(f'dataset = "digits"\ncompressors = ["random"]\nipc = [{ipc}]\n')
    ends = Ends([])

    def swept() -> None:
        begun = time.perf_counter()
        parts = [Thread(target=sweep, args=(tmp_path, words, ends, begun)) for words in ENGINES[engine]]
        for part in parts:
            part.start()
        for part in parts:
            part.join()

    before = _cpu_seconds()
    benchmark.pedantic(swept, rounds=1)
    cpu = _cpu_seconds() - before
    assert len(ends.times) == sum(1 for _ in Records(tmp_path / "records").all()) == RUNS
    first, last = min(ends.times), max(ends.times)
    each = (last - first) / (RUNS - 1)
    benchmark.extra_info.update(whole=ends.whole, first=first, each=each, cpu=cpu)
    print(
        f"{engine}: {RUNS} runs in {ends.whole:.1f} s ({cpu:.1f} s of CPU), the first run ended after {first:.1f} s, "
        f"then one each {each * 1000:.1f} ms"
    )
    assert each < 1.0


def _cpu_seconds() -> float:
    """Of all processes that were started and have ended; those of a Ray are not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
