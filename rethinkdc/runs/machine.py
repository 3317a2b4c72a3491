"""The machine that runs: from what a user may choose of it to a runner."""

from __future__ import annotations

from pathlib import Path

from rethinkdc.context.cache import Cache
from rethinkdc.contracts.context import Silent
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.records import Records
from rethinkdc.runs.runner import Runner, choose_device
from rethinkdc.types import Progress


def make_runner(
    *,
    records: str | Path | None = None,
    cache_dir: str | Path | None = None,
    device: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Runner:
    """A runner for this machine.

    Args:
        records: folder of records; None = ``RETHINKDC_RECORDS`` or ``./records``.
        cache_dir: folder of the cache; None = ``RETHINKDC_CACHE`` or the platform's.
        device: ``cpu``, ``cuda`` or ``cuda:N``; None = CUDA where there is one.
        workers: threads that render views ahead; None = 4 beside CUDA, else 0.
        threads: that compute on a CPU; the bits of a result depend on it.
        progress: where long work reports to.
    """
    chosen = choose_device(device)
    return Runner(
        registry=Registry(),
        cache=Cache(Path(cache_dir) if cache_dir else None),
        records=Records(Path(records) if records else None),
        device=chosen,
        workers=workers if workers is not None else 4 if chosen.type == "cuda" else 0,
        threads=threads,
        progress=progress or Silent(),
    )
