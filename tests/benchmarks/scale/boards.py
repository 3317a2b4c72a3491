"""The paper's board at scale: records of many methods and seeds, ranked and drawn."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import rethinkdc as rdc
from rethinkdc.boards.index import INDEX
from tests.benchmarks.records import write_records
from tests.benchmarks.scale.scenario import Facts, Scenario
from tests.benchmarks.scale.tables import Tables

METHODS, SEEDS = 400, 5


def scenarios() -> Iterator[Scenario]:
    """A board without its index, with it, and the page."""
    for name, command in (("first leaderboard", False), ("report", True)):
        yield Scenario("boards", name, partial(_board, command), _prepare)


def methods(tables: Tables) -> int:
    """Rows of the board: as many thousandths of them as the shape has classes."""
    return max(2, METHODS * tables.shape.classes // 1000)


def _prepare(tables: Tables, folder: Path) -> None:
    write_records(
        folder / "records", methods(tables), seeds=SEEDS, methods_of_board=METHODS, classes=tables.shape.outputs
    )


def _board(drawn: bool, tables: Tables, folder: Path) -> Facts:
    begun = time.process_time()
    (board,) = rdc.leaderboard(folder / "records")
    first, begun = time.process_time() - begun, time.process_time()
    rdc.leaderboard(folder / "records")
    again, begun = time.process_time() - begun, time.process_time()
    assert len(board.rows) == methods(tables)
    facts: Facts = {"first seconds": first, "again seconds": again, "rows": len(board.rows)}
    facts["index bytes"] = (folder / "records" / INDEX).stat().st_size if (folder / "records" / INDEX).exists() else 0
    if drawn:
        rdc.report(folder / "records", out=folder / "report.html")
        facts |= {"report seconds": time.process_time() - begun, "bytes": (folder / "report.html").stat().st_size}
    assert json.dumps(facts)
    return facts
