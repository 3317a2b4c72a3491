"""Scenarios in processes of their own, one thread each, so that the peak of each is its own.

A process is forked from one that has loaded the libraries and done nothing. Memory is the anonymous part of the
resident size (``RssAnon`` of ``/proc/PID/status``, read a hundred times a second by the parent): what a process holds
beside the page cache, libraries included. Files that are mapped and only read are no part of it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.scale.scenario import Scenario, Taken
from tests.benchmarks.scale.tables import Shape, Tables

_BEGIN = b"begin"
_PAUSE = 0.01


def measure(scenario: Scenario, shape: Shape, folder: Path) -> Taken:
    """Carries a scenario out in a process of its own.

    Args:
        scenario: what is done.
        shape: of the tables.
        folder: where tables lie and are kept for the next scenario, and where the scenario writes.

    Raises:
        RuntimeError: the process failed; it printed why.
    """
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=_serve, args=(theirs, scenario, shape, folder))
    process.start()
    theirs.close()
    try:
        assert ours.recv_bytes() == _BEGIN
        anonymous = 0
        while not ours.poll(_PAUSE):
            anonymous = max(anonymous, resident(process.pid))
        found: dict[str, Any] = json.loads(ours.recv_bytes())
    except EOFError:
        process.join()
        raise RuntimeError(f"{scenario.group}: {scenario.name} ended with {process.exitcode}.") from None
    process.join()
    return Taken(**{**found, "anonymous": max(anonymous, found["anonymous"])})


def _serve(told: Connection, scenario: Scenario, shape: Shape, folder: Path) -> None:
    torch.set_num_threads(1)
    taken = carry_out(scenario, shape, folder, lambda: told.send_bytes(_BEGIN))
    told.send_bytes(json.dumps(taken._asdict()).encode())


def carry_out(scenario: Scenario, shape: Shape, folder: Path, begin: Callable[[], None] = lambda: None) -> Taken:
    """Carries a scenario out in this process; calls ``begin`` when the clock starts."""
    tables = Tables(shape, folder / f"tables-{shape.classes}-{shape.per_class}-{shape.outputs}-{shape.epochs}")
    with tempfile.TemporaryDirectory(dir=folder) as own:
        scenario.prepare(tables, Path(own))
        prepared = stored(Path(own))
        begin()
        wall, cpu = time.perf_counter(), time.process_time()
        facts = scenario.run(tables, Path(own))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return Taken(wall, cpu, resident(os.getpid()), stored(Path(own)) - prepared, facts)


def resident(process: int | None) -> int:
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
