"""Leases: one holder among several hosts, whatever their locks, their clocks and their ends."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.errors import LeaseLostError
from rethinkdc.storage import fence, holding, is_anothers, lock, renew_folder, try_lock
from rethinkdc.storage.holders import heir_of, last_note, note_of, this_holder
from rethinkdc.storage.locks import acquire, is_held
from rethinkdc.storage.succession import claim, give_back, succeed
from tests.hosts import Host, gone_afterwards, names_in

COUNTS = """
path, counted = Path(sys.argv[3]), Path(sys.argv[4])
for _ in range(int(sys.argv[5])):
    with locks.lock(path) as held:
        assert held
        before = int(counted.read_text())
        time.sleep(0.001)
        counted.write_text(str(before + 1))
"""
HOLDS = """
with locks.lock(Path(sys.argv[3])) as held:
    tell("held" if held else "alone")
    hear()
    try:
        held.check()
        tell("still")
    except Exception as lost:
        tell(type(lost).__name__)
"""


def leave_note(path: Path, *, of: dict[str, Any] | None = None) -> str:
    """What a process leaves that was killed while it held a lock; gives its token."""
    path.parent.mkdir(parents=True, exist_ok=True)
    token = "0123456789abcdef"
    note_of(path).write_text(json.dumps({**this_holder(token)._asdict(), **(of or {})}))
    return token


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize("left", [False, True], ids=["free", "left by a dead host"])
def test_hosts_whose_flock_is_local_hold_a_lock_one_after_another(tmp_path: Path, left: bool) -> None:
    path, counted = tmp_path / "a.lock", tmp_path / "counted"
    counted.write_text("0")
    if left:
        leave_note(path, of={"host": "dead", "machine": "dead"})
    hosts = [Host(f"host-{index}", COUNTS, path, counted, 15, patience=1.0 if left else 600.0) for index in range(4)]
    with gone_afterwards(*hosts):
        told = [host.end()[1] for host in hosts]
    assert counted.read_text() == "60"
    assert names_in(tmp_path) == ["a.lock", "counted"]
    assert sum("takes it over" in text for text in told) == left


def test_a_host_that_lives_is_waited_for_and_one_that_is_silent_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = Host("one", HOLDS, path)
    first.heard("held")
    second = Host("two", HOLDS, path, patience=0.5)
    with gone_afterwards(first, second):
        assert is_held(path)
        with try_lock(path) as held:
            assert held is None
        first.stop()
        second.heard("held")
        first.come_back()
        first.say()
        first.heard("LeaseLostError")
        first.end()
        second.say()
        second.heard("still")
        said = second.end()[1]
    assert "has given no sign of life" in said
    assert f"on one, process {first.process.pid}" in said
    assert names_in(tmp_path) == ["a.lock"]
    assert not is_held(path)


def test_what_a_killed_process_of_this_machine_left_is_void_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    for of in ({"process": ended_process()}, {"began": "1"}, {"machine": "", "began": "", "process": ended_process()}):
        leave_note(path, of=of)
        assert not is_held(path) or not path.exists()
        held = acquire(path, patience=0.0)
        assert held, of
        assert not held.inherited
        held.release()
    assert names_in(tmp_path) == ["a.lock"]


def test_a_note_of_an_earlier_version_says_nothing_once_its_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    leave_note(path, of={"host": "elsewhere", "machine": "", "began": "", "token": ""})
    with try_lock(path) as held:
        assert held


@pytest.mark.parametrize("content", [b"", b"{", b'{"user": "x"}', b"\xff"])
def test_a_note_that_says_nothing_is_waited_for_and_then_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "a.lock"
    note_of(path).write_bytes(content)
    with try_lock(path) as held:
        assert held is None
    monkeypatch.setattr("rethinkdc.storage.locks.PATIENCE", 0.1)
    with pytest.warns(UserWarning, match="left no word of itself.*takes it over"):  # noqa: SIM117
        with lock(path) as held:
            assert held
    assert names_in(tmp_path) == ["a.lock"]


def test_only_one_of_those_that_saw_the_same_holder_succeeds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    token = leave_note(path)
    seen = last_note(path)
    assert seen
    assert seen.token == token
    heir = succeed(path, seen)
    assert heir
    # Long ago, when that heir had already taken its place.
    assert succeed(path, seen) is None
    now = last_note(path)
    assert now
    assert (now.path, now.token) == (note_of(path), heir)
    give_back(path, token)
    assert names_in(tmp_path) == ["a.holder"]
    give_back(path, heir)
    assert names_in(tmp_path) == []
    assert claim(path)
    assert claim(path) is None


def test_an_heir_that_was_killed_before_it_took_its_place_has_an_heir_too(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    token, process = leave_note(path), ended_process()
    killed = this_holder("f" * 16)._replace(process=process)
    heir_of(path, token).write_text(json.dumps(killed._asdict()))
    with try_lock(path) as held:
        assert held
        held.check()
        assert names_in(tmp_path) == ["a.holder", "a.lock"]
    assert names_in(tmp_path) == ["a.lock"]


def test_notes_that_follow_each_other_in_a_circle_end(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    token = leave_note(path)
    heir_of(path, token).write_text(note_of(path).read_text())
    assert is_held(path) or last_note(path)


def test_a_token_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    leave_note(tmp_path / "a.lock", of={"token": "/../../x"})
    note = last_note(tmp_path / "a.lock")
    assert note
    assert heir_of(tmp_path / "a.lock", note.token).parent == tmp_path


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_without_hard_links_a_note_is_made_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a.lock"
    with try_lock(path) as held:
        assert held
        held.check()
        assert claim(path) is None
    assert names_in(tmp_path) == ["a.lock"]


def test_a_link_whose_answer_was_lost_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of a network file system asks again, and meets what it made itself."""
    link = os.link

    def twice(*paths: Any) -> None:
        link(*paths)
        link(*paths)

    monkeypatch.setattr(os, "link", twice)
    assert claim(tmp_path / "a.lock")


def test_work_under_a_lost_lease_ends_before_it_keeps_anything(tmp_path: Path) -> None:
    outer, inner = (acquire(tmp_path / name, patience=0.0) for name in ("a.lock", "b.lock"))
    assert outer
    assert inner
    failed = ValueError("of the method")
    with holding(outer), holding(inner):
        fence()
        assert not is_anothers(inner, failed)
        note = last_note(inner.path)
        assert note
        assert succeed(inner.path, note)
        with pytest.raises(LeaseLostError, match=f"{inner.path} was taken over by .* process {os.getpid()}"):
            fence()
        with pytest.warns(UserWarning, match="What the other makes of it is waited for"):
            assert is_anothers(inner, failed)
        note_of(outer.path).unlink()
        # The outer work is over: whoever is at the inner one alone does not wait.
        with pytest.raises(LeaseLostError, match=str(outer.path)):
            is_anothers(inner, failed)
    fence()
    inner.release()
    assert last_note(inner.path)
    outer.release()


def test_a_folder_is_renewed_below_whoever_has_its_files_open(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name in ("state", "parts/one", ".state.0123456789abcdef.tmp"):
        (tmp_path / name).write_text("before")
    with (tmp_path / "state").open("r+") as late:
        renew_folder(tmp_path)
        late.write("late!!")
    assert [(tmp_path / name).read_text() for name in ("state", "parts/one")] == ["before", "before"]
    renew_folder(tmp_path / "nothing")
