"""Pins the digests of the shipped protocols: ``python tests/protocols/pin.py [--replace]``.

Adds what is new. A digest that is pinned already is only changed with ``--replace``, which is for protocols that were
never released: the results of a released one would stand in one table with those of another experiment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rethinkdc.registry.registry import Registry

FILE = Path(__file__).with_name("digests.json")


def pin(*, replace: bool) -> list[str]:
    """Writes the file and returns what differs from it without being replaced."""
    pinned: dict[str, dict[str, str]] = json.loads(FILE.read_text()) if FILE.exists() else {}
    refused = []
    for name, protocol in Registry().protocols.all().items():
        versions = pinned.setdefault(name, {})
        version = str(protocol.version)
        if versions.get(version, protocol.digest) != protocol.digest and not replace:
            refused.append(f"{name} v{version}")
        else:
            versions[version] = protocol.digest
    FILE.write_text(json.dumps(pinned, indent=1, sort_keys=True) + "\n")
    return refused


if __name__ == "__main__":
    if changed := pin(replace="--replace" in sys.argv[1:]):
        sys.exit(f"Raise the version of {', '.join(changed)}, or give --replace if it was never released.")
