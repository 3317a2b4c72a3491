"""Where a set comes from, in words for strangers: the paper, and the commands that make and evaluate it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

from rethinkdc.compressed import Card, CompressedSet
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RequestError
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.reference import Reference
from rethinkdc.registry.registry import Registry

_SMALL = 4
"""Side in pixels below which cells are made only when asked for twice."""
_FOLDERS = re.compile(r"(?<![\w./:~])~?/(?:[^/\s,\"\]]+/)+")
"""The folders of an absolute path."""


@dataclass(frozen=True)
class Origin:
    """What is known of a set beside its card.

    Attributes:
        name: what tables call it.
        place: what people will call it: the folder's name, or ``OWNER/NAME``.
        dataset: the training set's name; empty = not known.
        shipped: whether this tool brings the protocol.
        protocol: id; empty = not known.
        compressor: the method as it is typed; empty = not known, or made of files of somebody's own.
        paper: of the method.
        make: the command that makes the set again; empty = none is known.
    """

    name: str
    place: str
    dataset: str
    shipped: bool
    protocol: str
    compressor: str
    paper: str
    make: str

    def evaluation_of(self, place: str) -> str:
        """The command that evaluates the set where it lies; a word in capitals is to be replaced."""
        words = ["rethinkdc", "evaluate", place]
        if self.dataset or not self.shipped:
            words += ["--dataset", self.dataset or "DATASET"]
        # The card names the protocol to those who have it.
        if not self.shipped and self.protocol not in DERIVED:
            words += ["--protocol", "FILE.toml" if self.protocol else "PROTOCOL"]
        return shlex.join(words)


def find_origin(compressed: CompressedSet, name: str, registry: Registry, *, place: str) -> Origin:
    """Finds out where a set comes from.

    Args:
        compressed: the set, with its card.
        name: what tables call it.
        registry: what is installed here.
        place: what people will call it.
    """
    card = compressed.card
    compressor, paper = _name_method(card, registry)
    return Origin(
        name=card.method or name,
        place=place,
        dataset=card.dataset,
        shipped=card.protocol in registry.protocols.all(),
        protocol=card.protocol,
        compressor=compressor,
        paper=paper,
        make=_making(compressed, compressor),
    )


def without_paths(compressed: CompressedSet) -> CompressedSet:
    """The set with a card that names files, and never the folders of somebody's machine."""
    card = compressed.card
    return compressed.with_card(card.model_copy(update={"notes": _without_folders(card.notes)}))


def _name_method(card: Card, registry: Registry) -> tuple[str, str]:
    """The reference and the paper of the method that made a set; empty where they are not known here."""
    reference = _reference_of(card.definition) if card.definition else None
    if reference is None:
        return "", ""
    try:
        method = registry.build(Compressor, reference)
    except RequestError:
        # A plugin that is not installed here, or no longer.
        return str(reference), ""
    return registry.label(method), method.paper


def _making(compressed: CompressedSet, compressor: str) -> str:
    card = compressed.card
    seeds = set(card.seeds.values())
    of_each = card.ipc is not None and set(compressed.histogram()) == {card.ipc}
    if not compressor or not card.protocol or len(seeds) != 1 or not of_each:
        return ""
    words = ["rethinkdc", "compress", "--compressor", compressor, "--protocol", card.protocol]
    words += ["--dataset", card.dataset or "DATASET", "--ipc", str(card.ipc), "--seed", str(seeds.pop())]
    if compressed.cells > 1 and int(compressed.cell_boxes[:, 2:].min()) < _SMALL:
        words.append("--small-cells")
    return shlex.join([*words, "--out", "FOLDER"])


def _reference_of(definition: dict[str, Any]) -> Reference | None:
    """The reference that a definition came of; None where the content of a file is part of it."""
    values = {key: _value_of(value) for key, value in definition["parameters"].items()}
    if _OF_FILES in values.values():
        return None
    distribution = definition.get("distribution")
    name = definition["name"] if distribution is None else f"{distribution}/{definition['name']}"
    return Reference(name=name, values=values)


_OF_FILES = object()


def _value_of(value: Any) -> Any:
    if isinstance(value, list):
        items = [_value_of(item) for item in value]
        return _OF_FILES if _OF_FILES in items else items
    if isinstance(value, dict):
        if "name" not in value or "parameters" not in value:
            return _OF_FILES
        return _reference_of(value) or _OF_FILES
    return value


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {_without_folders(key): _without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(item) for item in value]
    return _FOLDERS.sub("", value) if isinstance(value, str) else value
