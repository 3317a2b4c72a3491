"""A cache of others that is only read: what the own one lacks may lie there."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

from rethinkdc.errors import RequestError
from rethinkdc.storage.folders import MANIFEST
from rethinkdc.storage.reading import expand_home, show_path

ENVIRONMENT = "RETHINKDC_CACHE_SHARED"
_KEY = re.compile(r"[0-9a-f]{64}")
_LOOKED_AT = 64
"""Entries of a folder that are looked at to see whether it holds artefacts."""
_REMEDY = f"Name the folder of a cache with {ENVIRONMENT}, or unset it"


def upstream_of(root: Path) -> Path | None:
    """The cache that :data:`ENVIRONMENT` names, from which a cache reads what it lacks; None = none is named.

    Raises:
        RequestError: there is no cache, or it is the cache itself.
    """
    chosen = os.environ.get(ENVIRONMENT)
    if not chosen:
        return None
    upstream = Path(os.path.realpath(expand_home(Path(chosen))))
    if upstream == Path(os.path.realpath(root)):
        raise RequestError(
            f"{ENVIRONMENT}={chosen} is the cache that this command writes. {_REMEDY}; the own cache is chosen with "
            "--cache-dir or RETHINKDC_CACHE."
        )
    try:
        kinds = [Path(entry.path) for entry in os.scandir(upstream) if entry.is_dir()]
    except OSError as error:
        raise RequestError(f"{ENVIRONMENT}={chosen} cannot be read: {error.strerror}. {_REMEDY}.") from None
    if not any(map(_holds_artefacts, kinds)):
        raise RequestError(
            f"{ENVIRONMENT}={chosen} is no cache: no folder in {show_path(upstream)} holds artefacts, such as sets or "
            f"proxies. {_REMEDY}."
        )
    return upstream


def _holds_artefacts(kind: Path) -> bool:
    try:
        with os.scandir(kind) as entries:
            # Of locks and the like there may be very many, none of them an artefact.
            keys = [entry.path for entry in islice(entries, _LOOKED_AT) if _KEY.fullmatch(entry.name)]
            return any(os.path.isfile(Path(key, MANIFEST)) for key in keys)  # noqa: PTH113 - does not raise
    except OSError:
        return False
