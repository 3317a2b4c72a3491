"""Boards of a folder of records.

No plugin is imported and no method built, so boards can be shown where the methods are not installed. Records of a
tuning split enter none.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rethinkdc.boards.accuracies import Accuracies
from rethinkdc.boards.board import Board, group_by_place, make_board, order_of, ranking_metric
from rethinkdc.boards.choosing import choose_entries, choose_study, explain_nothing
from rethinkdc.boards.code import mark_code
from rethinkdc.boards.image_error import PredictionFiles
from rethinkdc.boards.index import LeftOut, find_entries
from rethinkdc.boards.published import place_published
from rethinkdc.errors import RequestError, nearest
from rethinkdc.runs.calls import LeaderboardCall
from rethinkdc.runs.records import Records

if TYPE_CHECKING:
    from rethinkdc.boards.study_runs import StudyRuns

_SHOWN = 5
"""Files that are no records, of those that an error tells of."""


class Ranking(NamedTuple):
    """The boards of a folder, and the files in it that enter none because no run wrote them."""

    boards: list[Board]
    left_out: list[LeftOut]


def rank_folder(
    records: Records,
    *,
    metric: str | None = None,
    ipc: int | None = None,
    protocol: str | None = None,
    dataset: str | None = None,
    pool_devices: bool = False,
    test_error: bool = False,
    against: str | None = None,
    study: StudyRuns | None = None,
) -> Ranking:
    """The boards of all records in a folder, and what is left out.

    Args:
        records: where they lie.
        metric: what ranks; only boards of evaluators that have it. None = the main one of each evaluator.
        ipc: only boards of this number of images per class.
        protocol: only boards of this protocol: its id, its id and version, or the beginning of its digest.
        dataset: only boards of this dataset: its name, or the beginning of its fingerprint.
        pool_devices: compare runs whatever computed them; rows of several machines tell so.
        test_error: also the test set's own error, for which predictions are read.
        against: differences to the same sets under this labeler, in place of ``random``; only boards that have it.
        study: only its runs, and the published values that it has beside them.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    found, left_out = find_entries(records)
    if not found:
        because = "".join(f"\n{one}" for one in left_out[:_SHOWN])
        raise RequestError(
            f"There is no record below {records.folder}. Make one with `rethinkdc run --compressor random`, or name "
            f"the folder of records with --records.{because}"
        )
    known = [entry.pooled() for entry in found] if pool_devices else found
    entries = choose_study(known, study.name, study.keys) if study else known
    chosen = choose_entries(entries, protocol=protocol, dataset=dataset)
    groups = {place: group for place, group in group_by_place(chosen).items() if ipc in (None, place.ipc)}
    if not groups:
        raise RequestError(explain_nothing(entries))
    if against:
        labelers = {entry.names.labeler for group in groups.values() for entry in group}
        if against not in labelers:
            raise RequestError(f"No record is labelled by {against!r}. {nearest(against, labelers)}")
        groups = {
            place: group for place, group in groups.items() if any(entry.names.labeler == against for entry in group)
        }
    ranked = [(place, group, ranking_metric(group, metric)) for place, group in groups.items()]
    if not any(ranks for *_, ranks in ranked):
        declared = {one.name for group in groups.values() for entry in group for one in entry.metrics}
        raise RequestError(f"No record has the metric {metric!r}. {nearest(str(metric), declared)}")
    accuracies = Accuracies(known)
    predictions = PredictionFiles(records) if test_error else None
    boards = [
        make_board(place, group, ranks, accuracies, against, predictions) for place, group, ranks in ranked if ranks
    ]
    boards.sort(key=order_of)
    return Ranking(mark_code(_beside_reported(boards, study) if study else boards), left_out)


def _beside_reported(boards: list[Board], study: StudyRuns) -> list[Board]:
    placed, homeless = place_published(boards, study.reported)
    if homeless:
        where = sorted({f"{value.protocol} on {value.dataset}, {value.size}" for value in homeless})
        values = "1 reported value belongs" if len(homeless) == 1 else f"{len(homeless)} reported values belong"
        warnings.warn(
            f"{values} on no board here: {'; '.join(where)}. `rethinkdc sweep {study.name}` makes what is missing.",
            stacklevel=4,
        )
    return placed


def rank_records(call: LeaderboardCall, runs: StudyRuns | None = None) -> Ranking:
    """As :func:`rank_folder`, for what has its options in one value.

    Args:
        call: the options.
        runs: those of the study that is meant; None = the call names one, or all runs are meant.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    return rank_folder(
        Records(Path(call.records) if call.records else None),
        metric=call.metric,
        ipc=call.ipc,
        protocol=call.protocol,
        dataset=call.dataset,
        pool_devices=call.pool_devices,
        test_error=call.test_error,
        against=call.against,
        study=runs or (None if call.study is None else _open(call.study)),
    )


def _open(study: str | Path) -> StudyRuns:
    # Not imported above: it builds methods, and boards of no study need none.
    from rethinkdc.boards.study_runs import open_study_runs

    return open_study_runs(study)
