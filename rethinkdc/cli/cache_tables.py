"""What the commands on a cache print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rethinkdc.cli.amounts import write_age, write_size
from rethinkdc.cli.saying import say
from rethinkdc.cli.tables import print_json
from rethinkdc.cli.text_table import TextTable, window_width
from rethinkdc.context.cache import Cache
from rethinkdc.context.inventory import Entry
from rethinkdc.storage import show_path

_KEY = 24
"""Characters of a key that are shown."""


def print_entries(cache: Cache, entries: Sequence[Entry], *, each: bool) -> None:
    """Tables of the own cache and of the one that is only read, by kind or entry by entry, each with its total."""
    places = [("Cache", cache.root, False)]
    if cache.folders.upstream:
        places.append(("Cache that is only read", cache.folders.upstream, True))
    for title, root, shared in places:
        found = [entry for entry in entries if entry.shared == shared]
        say(f"{title}: {show_path(root)}")
        for line in (_by_entry(found) if each else _by_kind(found)).draw(window_width()):
            say(line)
        say()


def print_listed(cache: Cache, entries: Sequence[Entry]) -> None:
    """The same as JSON, entry by entry."""
    own = [entry for entry in entries if not entry.shared]
    print_json(
        {
            "cache": str(cache.root),
            "shared": str(cache.folders.upstream) if cache.folders.upstream else None,
            "entries": [_data(entry) for entry in entries],
            "total": {"entries": len(own), "bytes": sum(entry.bytes for entry in own)},
        }
    )


def print_faults(cache: Cache, entries: Sequence[Entry], faults: Mapping[Entry, str], *, as_json: bool) -> None:
    """What is damaged, and how much was looked at."""
    size = sum(entry.bytes for entry in entries)
    if as_json:
        damaged = [{**_data(entry), "fault": fault} for entry, fault in faults.items()]
        print_json({"cache": str(cache.root), "verified": len(entries), "bytes": size, "damaged": damaged})
        return
    for entry, fault in faults.items():
        say(f"{entry.kind} {entry.key[:_KEY]}: {fault}")
    damaged_too = f"{len(faults):,} damaged: the next run that needs one makes it again" if faults else "all are whole"
    say(f"Verified {len(entries):,} artefacts, {write_size(size)}: {damaged_too}.")


def print_pruned(
    cache: Cache, gone: Sequence[Entry], kept: Mapping[Entry, str], *, dry_run: bool, as_json: bool
) -> None:
    """What was removed, or would be, and what stays though it was meant."""
    size = sum(entry.bytes for entry in gone)
    if as_json:
        stays = [{**_data(entry), "why": why} for entry, why in kept.items()]
        about = {"cache": str(cache.root), "dry_run": dry_run, "bytes": size}
        print_json({**about, "removed": [_data(entry) for entry in gone], "kept": stays})
        return
    if gone:
        for line in _by_entry(gone).draw(window_width()):
            say(line)
    for entry, why in kept.items():
        say(f"{entry.kind} {entry.key[:_KEY]} stays: {why}.")
    verb = "Would remove" if dry_run else "Removed"
    say(f"{verb} {len(gone):,} entries, {write_size(size)}; {len(kept):,} that were meant stay.")


def _by_kind(entries: Sequence[Entry]) -> TextTable:
    groups = [(kind, list(each)) for kind, each in groupby(sorted(entries, key=lambda one: one.kind), lambda e: e.kind)]
    rows = [*groups, ("total", list(entries))]
    return TextTable(
        {
            "kind": [kind for kind, _ in rows],
            "entries": [f"{len(found):,}" for _, found in rows],
            "size": [write_size(sum(entry.bytes for entry in found)) for _, found in rows],
            "used last": [write_age(min(entry.age for entry in found)) if found else "" for _, found in rows],
            "oldest": [write_age(max(entry.age for entry in found)) if found else "" for _, found in rows],
            "in use": [str(sum(bool(entry.users) for entry in found) or "") for _, found in rows],
        },
        "kind",
    )


def _by_entry(entries: Sequence[Entry]) -> TextTable:
    return TextTable(
        {
            "kind": [*(entry.kind for entry in entries), "total"],
            "key": [*(entry.key[:_KEY] for entry in entries), f"{len(entries):,}"],
            "size": [
                *(write_size(entry.bytes) for entry in entries),
                write_size(sum(entry.bytes for entry in entries)),
            ],
            "used last": [*(write_age(entry.age) for entry in entries), ""],
            "used by": [*(str(entry.users[0]) if entry.users else "" for entry in entries), ""],
        },
        "used by",
    )


def _data(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "key": entry.key,
        "folder": str(entry.folder),
        "bytes": entry.bytes,
        "age": round(entry.age),
        "users": [str(holder) for holder in entry.users],
        "shared": entry.shared,
    }
