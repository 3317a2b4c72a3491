"""Records as runs would leave them, and the boards that are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rethinkdc.boards import Board, Row, rank_folder
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.predictions import keep_predictions
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import AXES
from rethinkdc.storage import digest

METRICS = (
    Metric("top1", "higher", "fraction"),
    Metric("top5", "higher", "fraction"),
    Metric("loss", "lower", "number"),
)
NAMES = {
    "labeler": "hard",
    "evaluator": "standard",
    "dataset": "digits",
    "protocol": "digits-hard v1",
    "student": "convnet",
    "ipc": "10",
}


def method(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "revision": 1, "parameters": {}}


class Desk:
    """A folder of records, and what boards say of it."""

    def __init__(self, folder: Path) -> None:
        self.records = Records(folder)

    def record(self, name: str, top1: float, seed: int = 0, student: int | None = None, **changes: Any) -> Record:
        """Adds an ok record.

        ``definition`` and ``names`` in the changes replace single keys; ``said`` are predictions that are kept.
        """
        said = changes.pop("said", None)
        names = {**NAMES, "compressor": name, **changes.pop("names", {})}
        seeds = {**dict.fromkeys(AXES, seed), "student": seed if student is None else student}
        definition = {
            "dataset": "d" * 64,
            "compressor": method("compressor", name),
            "labeler": method("labeler", names["labeler"]),
            "evaluator": method("evaluator", "standard"),
            "protocol": digest(names["protocol"]),
            "student": method("model", names["student"]),
            "ipc": 10,
            "seeds": seeds,
            "tune": False,
            # As runs have them: soft labels bring semantics of their own.
            "semantics": {"views": 1} if names["labeler"].startswith("hard") else {"views": 1, "labels": 2},
            **changes.pop("definition", {}),
        }
        measured = {"top1": top1, "top5": 1.0, "loss": 1 - top1}
        if said is not None:
            measured |= {"top5": float((said.rank < 5).double().mean()), "loss": -float(said.log_probability.mean())}
        evaluation = Evaluation(
            metrics=measured,
            per_class=[],
            curve=[],
            views=1,
            steps=1,
            seconds=1.0,
            peak_memory=0,
            result_digest="r",
        )
        given: dict[str, Any] = {
            "key": digest(definition)[:24],
            "status": "ok",
            "created": "2025-01-01T00:00:00+00:00",
            "names": names,
            "definition": definition,
            "protocol_digest": definition["protocol"],
            "dataset_fingerprint": definition["dataset"],
            "modified": False,
            "tune": False,
            "track": "hard" if names["labeler"].startswith("hard") else "online",
            "metrics": METRICS,
            "evaluation": evaluation,
            "cost": Cost(),
            "environment": {"device": "cpu", "threads": 1},
            **changes,
        }
        if given["status"] != "ok":
            given |= {"evaluation": None, "cost": None}
        if said is not None:
            given["predictions"] = keep_predictions(self.records, given["key"], said)
        return self.records.add(Record(**given))

    def seeds(self, name: str, values: Any, **changes: Any) -> None:
        """Adds a record a value, of seeds from 0."""
        for seed, value in enumerate(values):
            self.record(name, float(value), seed, **changes)

    def boards(self, **asked: Any) -> list[Board]:
        return rank_folder(self.records, **asked).boards

    def only(self, **asked: Any) -> Board:
        (board,) = self.boards(**asked)
        return board


def row_of(board: Board, name: str) -> Row:
    (found,) = [row for row in board.rows if row.compressor == name]
    return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "records")


@pytest.fixture
def row() -> Any:
    """The row of a name on a board."""
    return row_of
