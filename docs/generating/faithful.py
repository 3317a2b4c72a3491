"""Tables of the page on faithfulness: what ran the authors' code, and what methods say of their deviations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from docs.generating.markdown import anchor, code, plain, table
from docs.generating.methods import built_in
from rethinkdc.contracts import Compressor, Deviation, UnsupportedError
from rethinkdc.registry import Registry

NUMBERS = Path(__file__).resolve().parents[2] / "tests" / "fidelity" / "pruning"
CONDITIONS = (("cifar10-soft", 10), ("cifar10-hard", 10), ("cifar10-mtt-hard", 10), ("imagenet1k-soft", 10))
"""Under which methods are asked; what they answer at several is told once."""


def authors() -> str:
    """A row for each file of numbers that the authors' functions gave."""
    rows = []
    for path in sorted(NUMBERS.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        source = f"{told['repository']} at {told['commit'][:7]}"
        rows.append([code(path.stem), plain(source), plain(told["function"]), plain(told["how"])])
    return table(["what", "repository", "function", "how it was run"], rows)


def deviations(registry: Registry) -> str:
    """A row for each thing that a method says it does otherwise."""
    rows = [
        [f"[{code(name)}](reference/compressors.md#{anchor(name)})", plain(about), *map(plain, one)]
        for name, about, one in _told(registry)
    ]
    return table(["method", "about", "the authors", "here", "why"], rows)


def _told(registry: Registry) -> Iterator[tuple[str, str, Deviation]]:
    for method in built_in("compressor", registry):
        if isinstance(method, str) or any(info.is_required() for info in method.model_fields.values()):
            continue
        built = registry.build("compressor", method.name)
        assert isinstance(built, Compressor)
        told: dict[tuple[str, Deviation], None] = {}
        for protocol, ipc in CONDITIONS:
            try:
                found = built.deviations(registry.protocols.find(protocol), ipc)
            except UnsupportedError:
                continue
            told |= dict.fromkeys(found.items())
        for about, one in told:
            yield method.name, about, one
