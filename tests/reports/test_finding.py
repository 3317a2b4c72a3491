"""Explanations out of records alone: all eight corners, told by what each run changed of its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import rethinkdc as rdc
from rethinkdc.boards import rank_folder
from rethinkdc.evidence.corners import CORNERS, Corner
from rethinkdc.reports.finding import find_explanations
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.storage import digest

WORTH = {"images": 0.3, "labels": 0.2, "views": 0.1}


@pytest.fixture
def at_corner(make: Callable[..., Record]) -> Callable[..., Record]:
    """A run at a corner whose top-1 is what its switches are worth."""

    def made(corner: Corner, seed: int, name: str = "pca") -> Record:
        record = make(
            name if corner.images == "own" else "noise",
            labeler="soft" if corner.labels == "soft" else "hard",
            track="online",
            seed=seed,
        )
        assert record.evaluation
        top1 = 0.1 + sum(WORTH[switch] for switch in corner.on) + 0.01 * seed
        metrics = {**record.evaluation.metrics, "top1": top1}
        original = record.protocol_digest
        changed = digest([original, dict(corner.overrides)]) if corner.overrides else original
        definition = record.definition.model_copy(update={"protocol": changed})
        return record.model_copy(
            update={
                "key": definition.key,
                "definition": definition,
                "protocol_digest": changed,
                "modified": bool(corner.overrides),
                "track": "hard" if corner.labels == "hard" else "online",
                "notes": {"overrides": dict(corner.overrides)} if corner.overrides else {},
                "evaluation": record.evaluation.model_copy(update={"metrics": metrics}),
            }
        )

    return made


def found(records: Records, made: Iterable[Record]) -> Records:
    for record in made:
        records.add(record)
    return records


def test_eight_corners_on_record_are_an_explanation(
    at_corner: Callable[..., Record], make: Callable[..., Record], tmp_path: Path
) -> None:
    records = found(Records(tmp_path / "r"), (at_corner(corner, seed) for corner in CORNERS for seed in range(3)))
    records.add(make("random", labeler="soft", track="online"))
    (explanation,) = find_explanations(records, rank_folder(records).boards)
    assert (explanation.method, explanation.labeler, explanation.seeds) == ("pca", "soft", (0, 1, 2))
    assert {share.switch: pytest.approx(share.difference.mean) for share in explanation.shares} == WORTH
    assert explanation.chance == 0.1
    assert list(explanation.beside) == ["random"]
    assert explanation.conditions.protocol == "digits-soft v1"

    text = rdc.report(records.folder, out=tmp_path / "report.html").path.read_text(encoding="utf-8")
    assert "Pca: what each switch adds" not in text
    assert "pca: what each switch adds" in text
    assert "+30.00" in text


def test_a_corner_that_is_missing_explains_nothing(at_corner: Callable[..., Record], tmp_path: Path) -> None:
    for place, left_out in enumerate(CORNERS):
        records = found(
            Records(tmp_path / str(place)), (at_corner(corner, 0) for corner in CORNERS if corner != left_out)
        )
        assert find_explanations(records, rank_folder(records).boards) == ()


def test_boards_that_are_not_asked_for_are_not_explained(at_corner: Callable[..., Record], tmp_path: Path) -> None:
    records = found(Records(tmp_path / "r"), (at_corner(corner, 0) for corner in CORNERS))
    assert find_explanations(records, rank_folder(records).boards)
    assert find_explanations(records, []) == ()
