"""How long the command line takes to answer: CPU seconds of whole processes on one thread, the best of several.

What must not be slower than importing the libraries is timed beside that import, turn by turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.benchmark
LIBRARIES = (sys.executable, "-c", "import torch, torchvision, timm")
RETHINKDC = (str(Path(sys.executable).with_name("rethinkdc")),)


class Seconds(NamedTuple):
    """Of one process."""

    cpu: float
    wall: float


@pytest.fixture
def seconds(tmp_path: Path) -> Callable[..., Seconds]:
    """Times one process whose cache and records lie in ``tmp_path``."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RETHINKDC_CACHE": str(tmp_path / "cache"),
        "RETHINKDC_RECORDS": str(tmp_path / "records"),
    }

    def timed(*command: str) -> Seconds:
        before, started = os.times(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=tmp_path)
        after, wall = os.times(), time.perf_counter() - started
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Seconds(cpu, wall)

    return timed


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_answer_within_two_fifths_of_a_second(
    benchmark: Any, seconds: Callable[..., Seconds], option: str
) -> None:
    best = min(seconds(*RETHINKDC, option) for _ in range(5))
    benchmark.extra_info.update(best._asdict())
    benchmark.pedantic(lambda: seconds(*RETHINKDC, option), rounds=1)
    assert best.cpu < 0.4


@pytest.mark.parametrize("command", [("list-plugins",), ("run", "--compressor", "random")])
def test_a_command_that_trains_nothing_takes_at_most_a_second_more_than_the_libraries(
    benchmark: Any, seconds: Callable[..., Seconds], command: tuple[str, ...]
) -> None:
    """For ``run``, the record exists: the first call writes it."""
    seconds(*RETHINKDC, *command)
    seconds(*LIBRARIES)
    alone, whole = [], []
    for _ in range(3):
        alone.append(seconds(*LIBRARIES))
        whole.append(seconds(*RETHINKDC, *command))
    benchmark.extra_info.update(libraries=min(alone)._asdict(), command=min(whole)._asdict())
    benchmark.pedantic(lambda: seconds(*RETHINKDC, *command), rounds=1)
    assert min(whole).cpu <= min(alone).cpu + 1.0


def test_the_embedded_default_run_takes_less_than_a_minute(benchmark: Any, seconds: Callable[..., Seconds]) -> None:
    """With a cold cache: the proxy, the selection, the student and the record."""
    taken = benchmark.pedantic(lambda: seconds(*RETHINKDC, "run", "--compressor", "pca"), rounds=1)
    benchmark.extra_info.update(taken._asdict())
    assert taken.wall < 60
