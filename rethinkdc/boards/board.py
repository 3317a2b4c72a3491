"""A board: rows that may be compared.

Records of different conditions never meet: protocol digest, dataset fingerprint, label track, evaluator, student, ipc
or number of images, the core's semantics, the mark *modified*, and the kind of device with its threads each part
boards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from rethinkdc.boards.accuracies import Accuracies
from rethinkdc.boards.beside import Lacking, Machine, Published, Unmeasured
from rethinkdc.boards.entry import Entry, Place
from rethinkdc.boards.image_error import PredictionFiles, measure_image_error
from rethinkdc.boards.ranking import Draft, rank_rows
from rethinkdc.boards.results import Baseline, first_ok
from rethinkdc.boards.robustness import score_drafts
from rethinkdc.boards.row import Row, make_row
from rethinkdc.measurement import Metric
from rethinkdc.statistics import judge_family
from rethinkdc.storage import canonical_json

MARK = " #"
"""Before the beginning of a digest, where several definitions share one printed form."""
CODE = 8
"""Hex digits of a code's digest that are shown."""
_MARK = 6
"""Hex digits of a definition's digest that tell methods of one printed form apart."""


@dataclass(frozen=True)
class Board:
    """Rows that may be compared, and the conditions that they share.

    Attributes:
        protocol: id and version.
        protocol_digest: what the protocol says.
        dataset: its name.
        dataset_fingerprint: its content.
        track: of the labels.
        evaluator: printed form.
        student: printed form.
        ipc: None = only full sets.
        images: images in all, of shares and lists that are no ``ipc`` of each class; else None.
        keep: the share of the training set that they are, to three digits; None where it is not known.
        modified: whether an override changes the protocol.
        overrides: what does, as the shortest record tells it; empty where nothing does, or no record tells.
        semantics: versions of what the core does.
        metric: what ranks.
        better: which end of it is good.
        unit: whether it is a fraction or another number.
        others: metrics that its records have beside what ranks.
        against: the labeler under which the same sets are what differences are to; None = they are to ``random``.
        machine: what computed all rows; None where machines are pooled.
        rows: best first; then full sets, then what has no result.
        unmeasured: published values of methods that have no row.
        lacking: accuracies that scores of rows need and no record has.
    """

    protocol: str
    protocol_digest: str
    dataset: str
    dataset_fingerprint: str
    track: str
    evaluator: str
    student: str
    ipc: int | None
    images: int | None
    keep: float | None
    modified: bool
    overrides: dict[str, Any]
    semantics: dict[str, int]
    metric: str
    better: Literal["higher", "lower"]
    unit: Literal["fraction", "number"]
    others: tuple[Metric, ...]
    against: str | None
    machine: Machine | None
    rows: tuple[Row, ...]
    unmeasured: tuple[Unmeasured, ...]
    lacking: tuple[Lacking, ...]

    @property
    def reference(self) -> str:
        """What differences are to, in words."""
        return f"the same sets under {self.against} labels" if self.against else "random"

    @property
    def shown(self) -> tuple[Row, ...]:
        """The rows of a table: those without a result and beside nothing published are notes, unless all are such."""
        return tuple(row for row in self.rows if row.runs or row.published) or self.rows

    @cached_property
    def labelers(self) -> int:
        """How many labelers its rows have: with several, a row needs its labeler to be named."""
        return len({row.labeler for row in self.rows})

    @cached_property
    def sources(self) -> dict[tuple[str, str], int]:
        """Footnotes of published values: source and conditions -> number, from 1."""
        published = [one for row in self.rows for one in row.published] + [one.published for one in self.unmeasured]
        return {source: number for number, source in enumerate(dict.fromkeys(map(_source, published)), start=1)}

    def number_source(self, published: Published) -> int:
        """The footnote of a published value."""
        return self.sources[_source(published)]

    @property
    def changed(self) -> str:
        """What was made of the protocol: ``modified: training.steps=5``; empty where it is as its file says."""
        if not self.modified:
            return ""
        told = ", ".join(f"{key}={_write_value(value)}" for key, value in sorted(self.overrides.items()))
        return f"modified: {told}" if told else "modified"

    @property
    def protocol_as_run(self) -> str:
        """The protocol, and what was changed of it."""
        return f"{self.protocol} ({self.changed})" if self.modified else self.protocol

    @property
    def size(self) -> str:
        """``ipc 10``, ``ipc full``, ``keep 0.3 (431 images)``; ``431 images`` where the share is not known."""
        if self.images is None:
            return f"ipc {self.ipc or 'full'}"
        images = f"{self.images:,} images"
        return images if self.keep is None else f"keep {self.keep:g} ({images})"


def _source(published: Published) -> tuple[str, str]:
    return published.source, published.conditions


def group_by_place(entries: Sequence[Entry]) -> dict[Place, list[Entry]]:
    """Entries by board. Full sets, which have no ipc, stand on every board of otherwise equal conditions."""
    groups: dict[Place, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.place].append(entry)
    whole = {place: groups.pop(place) for place in list(groups) if place.ipc is None}
    beside: dict[Place, list[Place]] = defaultdict(list)
    for place in groups:
        beside[replace(place, ipc=None, images=None)].append(place)
    for place, full in whole.items():
        for other in beside.get(place, [place]):
            groups[other] = [*groups[other], *full]
    return dict(groups)


def ranking_metric(entries: Sequence[Entry], name: str | None) -> Metric | None:
    """The metric of this name, or the main one, as the newest record declares it; None where none has it."""
    declaring = [
        (entry.created, entry.key, entry.attempt, metric)
        for entry in entries
        for metric in (entry.metrics if name else entry.metrics[:1])
        if name in (None, metric.name)
    ]
    return max(declaring, key=lambda one: one[:3])[3] if declaring else None


def make_board(
    place: Place,
    entries: Sequence[Entry],
    metric: Metric,
    accuracies: Accuracies,
    against: str | None = None,
    predictions: PredictionFiles | None = None,
) -> Board:
    """The board of one place.

    Args:
        place: what all rows share.
        entries: all attempts at all of its runs.
        metric: what ranks.
        accuracies: of all records, for scores that need those of other boards.
        against: the labeler under which the same sets are what differences are to; None = they are to ``random``.
        predictions: where the test set's own error is measured from; None = it is not.
    """
    drafts, lacking = score_drafts(_draft(entries, metric, against), metric.name, accuracies)
    if predictions:
        drafts = [measure_image_error(draft, metric.name, predictions) for draft in drafts]
    first = entries[0]
    return Board(
        protocol=first.names.protocol,
        protocol_digest=place.protocol,
        dataset=first.names.dataset,
        dataset_fingerprint=place.dataset,
        track=place.track,
        evaluator=first.names.evaluator,
        student=first.names.student,
        ipc=place.ipc,
        images=place.images,
        keep=next((entry.keep for entry in entries if entry.keep is not None), None),
        modified=place.modified,
        overrides=_overrides(entries) if place.modified else {},
        semantics=first.semantics,
        metric=metric.name,
        better=metric.better,
        unit=metric.unit,
        others=_others(entries, metric),
        against=against,
        machine=place.machine,
        rows=rank_rows(_judge(drafts), metric),
        unmeasured=(),
        lacking=lacking,
    )


def _others(entries: Sequence[Entry], metric: Metric) -> tuple[Metric, ...]:
    """As the newest record declares each of them."""
    names = dict.fromkeys(one.name for entry in entries for one in entry.metrics if one.name != metric.name)
    found = (ranking_metric(entries, name) for name in names)
    return tuple(one for one in found if one)


def _overrides(entries: Sequence[Entry]) -> dict[str, Any]:
    """Some runs may have been given more than what changes anything."""
    told = [entry.overrides for entry in entries if entry.overrides]
    return min(told, key=lambda one: (len(one), canonical_json(one)), default={})


def _write_value(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _draft(entries: Sequence[Entry], metric: Metric, against: str | None) -> list[Draft]:
    """One row a method, beside ``random`` under the same labels, or the same set under those that it is against."""
    methods: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        methods[entry.method].append(entry)
    baselines = _baselines(methods)
    marks = _marks(methods)
    nothing = Baseline.of_random(())
    labelled = _labelled(entries, against)
    drafts = []
    for key, group in methods.items():
        first = group[0]
        baseline = nothing if first.full else baselines.get(first.labels, nothing)
        # Another revision of random is compared with the newest as little as random with itself; so are labels.
        if against:
            beside = nothing if first.names.labeler == against else labelled
        else:
            beside = nothing if first.random is not None else baseline
        row = make_row(group, beside, first.names.compressor + marks[key], metric.name)
        runs = tuple(run for run in first_ok(group) if metric.name in run.results)
        drafts.append(Draft(row, runs, baseline, beside))
    return drafts


def _marks(methods: dict[str, list[Entry]]) -> dict[str, str]:
    """What parts methods of one printed form: their code where that does, as in notes, or else their definition."""
    alike: dict[str, list[str]] = defaultdict(list)
    for key, group in methods.items():
        alike[group[0].names.methods].append(key)
    marks = dict.fromkeys(methods, "")
    for keys in (keys for keys in alike.values() if len(keys) > 1):
        codes = {key: _codes(methods[key]) for key in keys}
        shared = frozenset.intersection(*codes.values())
        own = {key: "+".join(sorted({code[:CODE] for _, code in found - shared})) for key, found in codes.items()}
        told = own if all(own.values()) and len({*own.values()}) == len(keys) else {key: key[:_MARK] for key in keys}
        marks |= {key: f"{MARK}{mark}" for key, mark in told.items()}
    return marks


def _codes(entries: Sequence[Entry]) -> frozenset[tuple[str, str]]:
    """The code of every method by which any of the attempts was carried out."""
    return frozenset(code for entry in entries for code in entry.code.items())


def _baselines(methods: dict[str, list[Entry]]) -> dict[str, Baseline]:
    """Plain ``random`` of the newest revision, by labels."""
    newest: dict[str, list[Entry]] = {}
    for group in methods.values():
        revision, labels = group[0].random, group[0].labels
        if revision is not None and (labels not in newest or revision > (newest[labels][0].random or 0)):
            newest[labels] = group
    return {labels: Baseline.of_random(group) for labels, group in newest.items()}


def _labelled(entries: Sequence[Entry], labeler: str | None) -> Baseline:
    """All runs under a labeler, of its newest definition on record."""
    under = [entry for entry in entries if entry.names.labeler == labeler and entry.status == "ok"]
    newest = max(under, key=lambda entry: (entry.created, entry.key), default=None)
    return Baseline.of_labels(entry for entry in under if newest and entry.labels == newest.labels)


def _judge(drafts: Sequence[Draft]) -> list[Draft]:
    """The same with their differences as one family: of all methods of the board."""
    family = [draft.row.difference for draft in drafts if draft.row.difference]
    judged = iter(judge_family(family))
    return [
        replace(draft, row=replace(draft.row, difference=next(judged))) if draft.row.difference else draft
        for draft in drafts
    ]


def order_of(board: Board) -> tuple[Any, ...]:
    """By what boards are sorted, the same from the same records."""
    return (
        board.protocol,
        board.dataset,
        board.modified,
        board.track,
        board.evaluator,
        board.student,
        board.ipc or 0,
        board.images or 0,
        board.protocol_digest,
        board.dataset_fingerprint,
        board.machine is None,
        board.machine.order if board.machine else (),
        sorted(board.semantics.items()),
    )
