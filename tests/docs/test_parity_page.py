"""The page on parity is what the command prints of the records that lie beside it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from rethinkdc.boards.claims import compare_claims
from rethinkdc.cli.parity_tables import print_claims
from rethinkdc.runs.calls import ParityCall

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "parity.md"
PACKED = ROOT / "docs" / "records" / "parity.tar.xz"
HEAD = "## The table\n\n"


def test_the_table_is_that_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(PACKED) as packed:
        packed.extractall(tmp_path, filter="data")
    print_claims(compare_claims(ParityCall(records=tmp_path / "parity")), "md")
    table = PAGE.read_text(encoding="utf-8").partition(HEAD)[2]
    assert table == capsys.readouterr().out, (
        "unpack docs/records/parity.tar.xz, run `rethinkdc parity --records parity -f md`"
    )
