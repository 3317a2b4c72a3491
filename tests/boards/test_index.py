"""The index of a folder of records: only what is new is read, and nothing is believed over the files."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.boards import index, rank_folder
from rethinkdc.boards.index import INDEX, read_entries
from rethinkdc.runs.records import Records
from rethinkdc.runs.schemas import seal_of
from rethinkdc.storage import read_sealed, write_sealed


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Callable[[Records], int]:
    """Makes the entries of a folder and counts the record files that are read for it."""
    monkeypatch.setattr(index, "_SETTLED", -3600.0)
    read, seen = Records.read, list[Path]()

    def listed(self: Records, path: Path) -> Any:
        seen.append(path)
        return read(self, path)

    monkeypatch.setattr(Records, "read", listed)

    def entries(records: Records) -> int:
        seen.clear()
        read_entries(records)
        return len(seen)

    return entries


def test_a_second_board_reads_no_record_and_says_the_same(desk: Any, count: Callable[[Records], int]) -> None:
    desk.seeds("pca", [0.6, 0.7])
    desk.seeds("random", [0.5, 0.5])
    before = desk.boards()
    assert (desk.records.folder / INDEX).is_file()
    assert count(desk.records) == 0
    assert desk.boards() == before


def test_what_is_new_changed_or_gone_is_seen(desk: Any, count: Callable[[Records], int]) -> None:
    desk.seeds("pca", [0.6, 0.7])
    assert (count(desk.records), count(desk.records)) == (2, 0)
    third = desk.record("pca", 0.8, 2)
    assert count(desk.records) == 1
    path = desk.records.path(third.key, 1)
    content = path.read_bytes()
    path.unlink()
    assert (count(desk.records), len(read_entries(desk.records))) == (0, 2)
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert (count(desk.records), len(read_entries(desk.records))) == (1, 3)


def test_a_change_by_hand_is_refused_although_size_and_time_are_the_same(
    desk: Any, count: Callable[[Records], int]
) -> None:
    found = desk.record("pca", 0.6)
    assert count(desk.records) == 1
    path = desk.records.path(found.key, 1)
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"top1": 0.6', b'"top1": 0.9').replace(b'"top1":0.6', b'"top1":0.9'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    for _ in range(2):
        with pytest.warns(UserWarning, match="left out"):
            assert read_entries(desk.records) == []


@pytest.mark.parametrize("harm", ["damaged", "cut", "of another form", "no index"])
def test_an_index_that_cannot_be_believed_is_made_anew(desk: Any, count: Callable[[Records], int], harm: str) -> None:
    desk.seeds("pca", [0.6, 0.7])
    before = desk.boards()
    assert count(desk.records) == 0
    path = desk.records.folder / INDEX
    payload = read_sealed(path)
    if harm == "damaged":
        path.write_bytes(path.read_bytes().replace(b"0.6", b"0.9"))
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif harm == "of another form":
        write_sealed(path, b"f" * 64 + payload[64:])
    else:
        write_sealed(path, payload.partition(b"\n")[0] + b'\n{"a": 1}')
    assert desk.boards() == before
    assert count(desk.records) == 0


def test_a_file_that_may_still_change_is_read_again(desk: Any) -> None:
    desk.record("pca", 0.6)
    assert len(read_entries(desk.records)) == 1
    assert not (desk.records.folder / INDEX).exists()


def test_a_copy_is_read_anew_and_gives_the_same_boards(
    desk: Any, count: Callable[[Records], int], tmp_path: Path
) -> None:
    desk.seeds("pca", [0.6, 0.7])
    desk.boards()
    shutil.copytree(desk.records.folder, tmp_path / "copy")
    copy = Records(tmp_path / "copy")
    assert count(copy) == 2
    assert read_entries(copy) == read_entries(desk.records)


def test_where_the_index_cannot_be_written_boards_are_the_same(
    desk: Any, count: Callable[[Records], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    desk.seeds("pca", [0.6, 0.7])
    monkeypatch.setattr(os, "replace", refuse)
    assert (count(desk.records), count(desk.records)) == (2, 2)
    assert len(desk.only().rows) == 1


def test_a_leaderboard_asks_for_no_torch(desk: Any) -> None:
    """Neither with an index nor without one: importing it takes longer than all else."""
    desk.seeds("pca", [0.6, 0.7])
    script = (
        "import sys; from rethinkdc.cli.main import app\n"
        "app(['leaderboard', '--records', sys.argv[1]], standalone_mode=False)\n"
        "heavy = {'torch', 'torchvision', 'timm', 'datasets', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script, str(desk.records.folder)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "pca" in done.stdout


def test_of_the_records_that_are_read_none_is_kept(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.seeds("pca", [0.6, 0.7, 0.8, 0.65])
    read, alive = Records.read, list[weakref.ref[Any]]()

    def watched(self: Records, path: Path) -> Any:
        record = read(self, path)
        # Only the one that was read before may not be gone yet.
        assert sum(one() is not None for one in alive) <= 1
        alive.append(weakref.ref(record))
        return record

    monkeypatch.setattr(Records, "read", watched)
    entries = read_entries(desk.records)
    gc.collect()
    assert len(entries) == len(alive) == 4
    assert not any(one() for one in alive)


@pytest.mark.parametrize("indexed", [False, True])
def test_what_records_share_is_held_once(desk: Any, count: Callable[[Records], int], indexed: bool) -> None:
    desk.seeds("pca", [0.6, 0.7])
    desk.seeds("random", [0.6, 0.7])
    if indexed:
        count(desk.records)
    entries = read_entries(desk.records)
    for shared in ("place", "machine", "semantics", "metrics", "overrides"):
        assert len({id(getattr(entry, shared)) for entry in entries}) == 1, shared
    for by_method in ("names", "method", "compressor"):
        assert len({id(getattr(entry, by_method)) for entry in entries}) == 2, by_method
    assert len({id(entry.seeds) for entry in entries}) == 2


def test_an_index_holds_what_differs_once(desk: Any, count: Callable[[Records], int]) -> None:
    desk.seeds("pca", [0.6] * 12)
    count(desk.records)
    text = read_sealed(desk.records.folder / INDEX)
    assert text.count(b'"standard"') == text.count(b'"track"') == 1


def test_of_a_reason_at_length_boards_hold_the_beginning(desk: Any) -> None:
    desk.record("pca", 0.6)
    desk.record("random", 0.0, status="failed", reason="No room: " + "x" * 20_000)
    (entry,) = [entry for entry in read_entries(desk.records) if entry.status == "failed"]
    assert entry.reason.startswith("No room: xxx")
    assert len(entry.reason) < 600


@pytest.mark.parametrize(
    "notes", [{"teachers": None}, {"teachers": []}, {"teachers": {"a": None}}, {"overrides": None}], ids=str
)
def test_a_record_with_notes_of_another_form_is_left_out(desk: Any, notes: dict[str, Any]) -> None:
    desk.record("random", 0.5)
    strange = desk.record("pca", 0.6)
    path = desk.records.path(strange.key, 1)
    content = {**json.loads(path.read_text()), "notes": notes}
    path.write_text(json.dumps({**content, "seal": seal_of(content)}))
    (board,), (left,) = rank_folder(desk.records)
    assert [row.compressor for row in board.rows] == ["random"]
    assert left.file == f"{strange.key}/0001.json"
    assert left.fault.startswith("is not a readable record: notes")
