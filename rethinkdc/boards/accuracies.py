"""Mean accuracies of all records, found by what they are of: scores of one board need those of another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from rethinkdc.boards.entry import Entry, Place, semantics_across_labels
from rethinkdc.boards.results import counted_axis, first_ok, groups_by_seed, means_by_seed
from rethinkdc.statistics import mean_of
from rethinkdc.storage import canonical_json

ACCURACY = "top1"
PLAIN = "training.views=[]"
"""The override under which a student sees the images as they are, as ``--set`` takes it."""
_PLAIN = canonical_json({"training.views": []})
HARD = "hard"
_NAME = re.compile(r"(?P<id>.*) v(?P<version>\d+)")


class _Where(NamedTuple):
    """What an accuracy is of.

    ``protocol`` is its id, and ``place`` has no digest of it, which differs between twins; ``labels`` is empty for
    plain hard ones, ``compressor`` for the whole training set, ``overrides`` where there are none.
    """

    protocol: str
    place: Place
    labels: str
    compressor: str
    overrides: str


class Accuracies:
    """Mean top-1 of every method under every condition on record.

    A board of soft labels has its hard twin under the protocol of the same name but for its last word,
    ``cifar10-soft`` and ``cifar10-hard``. Versions never mix: without augmentation a run's own counts, and of the hard
    twin the newest that both the method and the whole training set have, or else the newest.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        groups: dict[tuple[_Where, str], list[Entry]] = defaultdict(list)
        for entry in entries:
            if not entry.tune and ACCURACY in entry.results:
                groups[_where(entry), entry.place.protocol].append(entry)
        self._means: dict[_Where, dict[tuple[int, str], float]] = defaultdict(dict)
        for (where, digest), group in groups.items():
            _, version = _split(group[0].names.protocol)
            self._means[where][version, digest] = _mean(group)

    def with_hard_labels(self, entry: Entry) -> tuple[float | None, float | None]:
        """That of the whole training set and that of the same set, both with hard labels and of one protocol."""
        hard = _hard(entry)
        whole = self._of(hard._replace(place=replace(hard.place, ipc=None, images=None), compressor=""))
        own = self._of(hard)
        versions = whole.keys() & own.keys() or whole.keys() | own.keys()
        if entry.place.track == HARD:
            # The very same protocol, and no other version of it.
            versions = {version for version in versions if version[1] == entry.place.protocol}
        newest = max(versions, default=(0, ""))
        return whole.get(newest), own.get(newest)

    def on_plain_views(self, entry: Entry) -> float | None:
        """That of the same set and labels without augmentation."""
        where = _where(entry)
        _, own = _split(entry.names.protocol)
        plain = self._of(where._replace(place=replace(where.place, modified=True), overrides=_PLAIN))
        return max(((key, mean) for key, mean in plain.items() if key[0] == own), default=(None, None))[1]

    def _of(self, where: _Where) -> dict[tuple[int, str], float]:
        """By version and digest of the protocol."""
        return self._means.get(where, {})


def hard_twin(protocol: str) -> str:
    """The id of the protocol of hard labels beside one of soft ones; its own where it has none."""
    name, _ = _split(protocol)
    return f"{name.removesuffix('soft')}hard" if name.endswith("-soft") else name


def _where(entry: Entry) -> _Where:
    return _Where(
        protocol=_split(entry.names.protocol)[0],
        place=replace(entry.place, protocol=""),
        labels="" if entry.names.labeler == HARD else entry.labels,
        compressor="" if entry.full else entry.compressor,
        overrides=canonical_json(entry.overrides) if entry.overrides else "",
    )


def _hard(entry: Entry) -> _Where:
    where = _where(entry)
    place = replace(where.place, track=HARD, semantics=semantics_across_labels(entry.semantics))
    return where._replace(protocol=hard_twin(entry.names.protocol), place=place, labels="")


def _mean(entries: list[Entry]) -> float:
    runs = first_ok(entries)
    return mean_of(means_by_seed(groups_by_seed(runs, ACCURACY, counted_axis(runs[0]))).values())


def _split(protocol: str) -> tuple[str, int]:
    named = _NAME.fullmatch(protocol)
    return (named["id"], int(named["version"])) if named else (protocol, 0)
