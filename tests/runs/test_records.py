"""Records: append-only files."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.boards.index import read_entries
from rethinkdc.errors import RecordError, RequestError, RethinkError, StorageError
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.runs.definition import Definition
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records, default_records_folder, now
from rethinkdc.runs.schemas import SCHEMA_VERSION, seal_of

PROCESSES, EACH = 2, 12
METHOD: dict[str, Any] = {"revision": 1, "parameters": {}}
DEFINITION: dict[str, Any] = {
    "dataset": "d",
    "compressor": {"kind": "compressor", "name": "random", **METHOD},
    "labeler": {"kind": "labeler", "name": "hard", **METHOD},
    "evaluator": {"kind": "evaluator", "name": "standard", **METHOD},
    "protocol": "p",
    "student": {"kind": "model", "name": "convnet", **METHOD},
    "ipc": 1,
    "seeds": {},
    "tune": False,
    "semantics": {"views": 1},
}
FIRST_SCHEMA = Path(__file__).with_name("first_schema_record.json")
THIRD_SCHEMA = Path(__file__).with_name("third_schema_record.json")
"""Written by the last version that knew no later one, and sealed."""
NAMES = dict.fromkeys(("compressor", "labeler", "evaluator", "dataset", "protocol", "student", "ipc"), "some")


EVALUATION = Evaluation(
    metrics={"top1": 0.5}, per_class=[], curve=[], views=1, steps=1, seconds=1.0, peak_memory=0, result_digest="r"
)
KEY = Definition.model_validate(DEFINITION).key


def record(**values: Any) -> Record:
    definition = {**DEFINITION, **values.pop("definition", {})}
    given: dict[str, Any] = {
        "key": Definition.model_validate(definition).key,
        "status": "ok",
        "created": now(),
        "names": NAMES,
        "definition": definition,
        "protocol_digest": "p",
        "dataset_fingerprint": "d",
        "modified": False,
        "tune": False,
        "track": "hard",
        "metrics": (Metric("top1", "higher", "fraction"),),
        **values,
    }
    return Record(**{"evaluation": EVALUATION if given["status"] == "ok" else None, **given})


def add_many(folder: Path, who: int, start: Any) -> None:
    start.wait()
    for number in range(EACH):
        Records(folder).add(record(reason=f"{who}/{number}"))


def test_attempts_are_numbered_and_never_replaced(tmp_path: Path) -> None:
    records = Records(tmp_path)
    first, second = (records.add(record(reason=reason)) for reason in ("one", "two"))
    assert (first.attempt, second.attempt) == (1, 2)
    assert [found.reason for found in records.attempts(KEY)] == ["one", "two"]
    assert records.read(records.path(KEY, 1)) == first
    assert [path.name for path in sorted((tmp_path / KEY).iterdir())] == ["0001.json", "0002.json"]


def test_a_gap_left_by_a_removed_attempt_is_not_filled(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for _ in range(3):
        records.add(record())
    records.path(KEY, 2).unlink()
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
    found = Records(tmp_path).attempts(KEY)
    assert [one.attempt for one in found] == list(range(1, PROCESSES * EACH + 1))
    assert {one.reason for one in found} == {f"{who}/{number}" for who in range(PROCESSES) for number in range(EACH)}


def test_an_attempt_taken_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process takes the number between our look at the folder and our write."""
    records = Records(tmp_path)
    link, taken = os.link, list[Path]()

    def raced(source: str, place: Path) -> None:
        if not taken:
            taken.append(place)
            place.write_text(record(reason="theirs", attempt=1).sealed().model_dump_json())
        link(source, place)

    monkeypatch.setattr(os, "link", raced)
    assert records.add(record(reason="ours")).attempt == 2
    assert [found.reason for found in records.attempts(KEY)] == ["theirs", "ours"]


def test_the_first_ok_attempt_is_found(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert records.find(KEY) is None
    records.add(record(status="failed", reason="NaN"))
    assert records.find(KEY) is None
    records.add(record(reason="first"))
    records.add(record(reason="second"))
    found = records.find(KEY)
    assert found is not None
    assert (found.attempt, found.reason) == (2, "first")


def test_all_records_come_in_the_order_of_keys_and_attempts(tmp_path: Path) -> None:
    records = Records(tmp_path)
    one, other = (records.add(record(definition={"ipc": ipc})).key for ipc in (1, 2))
    records.add(record(definition={"ipc": 2}))
    found = [(found.key, found.attempt) for found in records.all()]
    assert found == sorted([(one, 1), (other, 1), (other, 2)])


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
    path = records.path(KEY, records.add(record()).attempt)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(RethinkError) as caught:
        records.attempts(KEY)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"reason": "', '"reason": "better '), ('"attempt": 1', '"attempt": 2'), ('"seal": "', '"seal": "0')],
)
def test_a_record_that_was_changed_is_refused_and_named(tmp_path: Path, old: str, new: str) -> None:
    records = Records(tmp_path)
    path = records.path(KEY, records.add(record(reason="weak")).attempt)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(RethinkError, match=r"0001\.json is not as a run wrote it"):
        records.attempts(KEY)
    with pytest.warns(UserWarning, match="A record is left out"):
        assert list(records.readable()) == []
    # One that claims to be older, and so without a seal, is none either.
    path.write_text(json.dumps({**json.loads(text), "written_as": 2, "seal": "", "reason": "great"}))
    with pytest.raises(RethinkError, match=r"0001\.json is not as a run wrote it"):
        records.attempts(KEY)
    # Another spelling of the same content is the same record.
    path.write_text(json.dumps(json.loads(text)))
    assert [found.reason for found in records.attempts(KEY)] == ["weak"]


def test_a_record_without_a_schema_is_refused(tmp_path: Path) -> None:
    records = Records(tmp_path)
    path = records.path(KEY, records.add(record()).attempt)
    content = {name: value for name, value in json.loads(path.read_text()).items() if name != "schema_version"}
    path.write_text(json.dumps({**content, "seal": seal_of(content)}))
    with pytest.raises(RethinkError, match=r"0001\.json is not as a run wrote it: it says no schema"):
        records.attempts(KEY)


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_a_record_that_claims_to_be_older_than_it_is_is_refused(tmp_path: Path, schema: int) -> None:
    """Schemas 1 and 2 had no seal; what has one, or anything that came with it, is of neither."""
    records = Records(tmp_path)
    path = records.path(KEY, records.add(record(reason="weak")).attempt)
    content = {**json.loads(path.read_text()), "schema_version": schema, "reason": "great"}
    without = [(), ("seal",), ("seal", "written_as"), ("seal", "predictions"), ("written_as", "predictions")]
    for left_out in without:
        path.write_text(json.dumps({name: value for name, value in content.items() if name not in left_out}))
        with pytest.raises(RethinkError, match=r"0001\.json is not as a run wrote it"):
            records.attempts(KEY)


def test_a_record_of_the_third_schema_is_read_as_it_was_written(tmp_path: Path) -> None:
    old = json.loads(THIRD_SCHEMA.read_text())
    found = Records(tmp_path).read(THIRD_SCHEMA)
    assert (old["schema_version"], found.written_as, found.schema_version) == (3, 3, SCHEMA_VERSION)
    assert (found.seal, found.key, found.results) == (old["seal"], found.definition.key, old["evaluation"]["metrics"])
    assert found.predictions is not None
    assert found.cost is not None
    assert found.cost.seconds == old["cost"]["seconds"]


def places(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the values of JSON data lie, those inside others too."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in inside:
        yield (*path, name)
        yield from places(value, (*path, name))


def changed(content: Any, path: tuple[str | int, ...], chance: random.Random) -> Any:
    """The same with one value taken away, or another in its place."""
    copy = json.loads(json.dumps(content))
    holder = copy
    for name in path[:-1]:
        holder = holder[name]
    value, place = holder[path[-1]], path[-1]
    others: list[Any] = [None, True, 0, 0.5, "", "x", [], {}, "remove"]
    if isinstance(value, (int, float)):
        others += [value + 1, -value - 1, value * (1 + 2**-52) + 2**-60]
    if isinstance(value, str):
        others += [value + " ", value[::-1] + "?"]
    other = chance.choice([other for other in others if (type(other), other) != (type(value), value)])
    if other == "remove":
        del holder[place]
    else:
        holder[place] = other
    return copy


def test_whatever_is_changed_in_a_record_of_the_third_schema_is_seen(tmp_path: Path) -> None:
    """Every value once, in ways drawn by chance."""
    old, chance, path = json.loads(THIRD_SCHEMA.read_text()), random.Random(0), tmp_path / "0001.json"
    for where in places(old):
        path.write_text(json.dumps(changed(old, where, chance)))
        with pytest.raises(RethinkError, match=r"0001\.json"):
            Records(tmp_path).read(path)
    path.write_text(json.dumps({**old, "more": 1}))
    with pytest.raises(RethinkError, match=r"more: Extra inputs are not permitted"):
        Records(tmp_path).read(path)


def test_whatever_byte_of_a_record_is_changed_it_is_refused_or_says_the_same(tmp_path: Path) -> None:
    whole, chance, path = THIRD_SCHEMA.read_bytes(), random.Random(1), tmp_path / "0001.json"
    content, refused = json.loads(whole), 0
    for _ in range(400):
        place = chance.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([chance.randrange(256)]) + whole[place + 1 :])
        try:
            Records(tmp_path).read(path)
        except RethinkError:
            refused += 1
        else:
            assert json.loads(path.read_bytes()) == content
    assert refused > 200


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"key": NaN}'])
def test_a_file_of_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / KEY / "0001.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(RethinkError, match=r"0001\.json is not a readable record"):
        Records(tmp_path).attempts(KEY)


def test_numbers_that_json_does_not_have_are_no_record(tmp_path: Path) -> None:
    path = tmp_path / "0001.json"
    path.write_text(json.dumps({**json.loads(THIRD_SCHEMA.read_text()), "notes": {"share": float("nan")}}))
    with pytest.raises(RethinkError, match=r"0001\.json is not a readable record"):
        Records(tmp_path).read(path)


def test_a_record_in_the_folder_of_another_run_does_not_pass_for_that_runs(tmp_path: Path) -> None:
    records = Records(tmp_path)
    path = records.path(KEY, records.add(record(reason="theirs")).attempt)
    (tmp_path / "def").mkdir()
    (tmp_path / "def" / path.name).write_bytes(path.read_bytes())
    for look in (records.find, records.attempts):
        with pytest.raises(RethinkError, match=rf"def/0001\.json is a record of the run {KEY}, in another's folder"):
            look("def")
    with pytest.warns(UserWarning, match="def"):
        assert [found.reason for found in records.readable()] == ["theirs"]
    # Named as a file it is what it says.
    copied = records.named(str(tmp_path / "def" / path.name))
    assert copied is not None
    assert copied.key == KEY


def test_a_file_cut_off_is_named(tmp_path: Path) -> None:
    records = Records(tmp_path)
    path = records.path(KEY, records.add(record()).attempt)
    path.write_text(path.read_text()[:50])
    with pytest.raises(RethinkError, match=r"0001\.json is not a readable record"):
        records.find(KEY)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        Records(tmp_path).add(record())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    records = Records(tmp_path / "file")
    with pytest.raises(RequestError, match=r"cannot be written.*--records"):
        records.check_writable()
    with pytest.raises(StorageError, match="Cannot write the record"):
        records.add(record())


def test_a_run_whose_folder_is_anothers_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(tmp_path)
    records.add(record())
    tried = tempfile.TemporaryFile

    def refuse(dir: Path) -> Any:  # noqa: A002 - as it is called
        if dir.name == KEY:
            raise PermissionError(errno.EACCES, "Permission denied", str(dir))
        return tried(dir=dir)

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    records.check_writable()
    records.check_writable("f" * 24)
    assert not (tmp_path / ("f" * 24)).exists()
    with pytest.raises(RequestError, match=rf"{KEY} cannot be written.*--records"):
        records.check_writable(KEY)


def forbid(patch: pytest.MonkeyPatch, *forbidden: Path) -> None:
    """Folders that cannot be listed, and files that cannot be read."""

    def guarded(original: Any) -> Any:
        def call(path: Any, *words: Any, **more: Any) -> Any:
            if not isinstance(path, int) and Path(path) in forbidden:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return original(path, *words, **more)

        return call

    for name in ("listdir", "scandir"):
        patch.setattr(os, name, guarded(getattr(os, name)))
    patch.setattr(Path, "read_bytes", guarded(Path.read_bytes))


def test_a_records_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records(tmp_path)
    records.add(record())
    forbid(monkeypatch, tmp_path, tmp_path / KEY)
    asked: list[Callable[[], object]] = [
        lambda: records.find(KEY),
        lambda: records.named(KEY),
        lambda: list(records.all()),
        lambda: list(records.readable()),
        lambda: list(records.newest(3)),
        lambda: read_entries(records),
    ]
    for ask in asked:
        with pytest.raises(RequestError, match=rf"The records folder {tmp_path} cannot be read: Permission denied\."):
            ask()


@pytest.mark.parametrize("forbidden", [KEY, f"{KEY}/0001.json"])
def test_a_run_of_another_user_that_cannot_be_read_is_named_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    records = Records(tmp_path)
    records.add(record())
    other = records.add(record(definition={"ipc": 2}))
    forbid(monkeypatch, tmp_path / forbidden)
    with pytest.raises(RecordError, match=rf"{forbidden} cannot be read: Permission denied\. Ask its owner"):
        records.find(KEY)
    for ask in (records.readable, lambda: records.newest(3)):
        with pytest.warns(UserWarning, match=rf"left out: .*{forbidden} cannot be read: Permission denied"):
            assert [one.key for one in ask()] == [other.key]
    with pytest.warns(UserWarning, match=rf"left out: {forbidden} cannot be read: Permission denied"):
        assert len(read_entries(records)) == 1


def test_a_reader_never_sees_half_a_record_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader looks at every moment at which the writer touches the folder."""
    records, seen = Records(tmp_path), list[list[str]]()

    def look(call: Any) -> Any:
        def watched(*words: Any, **more: Any) -> Any:
            seen.append([found.reason for found in records.attempts(KEY)])
            try:
                return call(*words, **more)
            finally:
                seen.append([found.reason for found in records.attempts(KEY)])

        return watched

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", look(refuse))
        patch.setattr(os, "fsync", look(os.fsync))
        for name in ("rename", "open", "exists", "unlink"):
            patch.setattr(Path, name, look(getattr(Path, name)))
        # The reader's own calls are not looked at.
        patch.setattr(Records, "attempts", attempts_unwatched(tmp_path))
        records.add(record(reason="one"))
        records.add(record(reason="two"))
    assert [] in seen
    assert ["one"] in seen
    assert ["one", "two"] in seen
    assert len(seen) > 12


def attempts_unwatched(folder: Path) -> Any:
    """Reads the attempts by system calls alone, and fails on a file that is not whole."""

    def attempts(_: Records, key: str) -> list[Record]:
        place = os.path.join(folder, key)  # noqa: PTH118 - paths are watched
        names = sorted(name for name in os.listdir(place) if name.endswith(".json"))  # noqa: PTH208
        texts = []
        for name in names:
            handle = os.open(os.path.join(place, name), os.O_RDONLY)  # noqa: PTH118
            texts.append(os.read(handle, 1 << 20))
            os.close(handle)
        return [Record.model_validate_json(text) for text in texts]

    return attempts


def test_processes_never_share_an_attempt_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    test_two_processes_never_share_an_attempt(tmp_path)
    assert {path.suffix for path in (tmp_path / KEY).iterdir()} == {".json"}


def test_a_claim_that_a_killed_process_left_costs_one_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / KEY).mkdir()
    (tmp_path / KEY / "0001.claim").touch()
    assert Records(tmp_path).add(record()).attempt == 2


def test_a_record_of_the_first_schema_is_read(tmp_path: Path) -> None:
    """As it was written: every stage that took time is there, and every metric with its direction."""
    place = tmp_path / "da2f326d8622e62ee0ec151d" / "0001.json"
    place.parent.mkdir()
    place.write_text(FIRST_SCHEMA.read_text())
    old = json.loads(place.read_text())
    assert (old["schema_version"], len(old["cost"])) == (1, 12)
    (found,) = Records(tmp_path).all()
    assert found.key == found.definition.key == place.parent.name
    assert found.names.compressor == "el2n:direction=easy"
    assert found.results == old["evaluation"]["metrics"]
    assert found.metrics == (
        Metric("top1", "higher", "fraction"),
        Metric("top5", "higher", "fraction"),
        Metric("loss", "lower", "number"),
    )
    assert found.cost is not None
    assert found.cost.seconds == {
        "proxy": old["cost"]["proxy_seconds"],
        "selection": old["cost"]["selection_seconds"],
        "labels": old["cost"]["label_seconds"],
        "training": old["cost"]["training_seconds"],
    }
    assert found.cost.memory == {"selection": old["cost"]["selection_memory"]}
    assert found.cost.receiver_bytes == old["cost"]["image_bytes"]["lossy"] + old["cost"]["label_bytes"]
    # Written again, it is of today's schema, and says the same.
    again = Record.model_validate_json(found.model_dump_json())
    assert (again.schema_version, again.written_as, found.written_as) == (SCHEMA_VERSION, SCHEMA_VERSION, 1)
    assert again.model_copy(update={"written_as": 1}) == found


def test_a_record_of_the_first_schema_without_a_result_is_read() -> None:
    old = {**json.loads(FIRST_SCHEMA.read_text()), "status": "failed", "evaluation": None, "cost": None}
    found = Record.model_validate(old)
    assert (found.results, found.main_metric.name) == ({}, "top1")


def test_numbers_of_the_first_schema_that_are_not_known_rank_as_they_did() -> None:
    old = json.loads(FIRST_SCHEMA.read_text())
    old["evaluation"]["metrics"] = {"ece": 0.1}
    assert Record.model_validate(old).metrics == (Metric("ece", "higher", "number"),)


def test_the_folder_is_the_environments_or_records_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETHINKDC_RECORDS", "/some/where")
    assert default_records_folder() == Path("/some/where")
    monkeypatch.delenv("RETHINKDC_RECORDS")
    assert default_records_folder() == Path("records")


def test_the_newest_of_very_many_runs_are_sought_among_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a hundred thousand is not looked at whole before a sweep begins."""
    monkeypatch.setattr("rethinkdc.runs.records.MOST_LISTED", 5)
    for index in range(20):
        (tmp_path / f"{index:024d}").mkdir()
    looked: list[object] = []

    def look(folder: object) -> list[object]:
        looked.append(folder)
        return []

    monkeypatch.setattr("rethinkdc.runs.records._files_in", look)
    assert list(Records(tmp_path).newest(2000)) == []
    assert len(looked) == 5
