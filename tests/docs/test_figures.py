"""The README's table is that of the records that lie beside it."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from rethinkdc.boards import Board, Row, rank_folder
from rethinkdc.runs.records import Records

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKED = ROOT / "docs" / "records" / "cifar10-small-tracks.tar.xz"
PROTOCOLS = ("cifar10-small-hard", "cifar10-small-soft")


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> list[Board]:
    folder = tmp_path_factory.mktemp("records")
    with tarfile.open(PACKED) as packed:
        packed.extractall(folder, filter="data")
    records = Records(folder / "cifar10-small-tracks")
    return [board for protocol in PROTOCOLS for board in rank_folder(records, protocol=protocol).boards]


def cells(row: Row) -> list[str]:
    assert row.result is not None
    assert row.result.deviation is not None
    shown = [f"{100 * row.result.mean:.2f}", f"{100 * row.result.deviation:.2f}"]
    if row.difference is None:
        return [*shown, "", ""]
    assert row.difference.half_width is not None
    assert row.difference.holm_p is not None
    beside = f"{100 * row.difference.mean:+.2f} ± {100 * row.difference.half_width:.2f}"
    return [*shown, beside, f"{row.difference.holm_p:.3f}"]


def test_the_table_of_the_readme_is_that_of_the_records(boards: list[Board]) -> None:
    hard, soft = boards
    assert [row.result.n for board in boards for row in board.rows if row.result] == [5] * 20
    others = {row.compressor: row for row in soft.rows}
    lines = re.findall(r"^\| `([^`]+)` \([^|]*\) \|(.*)\|$", README, flags=re.MULTILINE)
    assert [name for name, _ in lines] == [row.compressor for row in hard.rows]
    for (_, told), row in zip(lines, hard.rows, strict=True):
        assert [cell.strip() for cell in told.split("|")] == [*cells(row), *cells(others[row.compressor])]


def test_the_readme_names_the_digests_of_its_table(boards: list[Board]) -> None:
    for board in boards:
        assert f"`{board.protocol_digest[:12]}`" in README
        assert board.dataset_fingerprint[:12] in README
