"""The best number of threads for the network of a run on a CPU: measured once in seconds, and kept in the cache."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from rethinkdc import ranks
from rethinkdc.cores import cores
from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.runs.calls import RunCall
from rethinkdc.runs.device import deterministic
from rethinkdc.runs.environment import describe_environment
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.options import part_of
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, resolve_run
from rethinkdc.runs.runner import Runner
from rethinkdc.storage import digest, read_sealed, remember

BOOK = "threads"
"""Folder of the cache that holds what was measured."""
_REVISION = 1
"""Raised whenever it is measured otherwise."""
_ROUNDS = 3
_SECONDS = 0.5
"""Of each number in each round, at least; one step in any case."""
_GAIN = 1.05
"""Times as fast as fewer threads that more must be."""


def runner_of(call: RunCall) -> Runner:
    """The runner of a single run, with as many threads as suit its student where the call says ``auto``.

    Raises:
        RequestError: as :func:`~rethinkdc.runs.machine.make_runner`; or no CPU computes, or several ranks do.
    """
    if isinstance(call.threads, int):
        return make_runner(call, call)
    runner = make_runner(replace(call, threads=1), call)
    if runner.device.type != "cpu":
        raise RequestError(
            f"--threads auto: threads are those of a CPU, and this run computes on {runner.device.type}. Leave the "
            "option out, or add --device cpu."
        )
    if ranks.world() > 1:
        raise RequestError("--threads auto: ranks share the cores of their machines. Give each a number: --threads N.")
    run = resolve_run(part_of(call, Request), runner.registry, runner.cache)
    return replace(runner, threads=best_threads(run, runner))


def best_threads(run: Run, runner: Runner) -> int:
    """The fewest threads of which more are not faster, for steps of the run's student; from the book where it is."""
    most = cores()
    counts = sorted({*(1 << power for power in range(most.bit_length())), most})
    if counts == [1]:
        return 1
    about = _about(run, runner, counts)
    place = runner.cache.root / BOOK / f"{digest(about)}.sealed"
    with suppress(OSError, DamagedError, ValueError, KeyError, TypeError):
        known = int(json.loads(read_sealed(place))["threads"])
        if known in counts:
            return known
    seconds = _measure(run, counts)
    chosen = choose(seconds)
    remember(place, json.dumps({"threads": chosen, "seconds": seconds, "about": about}).encode())
    return chosen


def choose(seconds: dict[int, float]) -> int:
    """The number of threads: more than fewer only where that is :data:`_GAIN` times as fast.

    Args:
        seconds: of a step, by the number.
    """
    chosen = min(seconds)
    for count in sorted(seconds):
        if seconds[count] * _GAIN < seconds[chosen]:
            chosen = count
    return chosen


def _about(run: Run, runner: Runner, counts: Sequence[int]) -> dict[str, Any]:
    """What the best number depends on: machine, network, size and batch."""
    environment = describe_environment(runner.device)
    machine = {name: environment[name] for name in ("cpu", "platform", "versions")}
    return {
        "revision": _REVISION,
        "machine": {**machine, "versions": machine["versions"].get("torch")},
        "counts": list(counts),
        "network": runner.registry.definition(run.student_model),
        "classes": run.layout.classes,
        "size": run.protocol.store.size,
        "batch": _batch(run),
    }


def _batch(run: Run) -> int:
    return run.protocol.training.batch_at(run.ipc or run.protocol.full_at_ipc or 1)


def _measure(run: Run, counts: Sequence[int]) -> dict[int, float]:
    """Seconds of a step of training by the number of threads: the least of several rounds, taken in turns.

    In turns, so that what else the machine does meanwhile slows none of them alone.
    """
    size, classes, batch = run.protocol.store.size, run.layout.classes, _batch(run)
    assert isinstance(run.student_model, Model)
    model = build_seeded(run.student_model, classes, size, 0)
    images = torch.zeros(batch, 3, size, size)
    targets = torch.arange(batch) % classes
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(model(images), targets).backward()
        optimizer.step()

    taken: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(_ROUNDS):
        for count in counts:
            with deterministic(torch.device("cpu"), count), torch.enable_grad():
                step()
                taken[count].append(_seconds_of(step))
    return {count: min(seconds) for count, seconds in taken.items()}


def _seconds_of(step: Any) -> float:
    """The median of a step's seconds."""
    seconds: list[float] = []
    while not seconds or sum(seconds) < _SECONDS:
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


__all__ = ["BOOK", "best_threads", "choose", "runner_of"]
