"""What a study needs of a network, fetched while there is one; nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rethinkdc.context.cache import Cache
from rethinkdc.contracts.context import Silent
from rethinkdc.contracts.kinds import TeacherSource
from rethinkdc.errors import RequestError
from rethinkdc.method import named_methods
from rethinkdc.preparation.calls import PrepareCall
from rethinkdc.reference import Reference
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import FinishedRequest
from rethinkdc.runs.ground import load_splits
from rethinkdc.runs.identity import open_and_remember
from rethinkdc.runs.resolving import Run
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.reading import load_study


class Fetched(NamedTuple):
    """Something that runs of a study need and that is on this machine now, with the seconds that this took."""

    what: str
    seconds: float


def fetch_study(call: PrepareCall) -> tuple[Fetched, ...]:
    """Brings the datasets, the finished sets and the pretrained weights of a study's runs onto this machine.

    What is here already is looked at, and not fetched again. Datasets are read whole once, as their first run would.

    Raises:
        RequestError: the study or one of its runs is wrong, or something cannot be had; names it.
    """
    assert call.study is not None
    _check(call)
    cache = Cache(Path(call.cache_dir) if call.cache_dir else None)
    registry = Registry(cache_folder=cache.root)
    # Datasets of the hub are fetched here already: which runs there are depends on them.
    begun = time.perf_counter()
    runs = runs_of(load_study(call.study), str(call.study), registry, cache)
    fetched = [Fetched(f"the study {call.study}: {len(runs):,} runs", time.perf_counter() - begun)]
    needs = dict(need for run in runs for need in _needs(run, registry, cache))
    with (call.progress or Silent()).task("fetch", len(needs)) as done:
        for what, fetch in needs.items():
            begun = time.perf_counter()
            fetch()
            fetched.append(Fetched(what, time.perf_counter() - begun))
            done(1)
    return tuple(fetched)


def _check(call: PrepareCall) -> None:
    about_shards = ("out", "short_side", "codec", "quality", "scaled", "decoder", "workers")
    given = [name for name in about_shards if getattr(call, name) != getattr(PrepareCall, name)]
    if call.dataset is not None or given:
        other = f"the dataset {call.dataset}" if call.dataset is not None else f"--{given[0].replace('_', '-')}"
        raise RequestError(
            f"--study {call.study} fetches what the runs of a study need, and {other} is about shards of a dataset: "
            "they are two commands."
        )


def _needs(run: Run, registry: Registry, cache: Cache) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a run needs, by its name, and what brings it here."""
    yield f"dataset {run.dataset_name}, {run.backing}", lambda: load_splits(run, cache)
    if isinstance(run.asked, FinishedRequest):
        finished = run.asked.finished
        yield f"set {finished.images}", lambda: open_and_remember(finished, cache.root)
    usual = run.protocol.teacher.use if run.protocol.teacher else None
    for method in run.methods:
        for named in named_methods(method, "teacher", registry.build):
            if reference := named or usual:
                yield f"teacher {reference}", _fetcher(reference, registry)


def _fetcher(reference: Reference, registry: Registry) -> Callable[[], None]:
    return registry.build(TeacherSource, reference).fetch
