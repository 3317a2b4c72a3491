"""The cache: made once, verified, resumed."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.context.cache import Cache, default_cache_folder
from rethinkdc.storage import MANIFEST, verify_folder

Build = Callable[[Path, Path], None]


def writes(content: str, calls: list[str] | None = None) -> Build:
    def build(work: Path, out: Path) -> None:
        if calls is not None:
            calls.append(content)
        (out / "file").write_text(content)

    return build


def slow_build(work: Path, out: Path) -> None:
    with (work.parent / "calls").open("a") as log:
        log.write("x")
    time.sleep(0.3)
    (out / "file").write_text("made")


def make_slowly(root: Path, start: Any) -> None:
    start.wait()
    assert (Cache(root).make("things", "key", slow_build) / "file").read_text() == "made"


def test_an_artefact_is_made_once_and_found_by_the_next_process(tmp_path: Path) -> None:
    calls: list[str] = []
    folder = Cache(tmp_path).make("things", "key", writes("one", calls))
    again = Cache(tmp_path)
    assert again.find("things", "key") == folder
    assert again.make("things", "key", writes("two", calls)) == folder
    assert calls == ["one"]
    assert (folder / "file").read_text() == "one"
    assert again.find("things", "other") is None


def test_what_is_made_anew_takes_the_place_of_what_is_set_aside(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    folder = cache.make("things", "key", writes("one"))
    assert cache.make("things", "key", writes("two"), anew=True) == folder
    assert (folder / "file").read_text() == "two"
    verify_folder(folder)
    (aside,) = (tmp_path / "replaced").iterdir()
    assert aside.name.startswith("things-key-")
    assert (aside / "file").read_text() == "one"
    verify_folder(aside)
    # The same once more needs no second place.
    cache.make("things", "key", writes("one"), anew=True)
    cache.make("things", "key", writes("two"), anew=True)
    assert len(list((tmp_path / "replaced").iterdir())) == 2


def test_what_is_made_anew_and_holds_the_same_changes_nothing(tmp_path: Path) -> None:
    def telling(seconds: str) -> Build:
        def build(work: Path, out: Path) -> None:
            (out / "file").write_text("one")
            (out / "about.json").write_text(seconds)

        return build

    cache = Cache(tmp_path)
    folder = cache.make("things", "key", telling("1"))
    assert cache.make("things", "key", telling("2"), anew=True) == folder
    # The books stay those of the making that records tell of.
    assert (folder / "about.json").read_text() == "1"
    assert not list((tmp_path / "replaced").iterdir())


def test_what_is_made_anew_goes_on_from_no_older_work_but_from_its_own(tmp_path: Path) -> None:
    cache, seen = Cache(tmp_path), list[list[str]]()

    def killed(work: Path, out: Path) -> None:
        seen.append(sorted(path.name for path in work.iterdir() if path.name.startswith("part")))
        (work / f"part-{len(seen)}").touch()
        raise ZeroDivisionError

    for anew in (False, True, True):
        with pytest.raises(ZeroDivisionError):
            cache.make("things", "key", killed, anew=anew)
    assert seen == [[], [], ["part-2"]]


def test_two_processes_make_an_artefact_once(tmp_path: Path) -> None:
    # Forked, since a spawned process could not import a test module.
    forked = multiprocessing.get_context("fork")
    start = forked.Barrier(2)
    workers = [forked.Process(target=make_slowly, args=(tmp_path, start)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert (tmp_path / "work" / "calls").read_text() == "x"


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "file").write_text("other"),
        lambda folder: (folder / "file").unlink(),
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
    ],
    ids=["changed", "missing", "no-manifest", "cut-manifest"],
)
def test_a_damaged_artefact_is_reported_and_rebuilt(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    damage(Cache(tmp_path).make("things", "key", writes("one")))
    with pytest.warns(UserWarning, match="It is rebuilt"):
        folder = Cache(tmp_path).make("things", "key", writes("two"))
    assert (folder / "file").read_text() == "two"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Cache(tmp_path).find("things", "key") == folder


def test_a_damaged_artefact_may_be_removed_by_another_process_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranks look for an artefact side by side, and each that finds it damaged removes it."""
    folder = Cache(tmp_path).make("things", "key", writes("one"))
    (folder / "file").write_text("other")

    def both(found: Path) -> None:
        try:
            verify_folder(found)
        finally:
            shutil.rmtree(found)

    monkeypatch.setattr("rethinkdc.context.cache.verify_folder", both)
    with pytest.warns(UserWarning, match="It is rebuilt"):
        assert Cache(tmp_path).find("things", "key") is None
    assert not list((tmp_path / "things").iterdir())


def test_the_working_folder_survives_an_interruption_and_is_removed_at_the_end(tmp_path: Path) -> None:
    def interrupted(work: Path, out: Path) -> None:
        (work / "checkpoint").write_text("half")
        (out / "file").write_text("half")
        raise KeyboardInterrupt

    cache = Cache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        cache.make("things", "key", interrupted)
    assert cache.find("things", "key") is None
    assert list((tmp_path / "things").iterdir()) == []

    def resumed(work: Path, out: Path) -> None:
        (out / "file").write_text((work / "checkpoint").read_text() + " and whole")

    folder = cache.make("things", "key", resumed)
    assert (folder / "file").read_text() == "half and whole"
    assert list((tmp_path / "work").iterdir()) == []


def test_a_root_that_cannot_be_written_warns_and_works(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("in the way")
    cache = Cache(root)
    with pytest.warns(UserWarning, match=f"The cache folder {root} cannot be written.*--cache-dir"):
        folder = cache.make("things", "key", writes("one"))
    assert (folder / "file").read_text() == "one"
    assert cache.make("things", "key", writes("two")) == folder
    assert root.read_text() == "in the way"


def test_a_read_only_root_is_read_and_what_is_missing_or_damaged_is_made_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, broken = (Cache(tmp_path).make("things", key, writes("one")) for key in ("known", "broken"))
    (broken / "file").write_text("damage")
    before = sorted(path for path in tmp_path.rglob("*"))
    monkeypatch.setattr("rethinkdc.storage.permissions.writable", lambda _: False)
    cache = Cache(tmp_path)
    calls: list[str] = []
    assert cache.make("things", "known", writes("two", calls)) == known
    with pytest.warns(UserWarning, match="It is rebuilt") as told:
        rebuilt = cache.make("things", "broken", writes("three", calls))
    assert any(f"The cache folder {tmp_path}/things cannot be written" in str(one.message) for one in told)
    assert (rebuilt / "file").read_text() == "three"
    assert tmp_path not in rebuilt.parents
    assert calls == ["three"]
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_what_can_be_kept_is_kept_folder_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def refuse(folder: Path, *args: Any, **kwargs: Any) -> None:
        if tmp_path / "things" in (folder, *folder.parents):
            raise PermissionError(13, "Permission denied", str(folder))
        make(folder, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", refuse)
    cache = Cache(tmp_path)
    with pytest.warns(UserWarning, match="cannot be written") as told:
        lost = cache.make("things", "key", writes("one"))
    assert len(told) == 1
    kept = cache.make("others", "key", writes("two"))
    assert tmp_path not in lost.parents
    assert kept == tmp_path / "others" / "key"
    assert cache.make("things", "key", writes("three")) == lost


@pytest.mark.parametrize("name", ["locks", "work"])
def test_without_locks_or_working_folders_an_artefact_is_made_alone_and_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("in the way")
    seen: list[Path] = []

    def build(work: Path, out: Path) -> None:
        seen.append(work)
        (out / "file").write_text("made")

    with pytest.warns(UserWarning, match=f"{name} cannot be written|{tmp_path} cannot be written"):
        folder = Cache(tmp_path).make("things", "key", build)
    assert folder == tmp_path / "things" / "key"
    assert tmp_path not in seen[0].parents
    assert sorted(path.name for path in folder.parent.iterdir()) == ["key"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK, errno.EIO])
def test_where_locks_fail_an_artefact_is_made_alone_and_what_others_left_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    left = Cache(tmp_path).work("things", "key") / "checkpoint"
    left.write_text("another's")
    making = tmp_path / "things" / ".making-key"
    making.mkdir(parents=True)
    monkeypatch.setattr("fcntl.flock", fail)

    def build(work: Path, out: Path) -> None:
        assert list(work.iterdir()) == []
        assert out != making
        (out / "file").write_text("made")

    with pytest.warns(UserWarning, match=rf"Locks cannot be had in {tmp_path}/locks \({os.strerror(number)}"):
        folder = Cache(tmp_path).make("things", "key", build)
    assert folder == tmp_path / "things" / "key"
    assert left.read_text() == "another's"
    assert making.is_dir()


def test_when_another_was_faster_without_a_lock_its_artefact_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", fail)

    def build(_: Path, out: Path) -> None:
        Cache(tmp_path).make("things", "key", writes("first"))
        (out / "file").write_text("second")

    with pytest.warns(UserWarning, match="Locks cannot be had"):
        folder = Cache(tmp_path).make("things", "key", build)
    assert (folder / "file").read_text() == "first"
    verify_folder(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["key"]


def test_the_folder_is_the_environments_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path))
    assert default_cache_folder() == tmp_path
    assert Cache().root == tmp_path.resolve()
    monkeypatch.delenv("RETHINKDC_CACHE")
    assert default_cache_folder().name == "rethinkdc"
