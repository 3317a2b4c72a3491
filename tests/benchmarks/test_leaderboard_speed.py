"""What boards of ten thousand records of a thousand classes take: seconds and peak memory of whole processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rethinkdc.boards.index import INDEX
from tests.benchmarks.records import write_records

pytestmark = pytest.mark.benchmark
RECORDS, CLASSES, SEEDS = 10_000, 1000, 5
COMMAND = str(Path(sys.executable).with_name("rethinkdc"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand records; ``RETHINKDC_BENCHMARK_RECORDS`` names a folder to keep them in."""
    kept = os.environ.get("RETHINKDC_BENCHMARK_RECORDS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("many") / "records"
    if not folder.exists():
        write_records(folder, RECORDS // SEEDS)
        time.sleep(3)
    return folder


class Taken(NamedTuple):
    """What a command took: seconds of the clock and of the processor, and bytes of resident memory at its peak."""

    wall: float
    cpu: float
    peak: int


# A process of its own, since what is measured of a child begins with the memory of whoever starts it.
MEASURE = """
import json, resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
wall, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)]))
"""


@pytest.fixture
def taken() -> Callable[..., Taken]:
    """What one command takes, a leaderboard if none is named."""

    def measured(folder: Path, *more: str, command: str = "leaderboard") -> Taken:
        words = (COMMAND, command, "--records", str(folder), *more)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *words],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return Taken(*json.loads(done.stdout))

    return measured


def test_a_leaderboard_of_ten_thousand_records(benchmark: Any, many: Path, taken: Callable[..., Taken]) -> None:
    """Under three seconds with an index, and 300 MB with and without one; the first time reads every record."""
    (many / INDEX).unlink(missing_ok=True)
    first = taken(many)
    warm = [taken(many) for _ in range(5)]
    forms = {form: taken(many, "--format", form) for form in ("csv", "json", "md")}
    benchmark.extra_info.update(
        first=first._asdict(),
        warm_wall=min(one.wall for one in warm),
        warm_cpu=min(one.cpu for one in warm),
        warm_peak=max(one.peak for one in warm),
        index_bytes=(many / INDEX).stat().st_size,
        **{form: one._asdict() for form, one in forms.items()},
    )
    benchmark.pedantic(lambda: taken(many), rounds=1)
    assert min(one.cpu for one in warm) < 3.0
    assert max(one.peak for one in (first, *warm, *forms.values())) < 300e6


@pytest.mark.parametrize("seeds", [1, 5])
def test_one_board_of_all_records(benchmark: Any, tmp_path: Path, taken: Callable[..., Taken], seeds: int) -> None:
    """Two thousand ranked methods, of which all pairs are tested, and ten thousand of one seed each."""
    write_records(tmp_path / "records", RECORDS // seeds, seeds=seeds, methods_of_board=RECORDS, classes=10)
    time.sleep(3)
    first, warm = taken(tmp_path / "records"), [taken(tmp_path / "records") for _ in range(3)]
    cpu, peak = min(one.cpu for one in warm), max(one.peak for one in warm)
    benchmark.extra_info.update(first=first._asdict(), warm_cpu=cpu, warm_peak=peak)
    benchmark.pedantic(lambda: taken(tmp_path / "records"), rounds=1)
    assert max(peak, first.peak) < 300e6


def test_boards_take_time_in_proportion_to_their_records(
    benchmark: Any, many: Path, tmp_path: Path, taken: Callable[..., Taken]
) -> None:
    """A tenth of the records, for comparison."""
    write_records(tmp_path / "few", RECORDS // SEEDS // 10)
    time.sleep(3)
    taken(tmp_path / "few")
    benchmark.extra_info.update(tenth_cpu=min(taken(tmp_path / "few").cpu for _ in range(3)))
    benchmark.pedantic(lambda: taken(tmp_path / "few"), rounds=1)


def test_a_report_of_ten_thousand_records(
    benchmark: Any, many: Path, tmp_path: Path, taken: Callable[..., Taken]
) -> None:
    """Under 20 seconds, 150 MB of memory beside what importing torch takes, and 15 MB of page, with an index."""
    taken(many)
    write_records(tmp_path / "one", 1)
    least = taken(tmp_path / "one", "--out", str(tmp_path / "one.html"), command="report").peak
    out = tmp_path / "report.html"
    found = taken(many, "--out", str(out), command="report")
    benchmark.extra_info.update(**found._asdict(), least_peak=least, bytes=out.stat().st_size)
    benchmark.pedantic(lambda: taken(many, "--out", str(out), command="report"), rounds=1)
    assert found.cpu < 20
    assert found.peak - least < 150e6
    assert out.stat().st_size < 15e6
