"""What people share: scores, rows and traces, written and read by the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def top1(done: Any) -> float:
    assert done.code == 0, done.err
    (record,) = json.loads(done.out)
    return float(record["evaluation"]["metrics"]["top1"])


def test_scores_that_were_written_select_the_same_rows(cli: Cli) -> None:
    done = cli("score", "-d", "digits", "--score", "aum", "--out", "shared/aum")
    assert done.code == 0
    assert "scores=shared/aum.safetensors" in done.out
    named = cli("run", "-d", "digits", "--compressor", "ccs:score=aum", "--json")
    read = cli("run", "-d", "digits", "--compressor", "ccs:scores=shared/aum.safetensors", "--json")
    assert top1(named) == top1(read)
    assert json.loads(read.out)[0]["notes"]["proxy"] == "imported"


def test_rows_that_were_written_are_the_same_set(cli: Cli, tmp_path: Path) -> None:
    done = cli("rows", "-d", "digits", "--compressor", "el2n:direction=easy", "--ipc", "2", "--out", "picks")
    assert (done.code, "Wrote 20 rows" in done.out) == (0, True)
    about = json.loads((tmp_path / "picks.json").read_text())
    assert about["compressor"] == "el2n:direction=easy"
    assert about["ipc"] == 2
    named = cli("run", "-d", "digits", "--compressor", "el2n:direction=easy", "--ipc", "2", "--json")
    assert top1(named) == top1(
        cli("run", "-d", "digits", "--compressor", "rows:path=picks.safetensors", "--ipc", "2", "--json")
    )


def test_synthetic_images_are_no_list_of_rows(cli: Cli) -> None:
    done = cli("rows", "-d", "digits", "--compressor", "pca", "--out", "picks")
    assert done.code == 2
    assert "makes images of its own" in done.err


def test_a_trace_that_was_written_gives_the_same_scores(cli: Cli, tmp_path: Path) -> None:
    done = cli("trace", "-d", "digits", "--out", "shared-trace")
    assert done.code == 0
    assert "20 epochs of 1,437 rows" in done.out
    named = cli("run", "-d", "digits", "--compressor", "dual:direction=hard", "--json")
    read = cli(
        "run",
        "-d",
        "digits",
        "--compressor",
        "dual:direction=hard,trace=shared-trace",
        "--cache-dir",
        "fresh",
        "--json",
    )
    assert top1(named) == top1(read)
    assert not (tmp_path / "fresh" / "proxies").exists()
    assert cli("trace", "-d", "digits", "--out", "shared-trace").code == 2


@pytest.mark.parametrize(
    "words",
    [("score", "-d", "digits", "--score", "el2n"), ("rows", "-d", "digits", "--compressor", "random"), ("trace",)],
)
def test_what_cannot_be_written_is_refused_before_any_work(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    done = cli(*words, "--out", "file/mine", "--cache-dir", "fresh")
    assert done.code == 2
    assert "Cannot write" in done.err
    assert not (tmp_path / "fresh" / "proxies").exists()
