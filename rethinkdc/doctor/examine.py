"""All that is looked at, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rethinkdc.context.cache import ENVIRONMENT as CACHE
from rethinkdc.context.cache import default_cache_folder
from rethinkdc.doctor.finding import Finding, settled
from rethinkdc.doctor.folders import look_at_folder
from rethinkdc.doctor.machine import look_at_processors, look_at_python, look_at_torch
from rethinkdc.doctor.methods import look_at_datasets, look_at_plugins
from rethinkdc.doctor.packages import look_at_distributions
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.records import ENVIRONMENT as RECORDS
from rethinkdc.runs.records import Records
from rethinkdc.storage import expand_home


def examine(cache_dir: str | Path | None = None, records: str | Path | None = None) -> Iterator[Finding]:
    """Looks at this machine and this installation; nothing is trained, fetched or changed.

    Args:
        cache_dir: the cache; None = the default one.
        records: the folder of records; None = the default one.
    """
    yield from settled("python", look_at_python())
    yield from settled("rethinkdc", look_at_distributions())
    yield from settled("processors", look_at_processors())
    yield from settled("torch", look_at_torch())
    cache = expand_home(Path(cache_dir)) if cache_dir else default_cache_folder()
    yield from settled("cache", look_at_folder("cache", cache, "--cache-dir", CACHE))
    kept = Records(Path(records) if records else None).folder
    yield from settled("records", look_at_folder("records", kept, "--records", RECORDS))
    registry = Registry(cache_folder=cache)
    yield from settled("plugins", look_at_plugins(registry))
    yield from settled("datasets", look_at_datasets(registry))
