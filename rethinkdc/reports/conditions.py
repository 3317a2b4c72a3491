"""The conditions of boards in words, and as names of figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields

from rethinkdc.boards import Board, Row
from rethinkdc.boards.beside import Machine
from rethinkdc.measurement import Metric
from rethinkdc.reports.figures import Axis, Facets, Label
from rethinkdc.reports.texts import write_metric
from rethinkdc.storage import digest
from rethinkdc.texts import visible

_DIGEST = 12
_TELLING = 6
_NOT_CONDITIONS = ("rows", "unmeasured", "lacking", "others", "against", "keep", "overrides")
"""Fields of a board that say what was measured under its conditions, or say its images or its protocol again."""


def entitle(boards: Sequence[Board]) -> str:
    """What boards are of, in the fewest words: dataset, label track and budget, as far as they share them."""
    first = boards[0]
    tracks = list(dict.fromkeys(visible(board.track) for board in boards))
    budgets = list(dict.fromkeys(describe_budget(board) for board in boards))
    parts = [
        visible(first.dataset),
        f"{tracks[0]} labels" if len(tracks) == 1 else "",
        budgets[0] if len(budgets) == 1 else "",
    ]
    return ", ".join(part for part in parts if part)


def describe(boards: Sequence[Board]) -> str:
    """The conditions beside the title: protocols, student, evaluator, and what computed."""
    first = boards[0]
    protocols = dict.fromkeys(visible(board.protocol_as_run) for board in boards)
    machines = {board.machine for board in boards}
    parts = [
        *protocols,
        f"student {visible(first.student)}",
        f"evaluator {visible(first.evaluator)}" if first.evaluator != "standard" else "",
        _describe_machine(first.machine) if len(machines) == 1 and first.machine else "",
    ]
    return ", ".join(part for part in parts if part)


def describe_budget(board: Board) -> str:
    """``ipc 10``; the share and the number of images where the budget is one."""
    return board.size


def describe_digests(boards: Sequence[Board]) -> str:
    """The digests of protocols and datasets that a figure rests on, each once."""
    protocols = dict.fromkeys(board.protocol_digest[:_DIGEST] for board in boards)
    datasets = dict.fromkeys(board.dataset_fingerprint[:_DIGEST] for board in boards)
    return f"Protocol {', '.join(protocols)}; dataset {', '.join(datasets)}."


def facets_of(boards: Sequence[Board]) -> Facets:
    """What boards, or a figure of them, are filtered by."""
    return Facets(
        dataset=visible(boards[0].dataset),
        tracks=tuple(dict.fromkeys(visible(board.track) for board in boards)),
        ipcs=tuple(dict.fromkeys(str(board.ipc or "full") for board in boards)),
    )


def label(kind: str, boards: Sequence[Board], about: str = "") -> Label:
    """The label of a figure of boards: its name stays the same as long as their conditions do.

    Args:
        kind: of the figure.
        boards: that it rests on.
        about: what it shows of them, where one board has several figures of the kind.
    """
    conditions = [_conditions(board) for board in boards]
    title = entitle(boards)
    words = [kind, *([about] if about else []), title.replace(" labels", "")]
    name = f"{'-'.join(map(slug, words))}-{digest([about, conditions])[:_TELLING]}"
    whole = f"{about[0].upper()}{about[1:]}: {title}" if about else title
    return Label(kind, name, whole, describe(boards), describe_digests(boards), facets_of(boards))


def _conditions(board: Board) -> dict[str, str]:
    told = {field.name: str(getattr(board, field.name)) for field in fields(board) if field.name not in _NOT_CONDITIONS}
    return {**told, "against": board.against} if board.against else told


def name_rows(boards: Sequence[Board]) -> Callable[[Row], str]:
    """How the rows of boards are called: by their compressor, with the labeler where there are several."""
    several = len({row.labeler for board in boards for row in board.rows}) > 1
    return lambda row: visible(f"{row.compressor} + {row.labeler}" if several else row.compressor)


def metric_of(board: Board) -> Metric:
    """What ranks the board."""
    return Metric(board.metric, board.better, board.unit)


def axis_of_metric(board: Board) -> Axis:
    """The axis of what ranks the board."""
    return Axis(write_metric(board.metric) + (" (%)" if board.unit == "fraction" else ""), board.unit)


def _describe_machine(machine: Machine | None) -> str:
    if machine is None:
        return ""
    return visible(machine.name)


def slug(text: str) -> str:
    """The text as a part of a name to type."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "x"
