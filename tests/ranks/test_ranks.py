"""Ranks: processes that do one run together."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import rethinkdc as rdc
from rethinkdc import ranks
from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.ranks import RankError, living, walk
from rethinkdc.ranks.launch import Launch
from rethinkdc.storage.locks import is_held
from rethinkdc.testing import context
from tests.ranks.launching import free_port

PATIENT = "900"

# Five parts of noise, in two kinds; tells which it makes, and ends as a kill does where it is told to.
COMPRESSOR = '''
import os, signal
from pathlib import Path
import torch
from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Compressor
from rethinkdc.contracts import hookimpl


class Tiny(Compressor):
    """Noise in parts."""

    name = "tiny-parts"
    family = "controls"

    def compress(self, data, budget, context):
        def first(index):
            with Path(os.environ["TINY_LOG"]).open("a") as log:
                log.write(f"{os.environ.get('RANK', '-')}:{index} ")
            if os.environ.get("TINY_KILL") == f"{os.environ.get('RANK')}:{index}":
                os.kill(os.getpid(), signal.SIGKILL)
            return {"mean": torch.randn(3, generator=context.generator("set", "mean", index))}

        means = context.parts(5, first)

        def make(index):
            context.count_images(index + 1)
            noise = torch.rand(budget.ipc, 3, budget.size, budget.size, generator=context.generator("set", index))
            shifted = (noise + means[index % 5]["mean"].view(3, 1, 1) * 0.1).clamp(0, 1)
            return {"canvases": (shifted * 255).byte(), "targets": torch.full((budget.ipc,), index)}

        parts = context.parts(budget.classes, make)
        context.note(parts=len(parts))
        return CompressedSet.of_canvases(parts, data.class_names)


@hookimpl
def register_methods():
    return [Tiny]
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH where the compressor is installed."""
    about = tmp_path / "site" / "tiny_parts-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-parts\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rethinkdc]\ntiny-parts = tiny_parts_plugin\n")
    (tmp_path / "site" / "tiny_parts_plugin.py").write_text(COMPRESSOR)
    return tmp_path / "site"


@pytest.fixture
def start(tmp_path: Path, site: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``rethinkdc WORDS...`` in the test's folder: as one rank of two, or as the only process."""
    port = free_port()

    def started(
        *words: str, rank: int | None = None, cache: str = "cache", patience: str = PATIENT, kill: str = ""
    ) -> subprocess.Popen[str]:
        environment = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
        environment |= {
            "PYTHONPATH": str(site),
            "RETHINKDC_CACHE": str(tmp_path / cache),
            "RETHINKDC_RANK_PATIENCE": patience,
            "TINY_LOG": str(tmp_path / "log"),
            "TINY_KILL": kill,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        if rank is not None:
            environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        return subprocess.Popen(
            [sys.executable, "-P" if sys.version_info >= (3, 11) else "-I", "-m", "rethinkdc", *words],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=1800)
    return process.returncode, out, err


def made_by(tmp_path: Path) -> dict[int, list[str]]:
    """Which ranks made each of the first five parts."""
    found: dict[int, list[str]] = {}
    for word in (tmp_path / "log").read_text().split():
        which, _, index = word.partition(":")
        found.setdefault(int(index), []).append(which)
    return found


def tensors_of(cache: Path) -> dict[str, bytes]:
    (folder,) = (cache / "sets").iterdir()
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".safetensors"}


COMPRESS = ("compress", "-d", "digits", "-c", "tiny-parts", "--device", "cpu", "--out")


@pytest.mark.slow
def test_two_ranks_make_the_set_of_one_process_and_each_half_of_its_parts(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    both = [start(*COMPRESS, "together", rank=rank) for rank in (1, 0)]
    second, first = (ended(process) for process in both)
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "Wrote 10 images" in first[1]
    assert second[1:] == ("", "")
    assert made_by(tmp_path) == {0: ["0"], 1: ["1"], 2: ["0"], 3: ["1"], 4: ["0"]}
    assert not list((tmp_path / "cache" / "work").iterdir())
    (tmp_path / "log").unlink()
    code, _, err = ended(start(*COMPRESS, "alone", cache="other"))
    assert code == 0, err
    assert tensors_of(tmp_path / "cache") == tensors_of(tmp_path / "other")
    written, alone = (next((tmp_path / name).rglob("*.parquet")).read_bytes() for name in ("together", "alone"))
    assert written == alone
    cards = [json.loads((tmp_path / name / "card.json").read_text())["card"] for name in ("together", "alone")]
    for card in cards:
        assert card.pop("seconds")
        # Of the parts of both ranks: one image for the first class, ten for the last.
        assert list(card["images_seen"].values()) == [55]
    assert cards[0] == cards[1]


@pytest.mark.slow
def test_a_killed_rank_is_a_clear_error_and_the_same_command_goes_on(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    both = [start(*COMPRESS, "set", rank=rank, kill="1:3") for rank in (1, 0)]
    killed, (code, out, err) = (ended(process) for process in both)
    assert killed[0] == -signal.SIGKILL
    assert (code, out) == (1, "")
    assert "Error of rank 0: Rank 1 of 2 has not been there for 5 s" in err
    assert "run the same command again" in err
    assert not (tmp_path / "set").exists()
    assert made_by(tmp_path) == {0: ["0"], 1: ["1"], 2: ["0"], 3: ["1"], 4: ["0"]}
    (tmp_path / "log").unlink()
    code, _, err = ended(start(*COMPRESS, "set"))
    assert code == 0, err
    assert made_by(tmp_path) == {3: ["-"]}


@pytest.mark.slow
def test_ranks_of_a_run_write_one_record_and_the_others_end_quietly(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    run = (
        "run",
        "-d",
        "digits",
        "-c",
        "tiny-parts",
        "--device",
        "cpu",
        "--set",
        "training.steps=2",
        "--preview",
        "grid.png",
    )
    for attempt in range(2):
        both = [start(*run, rank=rank) for rank in (0, 1)]
        first, second = (ended(process) for process in both)
        assert (first[0], second[0]) == (0, 0), first[2] + second[2]
        assert ("existing record" in first[1]) == bool(attempt)
        assert second[1:] == ("", "")
    assert len(list((tmp_path / "records").rglob("*.json"))) == 1
    assert (tmp_path / "grid.png").exists()
    assert len(made_by(tmp_path)) == 5


@pytest.mark.parametrize("command", ["list-plugins", "verify", "leaderboard"])
def test_what_trains_nothing_is_the_first_ranks_alone(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rethinkdc.cli.main import main

    monkeypatch.setattr(sys, "argv", ["rethinkdc", command])
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code


def test_a_sweep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RequestError, match="start the sweep once, with --jobs"):
        rdc.sweep("digits-small", records=tmp_path / "records", cache_dir=tmp_path / "cache", device="cpu")


# -- the pieces --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    """This process holds the locks of the ranks that it plays until it ends; here until the test does."""
    yield
    walk._walk.home = None
    while living._held:
        living._held.popitem()[1].release()


def as_rank(monkeypatch: pytest.MonkeyPatch, rank: str | None, world: str | None) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", world)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("rank", "world", "expected"),
    [(None, None, (0, 1)), ("1", None, (0, 1)), (None, "2", (0, 1)), ("0", "1", (0, 1)), ("2", "3", (2, 3))],
)
def test_a_rank_knows_its_place(
    monkeypatch: pytest.MonkeyPatch, rank: str | None, world: str | None, expected: tuple[int, int]
) -> None:
    as_rank(monkeypatch, rank, world)
    assert (ranks.rank(), ranks.world()) == expected
    assert ranks.leads() == (expected[0] == 0)


@pytest.mark.parametrize(("rank", "world"), [("2", "2"), ("-1", "2"), ("one", "2"), ("0", "0"), ("", "2")])
def test_places_that_do_not_go_together_are_refused(monkeypatch: pytest.MonkeyPatch, rank: str, world: str) -> None:
    as_rank(monkeypatch, rank, world)
    with pytest.raises(RequestError, match=f"RANK={rank} and WORLD_SIZE={world}"):
        ranks.rank()


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_every_part_belongs_to_one_rank(monkeypatch: pytest.MonkeyPatch, world: int, count: int) -> None:
    owned: list[int] = []
    for rank in range(world):
        as_rank(monkeypatch, str(rank), str(world))
        owned += ranks.own_parts(count)
    assert sorted(owned) == list(range(count))


def test_a_rank_that_is_missing_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, "0", "2")
    monkeypatch.setenv(ranks.PATIENCE, "0.5")
    begun = time.monotonic()
    with pytest.raises(RankError, match=r"Rank 1 of 2 .* and the thing depends on it.*What is finished is kept"):
        ranks.wait_for(lambda: None, tmp_path, lambda: [1], "the thing")
    assert time.monotonic() - begun >= 0.5


def test_a_rank_that_lives_is_waited_for_as_long_as_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, "1", "2")
    ranks.join(tmp_path)
    (held,) = (tmp_path / "locks" / "ranks").glob("*.lock")
    as_rank(monkeypatch, "0", "2")
    monkeypatch.setenv(ranks.PATIENCE, "0.3")
    until = time.monotonic() + 1.5
    assert ranks.wait_for(lambda: True if time.monotonic() > until else None, tmp_path, lambda: [1], "it")
    assert held.exists()


def test_what_a_rank_finished_before_it_ended_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, "0", "2")
    monkeypatch.setenv(ranks.PATIENCE, "0")
    assert ranks.wait_for(lambda: "done", tmp_path, lambda: [1], "it") == "done"


def test_another_launch_at_the_same_time_is_another_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, "1", "2")
    for port in ("1", "2"):
        monkeypatch.setenv("MASTER_PORT", port)
        ranks.join(tmp_path)
    held = list((tmp_path / "locks" / "ranks").glob("*.lock"))
    assert len(held) == 2
    for path in held:
        assert is_held(path)


def test_launches_on_two_machines_with_a_port_of_the_same_number_are_two_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless they have a common address, which several machines of one launch do."""
    as_rank(monkeypatch, "1", "2")
    for address, expected in (("127.0.0.1", 2), ("10.0.0.1", 3)):
        monkeypatch.setenv("MASTER_ADDR", address)
        for machine in ("one", "two"):
            monkeypatch.setattr("socket.gethostname", lambda machine=machine: machine)
            ranks.join(tmp_path)
        assert len(list((tmp_path / "locks" / "ranks").glob("*.lock"))) == expected


def test_a_rank_whose_place_is_taken_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, "1", "2")
    ranks.join(tmp_path)
    kept = dict(living._held)
    living._held.clear()
    monkeypatch.setenv(ranks.PATIENCE, "0.2")
    with pytest.raises(RankError, match=r"Another process has been rank 1 of 2 on the cache .*--master-port"):
        ranks.join(tmp_path)
    living._held.update(kept)


def test_a_patience_that_is_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ranks.PATIENCE, "long")
    with pytest.raises(RequestError, match="RETHINKDC_RANK_PATIENCE must be a number of seconds; found 'long'"):
        ranks.wait_for(lambda: None, tmp_path, list, "it")


def test_ranks_need_a_cache_that_they_can_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(monkeypatch, "0", "2")
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="cannot be written"), pytest.raises(RequestError, match="--cache-dir"):
        Cache(tmp_path / "file")


class Played:
    """Messages of a launch whose other ranks are not there: the first is asked, or has said ``told`` in this order."""

    def __init__(self, *told: Any) -> None:
        self.told, self.heard = list(told), list[str]()

    def tell(self, value: Callable[[], Any], about: str) -> Any:
        self.heard.append(about)
        return value() if ranks.leads() else self.told.pop(0)

    def exchange(self, value: Any, about: str) -> list[Any]:
        self.heard.append(about)
        return [value] * ranks.world()


def play(monkeypatch: pytest.MonkeyPatch, rank: int, *told: Any) -> Played:
    """This process as one rank of two that have met."""
    as_rank(monkeypatch, str(rank), "2")
    messages = Played(*told)
    monkeypatch.setattr(walk._walk, "launch", Launch(rank, 2, messages))  # type: ignore[arg-type]
    return messages


def test_another_rank_takes_what_the_first_found_or_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it would find itself: another process may keep the artefact between two looks."""
    made = tmp_path / "cache" / "sets" / "key"
    play(monkeypatch, 1, None, None, None, str(made), str(made))
    cache, asked = Cache(tmp_path / "cache"), list[Path]()

    def build(work: Path, out: Path) -> None:
        asked.append(out)
        (out / "file").write_text("thrown away")

    assert cache.make("sets", "key", build) == made
    assert [folder.parent for folder in asked] == [tmp_path / "cache" / "work" / "sets-key"]
    assert not asked[0].exists()
    assert cache.make("sets", "key", build) == made
    assert len(asked) == 1


def test_the_first_rank_keeps_what_all_make_when_all_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = play(monkeypatch, 0)
    cache = Cache(tmp_path)

    def build(work: Path, out: Path) -> None:
        assert messages.heard == ["sets key", "the lock of sets key", "sets key"]
        (out / "file").write_text("kept")

    folder = cache.make("sets", "key", build)
    assert (folder / "file").read_text() == "kept"
    assert messages.heard[3:] == ["the end of sets key", "sets key, made"]
    assert not list((tmp_path / "work").iterdir())


def test_what_the_first_rank_decides_it_does_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, 0)
    ranks.join(tmp_path)
    assert ranks.decided(ranks.together, "it") is False
    assert ranks.together()


def test_making_a_part_is_done_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, 0)
    here, seen = context(tmp_path), list[bool]()

    def make(index: int) -> dict[str, torch.Tensor]:
        seen.append(ranks.together())
        return {"value": torch.tensor([index])}

    here.parts(1, make)
    assert (seen, ranks.together()) == ([False], True)


def test_the_seconds_of_other_ranks_count_and_waiting_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = context(tmp_path)
    here.parts(2, lambda index: {"value": torch.tensor([index])})
    seal = here.folder / "parts" / "part-00001.sealed"
    seal.write_text(seal.read_text().split()[0] + " 40.0")
    play(monkeypatch, 0)
    first = context(tmp_path)
    first.parts(2, lambda index: {})
    assert 39 < first.books.earlier <= 41


def test_a_cache_without_locks_is_refused_to_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    as_rank(monkeypatch, "0", "2")
    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(RequestError, match=r"has none \(No locks available\).*--cache-dir"):
        ranks.join(tmp_path)


def test_a_rank_whose_lock_stays_held_after_its_host_died_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system may never free it: whoever gives no sign of life is not there."""
    as_rank(monkeypatch, "0", "2")
    monkeypatch.setenv(ranks.PATIENCE, "0")
    monkeypatch.setattr("rethinkdc.storage.locks.is_held", lambda _: True)
    monkeypatch.setattr("rethinkdc.storage.locks.PATIENCE", 0.1)
    monkeypatch.setattr("rethinkdc.storage.holders._LOOK", 0.0)
    with pytest.raises(RankError, match="Rank 1 of 2 has not been there"):
        ranks.wait_for(lambda: None, tmp_path, lambda: [1], "it")
