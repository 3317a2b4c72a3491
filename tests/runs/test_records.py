"""Records: append-only files."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.runs.records import SCHEMA_VERSION, Record, Records, default_records_folder, now

PROCESSES, EACH = 2, 12


def record(key: str = "abc", **values: Any) -> Record:
    given: dict[str, Any] = {
        "key": key,
        "status": "ok",
        "created": now(),
        "labels": {"compressor": "random"},
        "definition": {"compressor": {"name": "random"}, "ipc": 1},
        "protocol_digest": "p",
        "dataset_fingerprint": "d",
        "modified": False,
        "tune": False,
        "track": "hard",
        **values,
    }
    return Record(**given)


def add_many(folder: Path, who: int, start: Any) -> None:
    start.wait()
    for number in range(EACH):
        Records(folder).add(record(reason=f"{who}/{number}"))


def test_attempts_are_numbered_and_never_replaced(tmp_path: Path) -> None:
    records = Records(tmp_path)
    first, second = (records.add(record(reason=reason)) for reason in ("one", "two"))
    assert (first.attempt, second.attempt) == (1, 2)
    assert [found.reason for found in records.attempts("abc")] == ["one", "two"]
    assert records.read(records.path("abc", 1)) == first
    assert [path.name for path in sorted((tmp_path / "abc").iterdir())] == ["0001.json", "0002.json"]


def test_a_gap_left_by_a_removed_attempt_is_not_filled(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for _ in range(3):
        records.add(record())
    records.path("abc", 2).unlink()
    assert records.add(record()).attempt == 4


def test_two_processes_never_share_an_attempt(tmp_path: Path) -> None:
    # Forked, since a spawned process could not import a test module.
    forked = multiprocessing.get_context("fork")
    start = forked.Barrier(PROCESSES)
    workers = [forked.Process(target=add_many, args=(tmp_path, who, start)) for who in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    found = Records(tmp_path).attempts("abc")
    assert [one.attempt for one in found] == list(range(1, PROCESSES * EACH + 1))
    assert {one.reason for one in found} == {f"{who}/{number}" for who in range(PROCESSES) for number in range(EACH)}


def test_an_attempt_taken_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process takes the number between our look at the folder and our write."""
    records = Records(tmp_path)
    link, taken = os.link, list[Path]()

    def raced(source: str, place: Path) -> None:
        if not taken:
            taken.append(place)
            place.write_text(record(reason="theirs").model_dump_json())
        link(source, place)

    monkeypatch.setattr(os, "link", raced)
    assert records.add(record(reason="ours")).attempt == 2
    assert [found.reason for found in records.attempts("abc")] == ["theirs", "ours"]


def test_the_first_ok_attempt_is_found(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert records.find("abc") is None
    records.add(record(status="failed", reason="NaN"))
    assert records.find("abc") is None
    records.add(record(reason="first"))
    records.add(record(reason="second"))
    found = records.find("abc")
    assert found is not None
    assert (found.attempt, found.reason) == (2, "first")


def test_all_records_come_in_the_order_of_keys_and_attempts(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for key in ("b", "a", "b"):
        records.add(record(key))
    assert [(found.key, found.attempt) for found in records.all()] == [("a", 1), ("b", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "schema_version"),
        ({"status": "great"}, "status"),
        ({"top1": 0.9}, "top1"),
        ({"key": None}, "key"),
    ],
)
def test_a_record_of_another_schema_is_named_with_the_field(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    records = Records(tmp_path)
    path = records.path("abc", records.add(record()).attempt)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(RethinkError) as caught:
        records.attempts("abc")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_cut_off_is_named(tmp_path: Path) -> None:
    records = Records(tmp_path)
    path = records.path("abc", records.add(record()).attempt)
    path.write_text(path.read_text()[:50])
    with pytest.raises(RethinkError, match=r"0001\.json is not a readable record"):
        records.find("abc")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RequestError, match="No space left"):
        Records(tmp_path).add(record())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    records = Records(tmp_path / "file")
    with pytest.raises(RequestError, match=r"cannot be written.*--records"):
        records.check_writable()
    with pytest.raises(RequestError, match="Cannot write a record"):
        records.add(record())


def test_records_are_compared_when_all_but_the_compressor_agrees() -> None:
    one = record()
    other = record("x", definition={"compressor": {"name": "pca"}, "ipc": 1})
    assert one.condition == other.condition
    assert one.condition != record("y", definition={"compressor": {"name": "random"}, "ipc": 2}).condition


def test_the_folder_is_the_environments_or_records_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETHINKDC_RECORDS", "/some/where")
    assert default_records_folder() == Path("/some/where")
    monkeypatch.delenv("RETHINKDC_RECORDS")
    assert default_records_folder() == Path("records")
