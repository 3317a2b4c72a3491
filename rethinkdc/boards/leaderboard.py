"""Boards of a folder of records.

No plugin is imported and no method built, so boards can be shown where the methods are not installed. Records of a
tuning split enter none.
"""

from __future__ import annotations

from pathlib import Path

from rethinkdc.boards.accuracies import Accuracies
from rethinkdc.boards.board import Board, group_by_place, make_board, order_of, ranking_metric
from rethinkdc.boards.choosing import choose_entries, explain_nothing
from rethinkdc.boards.image_error import PredictionFiles
from rethinkdc.boards.index import read_entries
from rethinkdc.errors import RequestError, nearest
from rethinkdc.runs.calls import LeaderboardCall
from rethinkdc.runs.records import Records


def leaderboard(
    records: Records,
    *,
    metric: str | None = None,
    ipc: int | None = None,
    protocol: str | None = None,
    dataset: str | None = None,
    pool_devices: bool = False,
    test_error: bool = False,
) -> list[Board]:
    """The boards of all records in a folder; a file that cannot be read is warned of and left out.

    Args:
        records: where they lie.
        metric: what ranks; only boards of evaluators that have it. None = the main one of each evaluator.
        ipc: only boards of this number of images per class.
        protocol: only boards of this protocol: its id, its id and version, or the beginning of its digest.
        dataset: only boards of this dataset: its name, or the beginning of its fingerprint.
        pool_devices: compare runs whatever computed them; rows of several machines tell so.
        test_error: also the test set's own error, for which predictions are read.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    known = read_entries(records)
    if not known:
        raise RequestError(
            f"There is no record below {records.folder}. Make one with `rethinkdc run --compressor random`, or name "
            "the folder of records with --records."
        )
    entries = [entry.pooled() for entry in known] if pool_devices else known
    chosen = choose_entries(entries, protocol=protocol, dataset=dataset)
    groups = {place: group for place, group in group_by_place(chosen).items() if ipc in (None, place.ipc)}
    if not groups:
        raise RequestError(explain_nothing(known))
    ranked = [(place, group, ranking_metric(group, metric)) for place, group in groups.items()]
    if not any(ranks for *_, ranks in ranked):
        declared = {one.name for group in groups.values() for entry in group for one in entry.metrics}
        raise RequestError(f"No record has the metric {metric!r}. {nearest(str(metric), declared)}")
    accuracies = Accuracies(entries)
    predictions = PredictionFiles(records) if test_error else None
    boards = [make_board(place, group, ranks, accuracies, predictions) for place, group, ranks in ranked if ranks]
    return sorted(boards, key=order_of)


def rank_records(call: LeaderboardCall) -> list[Board]:
    """As :func:`leaderboard`, for what has its options in one value.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    return leaderboard(
        Records(Path(call.records) if call.records else None),
        metric=call.metric,
        ipc=call.ipc,
        protocol=call.protocol,
        dataset=call.dataset,
        pool_devices=call.pool_devices,
        test_error=call.test_error,
    )
