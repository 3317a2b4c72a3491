"""A full disk under the command line: one sentence, nothing half done, and the same result when there is room again."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
SHORT = ("--protocol", "digits-hard", "--set", "training.steps=20", "--set", "proxy.training.epochs=2")
STUDY = """
title = "two"
dataset = "digits"
protocol = "digits-hard"
compressors = ["random"]
ipc = [1]
seeds = [0, 1, 2]
overrides = { "training.steps" = 20 }
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of a given size, or gives the one that is there another."""
    place, mounted = tmp_path / "disk", False

    def sized(size: str) -> Path:
        nonlocal mounted
        place.mkdir(exist_ok=True)
        options = f"remount,size={size}" if mounted else f"size={size}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("only root can mount a small disk")
        mounted = True
        return place

    if sys.platform != "linux":
        pytest.skip("a small disk is mounted as Linux does")
    yield sized
    if mounted:
        # Maps of the run may still be open.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def digest_of(done: Any) -> str:
    assert done.code == 0, done.err
    found: str = json.loads(done.out)[0]["result_digest"]
    return found


@pytest.mark.parametrize("size", ["80k", "300k"])
def test_a_run_goes_on_when_there_is_room_again(
    size: str, cli: Cli, small_disk: Callable[[str], Path], tmp_path: Path
) -> None:
    """By way of memory maps, which would end the process without a word."""
    disk = small_disk(size)
    words = ("run", "--compressor", "el2n:direction=easy,epochs=[1,2]", "--ipc", "1", "--dataset", "digits", *SHORT)
    here = ("--cache-dir", str(disk / "cache"), "--records", str(disk / "records"), "--json")
    done = cli(*words, *here)
    assert done.code == 1
    assert "Error: Cannot write" in done.err
    assert "No space left on device" in done.err
    assert "bytes free" in done.err
    assert "Traceback" not in done.err
    assert not [path for path in disk.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".making")]
    assert not list(disk.glob("records/*/*.json"))
    small_disk("64m")
    assert digest_of(cli(*words, *here)) == digest_of(cli(*words, "--records", str(tmp_path / "other"), "--json"))


def test_a_full_disk_ends_a_sweep_at_once(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that were not made are no failures of theirs: the next sweep makes them."""
    (tmp_path / "study.toml").write_text(STUDY)
    real, written = os.link, 0

    def full_at_second(source: Any, target: Any, **more: Any) -> None:
        nonlocal written
        # Notes of locks and artefacts are put in place by the same calls.
        written += "records" in Path(target).parts
        if written > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", full_at_second)
        patch.setattr(Path, "rename", full_at_second)
        done = cli("sweep", "study.toml")
    assert done.code == 1
    assert "1 of 3 runs ended before, each on record" in done.err
    assert "Cannot write the record" in done.err
    assert "Traceback" not in done.err
    assert len(list(tmp_path.glob("records/*/*.json"))) == 1
    done = cli("sweep", "study.toml", "--json")
    assert done.code == 0
    assert [record["status"] for record in json.loads(done.out)] == ["ok"] * 3


def call(words: list[str], stdout: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rethinkdc", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no full device")
@pytest.mark.parametrize("words", [["--version"], ["list-protocols", "--json"]], ids=["flushed", "at the end"])
def test_a_stdout_that_is_full_is_told_of(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = call(words, full.fileno())
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Cannot print to stdout: No space left on device.")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [["--version"], ["list-protocols", "--json"]], ids=["flushed", "at the end"])
def test_a_stdout_that_is_closed_ends_quietly(words: list[str]) -> None:
    """As a program does that SIGPIPE ends: ``rethinkdc list-protocols | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    done = call(words, writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
