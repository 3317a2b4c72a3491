"""The machine that runs: from what a user may choose of it to a runner."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rethinkdc.context.cache import ENVIRONMENT, Cache
from rethinkdc.contracts.context import Silent
from rethinkdc.data.dataset import FINGERPRINTS
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.device import choose_device
from rethinkdc.runs.identity import SET_FINGERPRINTS
from rethinkdc.runs.kept_files import Beside
from rethinkdc.runs.records import Records
from rethinkdc.runs.runner import Runner
from rethinkdc.storage import show_path


def make_runner(machine: Machine, keeping: Keeping | None = None, *, here: bool = True) -> Runner:
    """A runner for this machine.

    Args:
        machine: what computes. Without ``workers``: 4 beside CUDA, else 0.
        keeping: where results go and what of them is kept; None = ``RETHINKDC_RECORDS`` or ``./records``, all.
        here: whether it computes; else it only plans, and its device need not be in this machine.

    Raises:
        RequestError: there is no such device, no such tracker, or a book that cannot be forgotten; or the threads are
            still to be chosen, which only a run does.
    """
    if not isinstance(machine.threads, int):
        raise RequestError(
            f"--threads {machine.threads}: only `rethinkdc run` chooses the number, for the network that it trains. "
            "Give one, such as --threads 2; the record of such a run tells which it chose."
        )
    device, keeping = choose_device(machine.device, here=here), keeping or Keeping()
    folder = Path(machine.cache_dir) if machine.cache_dir else None
    registry = Registry(cache_folder=folder)
    for reference in [keeping.tracker] if isinstance(keeping.tracker, str) else keeping.tracker:
        registry.trackers.add(reference)
    cache = Cache(folder)
    if machine.rehash:
        for book in (FINGERPRINTS, SET_FINGERPRINTS):
            _forget(cache.root / book)
    return Runner(
        registry=registry,
        cache=cache,
        records=Records(Path(keeping.records) if keeping.records else None),
        beside=Beside(predictions=not keeping.no_predictions, sheet=not keeping.no_sheet),
        device=device,
        workers=machine.workers if machine.workers is not None else 4 if device.type == "cuda" else 0,
        threads=machine.threads,
        time_limit=keeping.time_limit,
        progress=machine.progress or Silent(),
    )


def _forget(book: Path) -> None:
    shutil.rmtree(book, ignore_errors=True)
    if os.path.lexists(book):
        raise RequestError(
            f"--rehash: the fingerprints in {show_path(book)} cannot be removed: they are another user's, or are only "
            f"read. Choose another cache with --cache-dir or {ENVIRONMENT}."
        )
