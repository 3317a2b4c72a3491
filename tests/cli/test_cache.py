"""``rethinkdc cache``: what is listed, what is found damaged, what goes and what stays."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.storage import MANIFEST, digest

DAY = 86_400.0
Cli = Callable[..., Any]


def fill(root: Path) -> dict[str, Path]:
    """A cache of four artefacts, two of them not used for forty days, and unfinished work."""
    cache, made = Cache(root), {}
    for name, kind, size, age in (
        ("old", "sets", 1_000, 40), ("large", "proxies", 3_000_000, 40), ("new", "sets", 2_000, 0),
    ):  # fmt: skip
        made[name] = cache.make(kind, digest(name), filling(size))
        when = time.time() - age * DAY
        os.utime(made[name] / MANIFEST, (when, when))
    made["work"] = cache.work("scores", digest("work"))
    write(made["work"] / "checkpoint", 500)
    return made


def filling(size: int) -> Callable[[Path, Path], None]:
    return lambda _, out: write(out / "file", size)


def write(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))
    return fill(tmp_path / "cache")


def left(made: dict[str, Path]) -> set[str]:
    return {name for name, folder in made.items() if folder.exists()}


def test_a_cache_is_listed_by_kind_and_entry_by_entry_with_its_total(cli: Cli, made: dict[str, Path]) -> None:
    shown = cli("cache", "list").out
    assert [line.split()[:2] for line in shown.splitlines()[4:8]] == [
        ["proxies", "1"], ["sets", "2"], ["work", "1"], ["total", "4"],
    ]  # fmt: skip
    assert "3.0 MB" in shown
    listed = json.loads(cli("cache", "list", "--older", "30d", "--json").out)
    assert [(entry["kind"], entry["folder"]) for entry in listed["entries"]] == [
        ("proxies", str(made["large"])),
        ("sets", str(made["old"])),
    ]
    assert listed["total"]["entries"] == 2
    each = cli("cache", "list", "--each", "--larger", "1MB").out
    assert made["large"].name[:24] in each
    assert made["old"].name[:24] not in each


def test_what_is_old_and_large_goes_and_all_else_stays(cli: Cli, made: dict[str, Path]) -> None:
    both = ("cache", "prune", "--older", "30d", "--larger", "1MB")
    assert "Would remove 1 entries, 3.0 MB" in cli(*both, "--dry-run").out
    assert left(made) == set(made)
    refused = cli(*both)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert left(made) == set(made)
    pruned = json.loads(cli(*both, "--yes", "--json").out)
    assert [entry["kind"] for entry in pruned["removed"]] == ["proxies"]
    assert left(made) == {"old", "new", "work"}
    assert "Removed 1 entries" in cli("cache", "prune", "--kind", "work", "--yes").out
    assert left(made) == {"old", "new"}
    kept = made["new"].parent.parent
    assert sorted(path.name for path in kept.rglob("*") if path.name.startswith(".")) == []


def test_what_a_process_that_holds_a_lock_may_be_using_stays(cli: Cli, made: dict[str, Path]) -> None:
    cache = Cache()
    with cache.hold("runs", "0" * 24), cache.hold("scores", made["work"].name.removeprefix("scores-")):
        cache.find("proxies", made["large"].name)
        pruned = json.loads(cli("cache", "prune", "--older", "0m", "--yes", "--json").out)
        assert left(made) == {"large", "new", "work"}
        assert all(f"process {os.getpid()}" in entry["why"] for entry in pruned["kept"])
        assert f"process {os.getpid()}" in cli("cache", "list", "--each").out
    cli("cache", "prune", "--older", "0m", "--yes")
    assert left(made) == set()


def test_work_that_is_begun_after_the_look_is_not_removed(cli: Cli, made: dict[str, Path]) -> None:
    from rethinkdc.context.clearing import remove
    from rethinkdc.context.inventory import list_entries

    cache = Cache()
    old, work = (next(one for one in list_entries(cache) if one.folder == made[name]) for name in ("old", "work"))
    cache.find("sets", made["old"].name)
    assert remove(old, cache) == "it was used meanwhile"
    with cache.hold("scores", made["work"].name.removeprefix("scores-")):
        assert f"process {os.getpid()}" in remove(work, cache)
    assert left(made) == set(made)


def test_damage_is_found_and_the_exit_code_tells(cli: Cli, made: dict[str, Path]) -> None:
    whole = cli("cache", "verify")
    assert whole.code == 0
    assert "all are whole" in whole.out
    (made["old"] / "file").write_bytes(b"other")
    damaged = cli("cache", "verify", "--kind", "sets", "--json")
    assert damaged.code == 1
    told = json.loads(damaged.out)
    assert [entry["folder"] for entry in told["damaged"]] == [str(made["old"])]
    assert told["verified"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--older", "30x"), "--older 30x: expected an age"),
        (("--older", "-1d"), "--older -1d: expected an age"),
        (("--older", "30"), "--older 30: expected an age"),
        (("--larger", "-1"), "--larger -1: expected bytes"),
        (("--larger", "1XB"), "--larger 1XB: expected bytes"),
        (("--larger", "nan"), "--larger nan: expected bytes"),
        (("--kind", "nothing"), "--kind nothing: the cache .* Here: proxies, sets, work"),
        ((), "say what goes"),
    ],
)
def test_wrong_words_are_refused(cli: Cli, made: dict[str, Path], words: tuple[str, ...], message: str) -> None:
    done = cli("cache", "prune", *words, "--yes")
    assert done.code == 2
    import re

    assert re.search(message, done.err), done.err
    assert left(made) == set(made)


def test_a_shared_cache_is_read_listed_verified_and_never_written(
    cli: Cli, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = tmp_path / "cache"
    before = {path: path.stat().st_mtime_ns for path in upstream.rglob("*")}
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("RETHINKDC_CACHE_SHARED", str(upstream))
    cache = Cache()

    def never(*_: Path) -> None:
        raise AssertionError("it is there")

    assert cache.make("sets", made["old"].name, never) == made["old"]
    (made["new"] / "file").write_bytes(b"damage")
    before[made["new"] / "file"] = (made["new"] / "file").stat().st_mtime_ns
    with pytest.warns(UserWarning, match="It is rebuilt"):
        own = cache.make("sets", made["new"].name, lambda _, out: write(out / "file", 1))
    assert tmp_path / "own" in own.parents
    listed = json.loads(cli("cache", "list", "--json").out)
    assert {(entry["kind"], entry["shared"]) for entry in listed["entries"]} == {
        ("sets", False), ("sets", True), ("proxies", True),
    }  # fmt: skip
    assert listed["total"]["entries"] == 1
    assert f"Cache that is only read: {upstream}" in cli("cache", "list").out
    assert cli("cache", "verify").code == 1
    cli("cache", "prune", "--older", "0m", "--yes")
    assert {path: path.stat().st_mtime_ns for path in upstream.rglob("*")} == before


@pytest.mark.parametrize("place", ["nowhere", "empty", "other", "own"])
def test_a_shared_cache_that_is_none_is_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other" / "data" / "set").mkdir(parents=True)
    (tmp_path / "other" / "data" / "set" / MANIFEST).write_text("{}")
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("RETHINKDC_CACHE_SHARED", str(tmp_path / place))
    done = cli("cache", "list")
    assert done.code == 2
    assert done.err.startswith(f"Error: RETHINKDC_CACHE_SHARED={tmp_path / place} ")
