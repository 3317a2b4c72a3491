"""How many sets a study needs so that a difference to ``random`` is found, from what is on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from rethinkdc.boards import Board, rank_folder
from rethinkdc.boards.board import MARK
from rethinkdc.boards.index import read_entries
from rethinkdc.boards.ranking import LEAST
from rethinkdc.errors import RequestError
from rethinkdc.evidence.outcome import Counted
from rethinkdc.evidence.question import counted_of
from rethinkdc.runs.records import Records
from rethinkdc.runs.resolving import Run
from rethinkdc.statistics import Deviation, pairs_needed, pool_deviations

_SUFFIXES = ("points", "point", "pts", "pt", "%")
_EITHER = 0.1
"""Bare numbers from here to 1 may be meant as points or as fractions."""


@dataclass(frozen=True)
class Need:
    """What one method of a study needs.

    Attributes:
        method: printed form, with its labels.
        ipc: as tables write it.
        student: printed form.
        protocol: as tables write it.
        counted: what its numbers count; of a finished set, students.
        planned: so many the study has for it.
        deviation: of its paired differences to ``random``; None where nothing is on record to tell it.
        pooled: methods whose differences were pooled; empty = its own.
        claims: methods of the study on its board, so many tests of which hold together at 5 %.
        sets: that it needs, five at least, since fewer are not ranked; None without a deviation.
        pairs: that the deviation is of.
        records: keys of the runs that these pairs are of.
    """

    method: str
    ipc: str
    student: str
    protocol: str
    counted: Counted
    planned: int
    deviation: Deviation | None
    pooled: tuple[str, ...]
    claims: int
    sets: int | None
    pairs: int
    records: tuple[str, ...]


@dataclass(frozen=True)
class Detection:
    """How many sets each method of a study needs; ``difference`` is a fraction."""

    difference: float
    needs: tuple[Need, ...]


def read_points(text: str) -> float:
    """Reads a difference as a fraction: ``1.0``, ``1%`` and ``1pt`` are one point, and so is ``0.01``.

    A number of 1 or more is in points, one below a tenth a fraction: nobody plans for a hundred points, nor for less
    than a tenth of one. What lies between could be either, and needs a unit. With a unit it is in points.

    Raises:
        RequestError: no such number, or none between 0 and 100 points.
    """
    bare = text.strip()
    unit = next((suffix for suffix in _SUFFIXES if bare.endswith(suffix)), "")
    try:
        number = float(bare.removesuffix(unit))
    except ValueError:
        raise RequestError(f"--detect {text}: expected a difference in points, such as 1.0, 0.5pt or 0.01.") from None
    if not unit and _EITHER <= number < 1:
        raise RequestError(
            f"--detect {text}: {number:g} points, or the fraction that is {100 * number:g}? Write {number:g}pt or "
            f"{100 * number:g}pt."
        )
    fraction = number / 100 if unit or number >= 1 else number
    if not 0 < fraction < 1:
        raise RequestError(f"--detect {text}: a difference above 0 and below 100 points is needed, such as 1.0.")
    return fraction


def plan_detection(runs: Iterable[Run], records: Records, difference: float) -> Detection:
    """Says how many sets each method needs: from its own deviation where it has two pairs on record, else pooled.

    The upper confidence bound of the deviation counts, since it comes from few sets. Pooled are all methods on the
    board that a method will stand on. Each is planned for a test at 5 % / m of the m methods that the study has on that
    board (Bonferroni), which bounds what Holm's correction asks for.

    Args:
        runs: of a study.
        records: what is on record.
        difference: that shall be found, as a fraction.

    Raises:
        RequestError: what the runs measure is no fraction.
    """
    methods: dict[tuple[Hashable, ...], list[Run]] = {}
    for run in runs:
        if run.evaluator.metrics[0].unit != "fraction":
            raise RequestError(
                f"--detect is in points; {run.names.evaluator} measures {run.evaluator.metrics[0].name}."
            )
        if run.ipc is not None and not run.definition.compressor.is_random:
            names = run.names
            methods.setdefault((names.methods, *_place(run)), []).append(run)
    boards = _boards(records)
    claims = Counter(_place(alike[0]) for alike in methods.values())
    needs = (_need(alike, boards, difference, claims[_place(alike[0])]) for alike in methods.values())
    return Detection(difference, tuple(needs))


def _place(run: Run) -> tuple[Hashable, ...]:
    """What tells the boards of a study apart."""
    names = run.names
    where = (names.dataset, names.protocol, names.student, names.evaluator, names.ipc)
    return *where, run.protocol.digest, run.labeler.track


def _need(alike: Sequence[Run], boards: Sequence[Board], difference: float, claims: int) -> Need:
    run = alike[0]
    rows = [row for board in boards if _stands_on(run, board) for row in board.rows if row.labeler == run.names.labeler]
    paired = [row for row in rows if row.difference is not None and row.difference.half_width is not None]
    own = [row for row in paired if row.compressor.partition(MARK)[0] == run.names.compressor]
    chosen = own or paired
    counted = counted_of(run)
    deviation = pool_deviations(row.difference for row in chosen if row.difference is not None)
    return Need(
        method=run.names.methods,
        ipc=run.names.ipc,
        student=run.names.student,
        protocol=run.names.protocol,
        counted=counted,
        planned=len({one.seeds.student if counted == "students" else one.seeds.set for one in alike}),
        deviation=deviation,
        pooled=() if chosen is own else tuple(row.compressor for row in chosen),
        claims=claims,
        sets=None if deviation is None else max(LEAST, pairs_needed(difference, deviation.bound, claims)),
        pairs=sum(row.difference.n for row in chosen if row.difference is not None),
        records=tuple(key for row in chosen for key in row.keys),
    )


def _stands_on(run: Run, board: Board) -> bool:
    names = run.names
    return (
        board.protocol_digest == run.protocol.digest
        and board.dataset_fingerprint == run.dataset_fingerprint
        and board.track == run.labeler.track
        and (board.evaluator, board.student) == (names.evaluator, names.student)
        and (board.ipc, board.images) == (run.ipc, run.size.images)
        and board.modified == run.modified
    )


def _boards(records: Records) -> list[Board]:
    """All boards; none where nothing is on record yet that enters one."""
    return rank_folder(records).boards if any(not entry.tune for entry in read_entries(records)) else []


__all__ = ["Detection", "Need", "plan_detection", "read_points"]
