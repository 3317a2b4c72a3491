"""The protocol of a dataset that has none of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from rethinkdc.context.cache import Cache
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema
from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.protocol.derived import DERIVED, RULES_VERSION, DataFacts, derive_protocol, facts_of
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.storage import read_sealed, remember, write_atomic

_ID = re.compile(r"[\w.-]+")


def default_protocol(
    registry: Registry, dataset: Dataset, fingerprint: str, schema: Schema, track: str, cache_folder: Path
) -> Protocol:
    """The protocol that is declared as a dataset's default, or else the one that is derived from it.

    Args:
        registry: knows the protocols.
        dataset: whose.
        fingerprint: of its content.
        schema: its exact schema.
        track: the labeler's.
        cache_folder: keeps what was seen of the data.

    Raises:
        RequestError: several are declared; names them.
    """
    declared = registry.protocols.default(dataset, schema, track)
    return declared or derived_protocol(
        dataset, fingerprint, "auto-hard" if track == "hard" else "auto-soft", cache_folder
    )


def derived_protocol(dataset: Dataset, fingerprint: str, name: str, cache_folder: Path | None) -> Protocol:
    """The derived protocol of this name for a dataset."""
    track: Literal["hard", "soft"] = "hard" if DERIVED[name] == "hard" else "soft"
    return derive_protocol(_facts(dataset, fingerprint, cache_folder), track)


def find_protocol(registry: Registry, name: str, dataset: str | None, cache: Cache) -> Protocol:
    """A protocol by name or file; of a derived one that of ``dataset``.

    Raises:
        RequestError: there is none, or it follows from a dataset and none is named.
    """
    if dataset is None or name not in DERIVED:
        return registry.protocols.find(name)
    source = registry.build(Dataset, dataset)
    return derived_protocol(source, source.identify(cache.root)[0], name, cache.root)


def write_new_protocol(
    registry: Registry, cache: Cache, name: str, origin: str, dataset: str | None, out: Path
) -> Protocol:
    """Writes a protocol of a user's own, and returns it as it is read back.

    Args:
        registry: knows protocols and datasets.
        cache: knows datasets seen before.
        name: the new protocol's id.
        origin: what it begins as: a protocol's name or file, ``auto``, or the name of a derived one.
        dataset: whose layout it is for; None = that of its origin.
        out: the file.

    Raises:
        RequestError: a name is not known or no id, the file exists, or no dataset is named to derive from.
    """
    if not _ID.fullmatch(name) or name in DERIVED:
        raise RequestError(f"{name!r} is no name for a protocol: use letters, digits, '-' and '_', as in mine-hard.")
    if out.suffix != ".toml":
        raise RequestError(f"--out {out}: a protocol is a .toml file, since its ending tells it from a name.")
    if out.exists() or not out.absolute().parent.is_dir():
        why = "exists already" if out.exists() else "lies in no folder"
        raise RequestError(f"--out {out} {why}. Choose another file.")
    begun = find_protocol(registry, "auto-hard" if origin == "auto" else origin, dataset, cache)
    own: dict[str, Any] = {"id": name, "version": 1, "default": False}
    if begun.status == "derived":
        # What people change follows from no rule any more, and nobody tuned it.
        own["status"] = "untuned"
    elif dataset not in (None, begun.default_dataset):
        own |= _for_other_data(begun, registry.build(Dataset, dataset).identify(cache.root)[1])
    if dataset is not None:
        own["default_dataset"] = None
    write_atomic(out, write_toml(begun.model_copy(update=own)).encode())
    return load_protocol(out, registry.view_ops.find)


def _for_other_data(begun: Protocol, schema: Schema) -> dict[str, Any]:
    """What is said of a protocol whose values, and their sources, are those of another one's data."""
    data = begun.data if begun.fits(schema) else schema
    sources = {key: f"as in {begun.id}: {source}" for key, source in begun.sources.items()}
    if data != begun.data:
        sources["data"] = "this dataset"
    summary = f"{begun.id} on other data, untuned."
    return {"data": data, "sources": sources, "summary": summary, "status": "untuned"}


def _facts(dataset: Dataset, fingerprint: str, cache_folder: Path | None) -> DataFacts:
    """What a protocol is derived from: looked at once, since the content has the fingerprint whenever it is read."""
    # Under other rules other facts may count.
    place = cache_folder and cache_folder / "fingerprints" / "facts" / str(RULES_VERSION) / f"{fingerprint}.sealed"
    try:
        if place and place.exists():
            return DataFacts.model_validate_json(read_sealed(place))
    except (OSError, DamagedError, ValidationError):
        # Damaged: looked at again.
        pass
    facts = facts_of(dataset.load(cache_folder, "encoded"))
    if place:
        remember(place, facts.model_dump_json(indent=1).encode())
    return facts
