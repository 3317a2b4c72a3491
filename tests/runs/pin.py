"""Pins the keys of runs: ``python tests/runs/pin.py [--replace]``.

``pins.json`` lists what is asked for and the key that its run has. A key names what a run depends on: when one changes,
every record of that run is lost to the sweeps and boards that look for it. So this script fills in the keys of new
entries; a key that is pinned already it changes only with ``--replace``, which is right only after the revision of a
method, or of the core's semantics, was raised.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rethinkdc.context.cache import Cache
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.definition import SetDefinition
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, resolve_run
from rethinkdc.seeds import Seeds

FILE = Path(__file__).with_name("pins.json")


def read_pins() -> list[dict[str, Any]]:
    """What is pinned: ``request``, perhaps ``finished`` (the set in the compressor's place), and ``key``."""
    pins: list[dict[str, Any]] = json.loads(FILE.read_text())
    return pins


def resolve_pin(pin: dict[str, Any], registry: Registry, cache: Cache) -> Run:
    """The run that a pin asks for."""
    asked = {key: value for key, value in pin["request"].items() if key != "seeds"}
    seeds = Seeds(**pin["request"].get("seeds", {}))
    finished = SetDefinition(**pin["finished"]) if "finished" in pin else None
    return resolve_run(Request(**asked, seed=seeds), registry, cache, finished=finished)


def pin(*, replace: bool) -> list[str]:
    """Writes the file and returns the keys that changed and were not replaced."""
    pins, refused = read_pins(), []
    registry, cache = Registry(), Cache(Path(tempfile.mkdtemp()))
    for one in pins:
        key = resolve_pin(one, registry, cache).key
        if one.get("key", key) != key and not replace:
            refused.append(one["key"])
        else:
            one["key"] = key
    FILE.write_text("[\n" + ",\n".join(f" {json.dumps(one)}" for one in pins) + "\n]\n")
    return refused


if __name__ == "__main__":
    if changed := pin(replace="--replace" in sys.argv[1:]):
        sys.exit(f"The keys {', '.join(changed)} changed: raise the revision of what changed, then give --replace.")
