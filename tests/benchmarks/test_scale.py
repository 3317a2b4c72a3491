"""The simulation of ImageNet's size: every scenario runs at a tiny one, and is told of as it was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.scale.everything import scenarios
from tests.benchmarks.scale.measuring import carry_out, measure
from tests.benchmarks.scale.scenario import Facts, Scenario, Taken
from tests.benchmarks.scale.summary import TAKEN, Point, estimate, read, tables_of
from tests.benchmarks.scale.tables import Shape, Tables

TINY = Shape(classes=3, per_class=24, longer=2, outputs=8, features=16, epochs=6, side=32)
ROOT = Path(__file__).resolve().parents[2]
MOST = 16e9
"""Bytes that nothing may need beside the page cache."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scale")


@pytest.mark.parametrize("scenario", list(scenarios()), ids=lambda one: f"{one.group}: {one.name}")
def test_every_scenario_runs(scenario: Scenario, folder: Path) -> None:
    taken = carry_out(scenario, TINY, folder)
    assert taken.facts
    assert taken.cpu > 0
    assert json.loads(json.dumps(taken._asdict()))["facts"] == taken.facts


def test_the_command_measures_in_processes_of_their_own_and_tells_what_was_found(tmp_path: Path) -> None:
    size = ("--classes", "3", "--per-class", "24")
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.scale",
        "measure",
        str(tmp_path),
        *size,
        "--only",
        "k-center ipc",
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    points = read(tmp_path)
    assert [one.name for one in points] == ["k-center ipc 10", "k-center ipc 100"]
    (scenario,) = (one for one in scenarios() if one.name == "k-center ipc 10")
    here = carry_out(scenario, replace(Shape(), classes=3, per_class=24), tmp_path)
    assert points[0].taken.facts == here.facts
    assert points[0].taken.anonymous > 10 << 20
    assert points[0].taken.disk > 0


def test_a_process_that_fails_is_no_measurement(tmp_path: Path) -> None:
    def fail(tables: Tables, folder: Path) -> Facts:
        raise ValueError(f"{tables.shape.rows} rows are too many for {folder}")

    with pytest.raises(RuntimeError, match="boards: none ended with 1"):
        measure(Scenario("boards", "none", fail), TINY, tmp_path)


def _point(classes: int, cpu: float, gigabytes: float = 1.0, per_class: int = 1281) -> Point:
    taken = Taken(cpu, cpu, int(gigabytes * 1e9), 1000 * classes, {})
    return Point("selectors", "k-center ipc 10", Shape(classes=classes, per_class=per_class, longer=0), taken)


def test_what_was_not_measured_whole_is_extrapolated_and_said_to_be() -> None:
    found = estimate([_point(100, 10, 1.0), _point(200, 20, 1.5)])
    assert found.growth == pytest.approx(1.0)
    # The whole shape has 167 rows more than a thousand classes of equal size.
    assert found.cpu == pytest.approx(100, rel=0.01)
    assert found.anonymous == pytest.approx(1.5e9)
    assert found.disk == pytest.approx(1e6, rel=0.01)
    assert found.of == (100, 200)
    quadratic = estimate([_point(100, 10), _point(200, 40)])
    assert quadratic.growth == pytest.approx(2.0)
    assert quadratic.cpu == pytest.approx(1000, rel=0.01)
    # What grows more slowly between two sizes need not do so up to the whole.
    assert estimate([_point(100, 10), _point(200, 12)]).cpu == pytest.approx(60, rel=0.01)


def test_what_was_measured_whole_is_taken_as_it_is() -> None:
    found = estimate([_point(100, 10), _point(1000, 70, 2.0), _point(200, 20)])
    assert (found.cpu, found.anonymous, found.of) == (70, 2e9, (1000,))
    assert estimate([_point(20, 0.1), _point(1000, 5)]).growth is None
    assert estimate([_point(20, 8), _point(20, 2, per_class=640), _point(1000, 400)]).within == pytest.approx(
        2, rel=0.01
    )


def test_the_last_measurement_of_a_size_is_told(tmp_path: Path) -> None:
    lines = [
        {"group": "scores", "name": "aum", "classes": 1000, "per_class": 1281, **Taken(1, cpu, 2**30, 0, {})._asdict()}
        for cpu in (50.0, 40.0)
    ]
    (tmp_path / TAKEN).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "| `aum` | 40 | 1,024 | 0.0 |  |  | measured |" in tables_of(read(tmp_path))


@pytest.mark.benchmark
@pytest.mark.parametrize("scenario", list(scenarios()), ids=lambda one: f"{one.group}: {one.name}")
def test_it_fits_into_memory_and_grows_in_proportion(scenario: Scenario, tmp_path: Path) -> None:
    """Of 20 and 50 classes with all their rows; what is told of all 1,000 on the page is measured by the command."""
    sizes = [replace(Shape(), classes=classes) for classes in (20, 50)]
    points = [Point(scenario.group, scenario.name, shape, measure(scenario, shape, tmp_path)) for shape in sizes]
    found = estimate(points)
    print(f"\n{scenario.group}: {scenario.name}: {found}")
    assert found.anonymous < MOST
    if scenario.group != "unbalanced" and points[0].taken.cpu > 2:
        assert found.growth is not None
        assert found.growth < 1.25
