"""Scenarios in processes of their own, one thread each, so that the peak of each is its own.

Memory is the anonymous part of the resident size (``RssAnon`` of ``/proc/PID/status``, read a hundred times a second by
the parent): what a process holds beside the page cache. Files that are mapped and only read are no part of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.scale.scenario import Scenario, Taken
from tests.benchmarks.scale.tables import Shape, Tables

_BEGIN = "begin"
_PAUSE = 0.01


def measure(group: str, name: str, shape: Shape, folder: Path) -> Taken:
    """Carries a scenario out in a process of its own.

    Args:
        group: of the scenario.
        name: of the scenario.
        shape: of the tables.
        folder: where tables lie and are kept for the next scenario, and where the scenario writes.

    Raises:
        RuntimeError: the process failed; gives what it printed.
    """
    words = [sys.executable, "-m", "tests.benchmarks.scale.measuring", group, name, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as faults:
        process = subprocess.Popen(
            [*words, json.dumps(asdict(shape))], stdout=subprocess.PIPE, stderr=faults, text=True, env=environment
        )
        assert process.stdout is not None
        begun, anonymous = process.stdout.readline().strip() == _BEGIN, 0
        while begun and process.poll() is None:
            anonymous = max(anonymous, resident(process.pid))
            time.sleep(_PAUSE)
        told, _ = process.communicate()
        if process.returncode:
            faults.seek(0)
            raise RuntimeError(f"{group}: {name} failed:\n{faults.read()[-3000:]}")
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return Taken(**{**found, "anonymous": max(anonymous, found["anonymous"])})


def carry_out(scenario: Scenario, shape: Shape, folder: Path, begin: str = "") -> Taken:
    """Carries a scenario out in this process; says ``begin`` when the clock starts."""
    tables = Tables(shape, folder / f"tables-{shape.classes}-{shape.per_class}-{shape.outputs}-{shape.epochs}")
    with tempfile.TemporaryDirectory(dir=folder) as own:
        scenario.prepare(tables, Path(own))
        prepared = stored(Path(own))
        if begin:
            print(begin, flush=True)
        wall, cpu = time.perf_counter(), time.process_time()
        facts = scenario.run(tables, Path(own))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return Taken(wall, cpu, resident(os.getpid()), stored(Path(own)) - prepared, facts)


def resident(process: int) -> int:
    """Bytes of resident anonymous memory that a process holds now; 0 of one that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)


def stored(folder: Path) -> int:
    """Bytes of the files below a folder; names of one file count once."""
    found = (path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum({(one.st_dev, one.st_ino): one.st_size for one in found}.values())


def _main() -> None:
    import torch

    from tests.benchmarks.scale.everything import find

    torch.set_num_threads(1)
    group, name, folder, shape = sys.argv[1:]
    taken = carry_out(find(group, name), Shape(**json.loads(shape)), Path(folder), _BEGIN)
    print(json.dumps(taken._asdict()))


if __name__ == "__main__":
    _main()
