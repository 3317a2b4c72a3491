"""What a report is made of: the boards, and the runs that their rows count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property

from rethinkdc.boards import Board, Row
from rethinkdc.boards.entry import semantics_across_labels
from rethinkdc.boards.index import LeftOut
from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.sensitivity import Sensitivity
from rethinkdc.reports.palette import Styles
from rethinkdc.reports.trainings import Training, read_trainings
from rethinkdc.runs.records import Records


@dataclass(frozen=True)
class Material:
    """Boards, where the records of their runs are read when a figure needs one, and what stands beside them.

    Attributes:
        boards: what is drawn.
        records: the folder.
        explanations: of methods on the boards.
        left_out: files in the folder that enter no board, because no run wrote them.
        sensitivities: of comparisons under families of protocols.
    """

    boards: tuple[Board, ...]
    records: Records
    explanations: tuple[Explanation, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()

    @cached_property
    def styles(self) -> Styles:
        """One style for each method over the whole report, given out in the order of the boards."""
        return Styles(row for board in self.boards for row in board.rows)

    @cached_property
    def trainings(self) -> list[tuple[Board, list[tuple[Row, Training]]]]:
        """What happened inside the runs of each board's best rows; opens their records."""
        return read_trainings(self.records, self.boards)

    def alike_but_budget(self) -> list[tuple[Board, ...]]:
        """Boards that differ in the budget alone."""
        return _group(self.boards, lambda board: (*_setting(board), board.track))

    def alike_but_labels(self) -> list[tuple[Board, ...]]:
        """Boards that differ in the budget and in the label track."""
        return _group(self.boards, _setting)

    def alike_but_protocol(self) -> list[tuple[Board, ...]]:
        """Boards of one dataset, student, evaluator and budget, under whatever protocol and labels."""
        return _group(
            self.boards,
            lambda board: (
                board.dataset_fingerprint,
                board.student,
                board.evaluator,
                board.metric,
                board.ipc,
                board.images,
                board.machine,
            ),
        )


def _setting(board: Board) -> tuple[Hashable, ...]:
    conditions = (board.protocol_digest, board.dataset_fingerprint, board.student, board.evaluator, board.metric)
    return (*conditions, board.modified, semantics_across_labels(board.semantics), board.machine)


def _group(boards: Iterable[Board], key: Callable[[Board], Hashable]) -> list[tuple[Board, ...]]:
    groups: dict[Hashable, list[Board]] = defaultdict(list)
    for board in boards:
        groups[key(board)].append(board)
    return [tuple(group) for group in groups.values()]
