"""Contact sheets of the sets, as far as a page has room for them."""

from __future__ import annotations

import warnings
from base64 import b64encode
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rethinkdc.boards import Board
from rethinkdc.data.image_files import read_size
from rethinkdc.errors import DamagedError, RethinkError
from rethinkdc.reports.conditions import describe_budget, facets_of
from rethinkdc.reports.figures import Facets
from rethinkdc.reports.material import Material
from rethinkdc.runs.record import Record
from rethinkdc.runs.sheets import read_sheet
from rethinkdc.texts import visible

ROOM = 4_000_000
"""Bytes of pictures that a page holds at most."""


@dataclass(frozen=True)
class Sheet:
    """A picture of one set.

    Attributes:
        method: printed form of its compressor.
        conditions: dataset, budget and seed.
        facets: of all boards that the set stands on.
        picture: WebP in base64.
        width: in pixels.
        height: in pixels.
    """

    method: str
    conditions: str
    facets: Facets
    picture: str
    width: int
    height: int


@dataclass(frozen=True)
class Sheets:
    """The pictures that are shown, how many sets are left out for want of room, and how many rows have none."""

    shown: tuple[Sheet, ...]
    left_out: int
    without: int


def collect_sheets(material: Material, room: int = ROOM) -> Sheets:
    """The sheets of each board's best methods, of one set each; rows of one set under several labels share a picture.

    Args:
        material: the boards, and the trainings of their best rows.
        room: bytes of pictures at most; the best of every board come before the second of any.
    """
    found: dict[str, list[tuple[int, int, Board, Record]]] = defaultdict(list)
    without = 0
    for place, (board, trainings) in enumerate(material.trainings):
        for standing, (row, training) in enumerate(trainings):
            if row.full:
                continue
            if training.first and training.first.sheet:
                found[training.first.sheet.sha256].append((standing, place, board, training.first))
            else:
                without += 1
    shown, taken, left_out = [], 0, 0
    for uses in sorted(found.values(), key=lambda uses: min(use[:2] for use in uses)):
        (*_, first), boards = uses[0], [board for *_, board, _ in uses]
        assert first.sheet
        if taken + first.sheet.bytes > room:
            left_out += 1
        elif (content := _read(first, material)) is None:
            without += len(uses)
        else:
            taken += len(content)
            shown.append((uses[0][1::-1], _make(first, boards, content)))
    shown.sort(key=lambda one: one[0])
    return Sheets(tuple(sheet for _, sheet in shown), left_out, without)


def _read(record: Record, material: Material) -> bytes | None:
    """The picture; None where it is gone or changed, of which a warning tells."""
    try:
        content = read_sheet(record, material.records.folder)
        if read_size(content) is None:
            raise DamagedError(f"what lies beside the record of {record.key} as one is no picture.")
    except RethinkError as error:
        warnings.warn(f"A contact sheet is left out: {error}", stacklevel=2)
        return None
    return content


def _make(record: Record, boards: Sequence[Board], content: bytes) -> Sheet:
    width, height = read_size(content) or (0, 0)
    seed = record.definition.seeds.set
    return Sheet(
        method=visible(record.names.compressor),
        conditions=f"{visible(record.names.dataset)}, {describe_budget(boards[0])}, seed {seed}",
        facets=facets_of(boards),
        picture=b64encode(content).decode(),
        width=width,
        height=height,
    )
