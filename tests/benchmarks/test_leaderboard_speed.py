"""How fast boards are made of ten thousand records of a thousand classes: wall seconds of whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rethinkdc.boards.index import INDEX
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import AXES
from rethinkdc.storage import digest

pytestmark = pytest.mark.benchmark
RECORDS, CLASSES, SEEDS = 10_000, 1000, 5
COMMAND = str(Path(sys.executable).with_name("rethinkdc"))


def method(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "revision": 1, "parameters": {}}


def write(folder: Path, methods: int) -> None:
    """Methods of five seeds each, a hundred on a board, with all that a record of a thousand classes holds."""
    draws = np.random.default_rng(0)
    records = Records(folder)
    environment = {"device": "cpu", "threads": 1, "versions": {"torch": "2.14.1", "numpy": "2.4.6"}}
    for number in range(methods):
        board, place = divmod(number, 100)
        name = "random" if place == 0 else f"method-{place}"
        for seed in range(SEEDS):
            definition = {
                "dataset": "d" * 64,
                "compressor": method("compressor", name),
                "labeler": method("labeler", "hard"),
                "evaluator": method("evaluator", "standard"),
                "protocol": digest(board // 4),
                "student": method("model", "resnet18"),
                "ipc": (1, 10, 50, 100)[board % 4],
                "seeds": dict.fromkeys(AXES, seed),
                "tune": False,
                "semantics": {"views": 1, "loop": 1},
            }
            per_class = draws.uniform(0, 1, CLASSES).tolist()
            top1 = float(np.mean(per_class)) + 0.001 * place
            evaluation = Evaluation(
                metrics={"top1": top1, "top5": 0.9, "loss": 1.0},
                per_class=per_class,
                predicted=draws.integers(0, 100, CLASSES).tolist(),
                curve=[{"epoch": float(epoch), "train_loss": float(draws.uniform())} for epoch in range(300)],
                views=1,
                steps=1,
                seconds=1.0,
                peak_memory=0,
                result_digest="r",
            )
            records.add(
                Record(
                    key=digest(definition)[:24],
                    status="ok",
                    created="2025-01-01T00:00:00+00:00",
                    names={
                        "compressor": name,
                        "labeler": "hard",
                        "evaluator": "standard",
                        "dataset": "imagenet-1k",
                        "protocol": f"protocol-{board // 4} v1",
                        "student": "resnet18",
                        "ipc": str(definition["ipc"]),
                    },
                    definition=definition,
                    protocol_digest=definition["protocol"],
                    dataset_fingerprint=definition["dataset"],
                    modified=False,
                    tune=False,
                    track="hard",
                    metrics=(
                        Metric("top1", "higher", "fraction"),
                        Metric("top5", "higher", "fraction"),
                        Metric("loss", "lower", "number"),
                    ),
                    evaluation=evaluation,
                    cost=Cost(
                        seconds={"proxy": 1.0, "training": 2.0},
                        memory={"selection": 1000},
                        image_bytes={"stored": 100, "lossy": 50, "recipe": 10},
                    ),
                    histogram=[10] * CLASSES,
                    sources_per_class=[10] * CLASSES,
                    environment=environment,
                )
            )


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand records; ``RETHINKDC_BENCHMARK_RECORDS`` names a folder to keep them in."""
    kept = os.environ.get("RETHINKDC_BENCHMARK_RECORDS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("many") / "records"
    if not folder.exists():
        write(folder, RECORDS // SEEDS)
        time.sleep(3)
    return folder


@pytest.fixture
def seconds() -> Callable[..., tuple[float, float]]:
    """Wall and CPU seconds of one command, a leaderboard if none is named."""

    def timed(folder: Path, *more: str, command: str = "leaderboard") -> tuple[float, float]:
        before, started = os.times(), time.perf_counter()
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        words = (COMMAND, command, "--records", str(folder), *more)
        subprocess.run(words, check=True, capture_output=True, env=environment)
        after, wall = os.times(), time.perf_counter() - started
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return wall, cpu

    return timed


def test_a_leaderboard_of_ten_thousand_records(benchmark: Any, many: Path, seconds: Callable[..., Any]) -> None:
    """Under three seconds with an index; beside it the first time, which reads every record."""
    (many / INDEX).unlink(missing_ok=True)
    first = seconds(many)
    warm = [seconds(many) for _ in range(5)]
    benchmark.extra_info.update(
        first_wall=first[0],
        first_cpu=first[1],
        warm_wall=min(wall for wall, _ in warm),
        warm_cpu=min(cpu for _, cpu in warm),
        index_bytes=(many / INDEX).stat().st_size,
        csv_wall=seconds(many, "--format", "csv")[0],
    )
    benchmark.pedantic(lambda: seconds(many), rounds=1)
    assert min(cpu for _, cpu in warm) < 3.0


def test_boards_take_time_in_proportion_to_their_records(
    benchmark: Any, many: Path, tmp_path: Path, seconds: Callable[..., Any]
) -> None:
    """A tenth of the records, for comparison."""
    write(tmp_path / "few", RECORDS // SEEDS // 10)
    time.sleep(3)
    seconds(tmp_path / "few")
    benchmark.extra_info.update(tenth_cpu=min(seconds(tmp_path / "few")[1] for _ in range(3)))
    benchmark.pedantic(lambda: seconds(tmp_path / "few"), rounds=1)


def test_a_report_of_ten_thousand_records(
    benchmark: Any, many: Path, tmp_path: Path, seconds: Callable[..., Any]
) -> None:
    """Under 20 seconds and 15 MB with the index that a leaderboard left."""
    seconds(many)
    out = tmp_path / "report.html"
    wall, cpu = seconds(many, "--out", str(out), command="report")
    benchmark.extra_info.update(wall=wall, cpu=cpu, bytes=out.stat().st_size)
    benchmark.pedantic(lambda: seconds(many, "--out", str(out), command="report"), rounds=1)
    assert cpu < 20
    assert out.stat().st_size < 15e6
