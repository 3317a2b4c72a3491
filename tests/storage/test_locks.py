"""Locks: who has one, who is told, and what is done where there are none."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rethinkdc.errors import LeaseLostError
from rethinkdc.storage import holders, leases, locks
from rethinkdc.storage.holders import Holder, Signs, holder_of, note_of
from rethinkdc.storage.locks import acquire, is_held, lock, try_lock

NO_LOCKS = [errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK, errno.EIO]
HOLDS = """
import sys
from pathlib import Path
from rethinkdc.errors import LeaseLostError
from rethinkdc.storage import locks
with locks.lock(Path(sys.argv[1])) as held:
    print(held is not None, flush=True)
    if sys.stdin.read():
        try:
            held.check()
        except LeaseLostError as lost:
            print(lost)
"""


@contextmanager
def another(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are told at once, and holders are looked at often."""
    monkeypatch.setattr(locks, "_SPEAKS", 0.0)
    monkeypatch.setattr(holders, "_LOOK", 0.0)


def test_a_lock_keeps_another_process_out_until_it_is_freed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.lock"
    with another(path) as other:
        assert is_held(path)
        with try_lock(path) as held:
            assert not held
        assert acquire(path, patience=0.0) is None
        other.communicate("")
    with lock(path) as held:
        assert held
    assert not is_held(path)


def test_a_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with another(tmp_path / "a.lock") as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        with lock(tmp_path / "a.lock") as held:
            assert held


@pytest.mark.parametrize(("mask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_the_file_of_a_lock_is_shared_as_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with lock(tmp_path / "a.lock"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.lock").stat().st_mode) == mode


def test_a_file_that_can_only_be_read_is_locked_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lock"
    path.touch()
    opened = os.open

    def refuse(name: str, flags: int, *args: int, **kwargs: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return opened(name, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    with lock(path) as held:
        assert held
        assert is_held(path)
    assert not is_held(path)


def test_where_the_file_cannot_be_opened_or_made_nothing_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, *_: int, **__: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", name)

    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="Locks cannot be had in .*file"), lock(tmp_path / "file" / "a.lock") as held:
        assert not held
    monkeypatch.setattr(os, "open", refuse)
    with pytest.warns(UserWarning, match=r"Locks cannot be had in .* \(Permission denied\)"):  # noqa: SIM117
        with lock(tmp_path / "a.lock") as held:
            assert not held
    with try_lock(tmp_path / "a.lock") as held:
        assert not held


def test_a_link_that_leads_out_of_the_folder_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "a.lock").symlink_to(tmp_path / "outside")
    with pytest.warns(UserWarning, match="Locks cannot be had"), lock(tmp_path / "a.lock") as held:
        assert not held
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("number", NO_LOCKS, ids=errno.errorcode.get)
def test_where_the_file_system_has_no_locks_it_is_said_and_nothing_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.warns(UserWarning, match=f"Locks cannot be had in .*{os.strerror(number)}.*--cache-dir"):  # noqa: SIM117
        with lock(tmp_path / "a.lock") as held:
            assert not held
    with try_lock(tmp_path / "a.lock") as held:
        assert not held
    with pytest.raises(OSError, match=os.strerror(number)):
        acquire(tmp_path / "a.lock", patience=0.0)


def test_a_wait_tells_for_whom(tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lock"
    with another(path) as other:

        def told(text: str, *_: object) -> None:
            said.append(text)
            other.kill()

        said: list[str] = []
        monkeypatch.setattr(locks, "_warn", told)
        with lock(path) as held:
            assert held
    assert len(said) == 1
    assert f"Waiting for the lock {path}, for 0 s so far" in said[0]
    assert f" on {socket.gethostname()}, process {other.pid}, since 20" in said[0]


def test_a_holder_without_a_sign_of_life_loses_the_lock_and_sees_it_when_it_comes_back(
    tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a host that died while it held a lock of a network file system, which nobody frees."""
    path = tmp_path / "a.lock"
    with another(path) as other:
        monkeypatch.setattr(locks, "PATIENCE", 0.2)
        other.send_signal(signal.SIGSTOP)
        said: list[str] = []
        monkeypatch.setattr(locks, "_warn", lambda text, *_: said.append(text))
        with lock(path) as held:
            assert held is not None
            assert held.inherited
            assert is_held(path)
            held.check()
            other.send_signal(signal.SIGCONT)
            assert "The lock" in other.communicate("check")[0]
            held.check()
        assert "has given no sign of life" in said[-1]
        assert f"process {other.pid}" in said[-1]
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.lock"]


@pytest.mark.parametrize("ahead", [86400.0, -86400.0])
def test_signs_of_life_are_seen_to_change_whatever_time_it_is(
    tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """A note from the future is no fresher, and one of yesterday, by a clock that was set back, no older."""
    clock, note = [1000.0], note_of(tmp_path / "a.lock")
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    note.write_text("here")
    begun = os.stat(note).st_mtime  # noqa: PTH116
    os.utime(note, (begun + ahead, begun + ahead))
    signs = Signs(tmp_path / "a.lock")
    assert signs.silence() == 0.0
    clock[0] += 500.0
    assert signs.silence() == 500.0
    os.utime(note, (begun + 2 * ahead, begun + 2 * ahead))
    assert signs.silence() == 0.0


def test_a_holder_gives_signs_of_life_and_leaves_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_BEAT", 0.01)
    path = tmp_path / "a.lock"
    with lock(path):
        seen: set[object] = set()
        while len(seen) < 4:
            seen.add(note_of(path).stat().st_mtime_ns)
        holder = holder_of(path)
    assert holder is not None
    assert (holder.host, holder.process) == (socket.gethostname(), os.getpid())
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.lock"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"user": "x"}', "9" * 5000, "[" * 100_000])
def test_a_note_that_nobody_could_have_left_names_nobody(tmp_path: Path, content: str) -> None:
    note_of(tmp_path / "a.lock").write_text(content)
    assert holder_of(tmp_path / "a.lock") is None


def test_a_note_of_a_process_that_is_gone_names_nobody_and_one_of_another_host_is_believed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path = tmp_path / "a.lock"
    for host, expected in ((socket.gethostname(), False), ("elsewhere\x1b[2J", True)):
        note_of(path).write_text(json.dumps(Holder("ann", host, gone.pid, "2026-01-01T00:00:00+00:00")._asdict()))
        assert (holder_of(path) is not None) is expected
    assert "\x1b" not in str(holder_of(path))


def test_a_lock_whose_files_were_removed_is_taken_on_the_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = acquire(path, patience=0.0)
    assert first is not None
    for found in list(tmp_path.iterdir()):
        found.unlink()
    with lock(path) as held, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert held
        assert is_held(path)
        with pytest.raises(LeaseLostError, match=f"process {os.getpid()}"):
            first.check()
        first.release()
        held.check()
