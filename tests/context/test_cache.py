"""The cache: made once, verified, resumed."""

from __future__ import annotations

import multiprocessing
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
    with pytest.warns(UserWarning, match="cannot be written.*--cache-dir"):
        cache = Cache(root)
    assert cache.home != cache.root
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
    monkeypatch.setattr("rethinkdc.context.cache.writable", lambda _: False)
    with pytest.warns(UserWarning, match="cannot be written"):
        cache = Cache(tmp_path)
    calls: list[str] = []
    assert cache.make("things", "known", writes("two", calls)) == known
    with pytest.warns(UserWarning, match="It is rebuilt"):
        rebuilt = cache.make("things", "broken", writes("three", calls))
    assert (rebuilt / "file").read_text() == "three"
    assert tmp_path not in rebuilt.parents
    assert calls == ["three"]
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_the_folder_is_the_environments_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path))
    assert default_cache_folder() == tmp_path
    assert Cache().root == tmp_path.resolve()
    monkeypatch.delenv("RETHINKDC_CACHE")
    assert default_cache_folder().name == "rethinkdc"
