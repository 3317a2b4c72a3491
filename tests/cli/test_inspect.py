"""``rethinkdc inspect``, and the records that say what was assumed of a finished set."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import rethinkdc as rdc
from rethinkdc.seeds import generator


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Ten normalised images of 8 px under a name with a blank, as people have it."""
    images = torch.randn((10, 3, 8, 8), generator=generator(0))
    torch.save({"data": [[images, torch.arange(10)]], "accs": {}}, tmp_path / "my set.pt")
    return tmp_path / "my set.pt"


NORMALISED = ("--mean", "0.5", "--std", "0.25")


def used(printed: str) -> list[str]:
    """The words of the command that an inspection prints."""
    (line,) = [line for line in printed.splitlines() if line.startswith("use: ")]
    return shlex.split(line.removeprefix("use: "))


def test_the_printed_command_evaluates_the_set(cli: Callable[..., Any], published: Path) -> None:
    done = cli("inspect", "my set.pt", *NORMALISED, "-p", "digits-hard", "--preview", "sheet.png")
    assert done.code == 0, done.err
    assert "As a finished set" in done.out
    assert "left unread: accs" in done.out
    assert "by number, order: not verified" in " ".join(done.out.replace("│", " ").split())
    with Image.open(published.parent / "sheet.png") as picture:
        assert picture.height > 10 * 64
    program, *words = used(done.out)
    assert program == "rethinkdc"
    ended = cli(*words)
    assert ended.code == 0, ended.err
    assert "record: " in ended.out


def test_a_record_is_shown_with_what_was_assumed(cli: Callable[..., Any], published: Path, tmp_path: Path) -> None:
    assert published.exists()
    record = json.loads(cli("evaluate", "my set.pt", *NORMALISED, "-p", "digits-hard", "--json").out)[0]
    notes = record["notes"]
    assert notes["source"] == "tensors of my set.pt: images float32 [10, 3, 8, 8], labels int64 [10]"
    assert notes["classes"] == "by number, order: not verified ('class 0' is '0', and so on)"
    assert (notes["pixels"]["mean"], notes["pixels"]["std"]) == ([0.5], [0.25])
    file = f"records/{record['key']}/0001.json"
    for name in (file, record["key"]):
        shown = " ".join(cli("show", name).out.replace("│", " ").split())
        assert "tensors of my set.pt: images float32 [10, 3, 8, 8], labels int64 [10]" in shown
        assert "by number, order: not verified ('class 0' is '0', and so on)" in shown
        assert "times std 0.25 plus mean 0.5" in shown
    assert json.loads(cli("show", file, "--json").out) == record
    (tmp_path / "other.json").write_text("{}")
    done = cli("show", "other.json")
    assert done.code
    assert "other.json is not a readable record" in done.err


def test_rows_are_told_and_the_printed_command_runs_them(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "picks.csv").write_text("idx,weight\n" + "\n".join(f"{7 * row},1.5" for row in range(20)))
    done = cli("inspect", "picks.csv", "-d", "digits")
    assert done.code == 0, done.err
    assert "column 'idx': 20 row numbers" in done.out
    assert "column 'weight': weights" in done.out
    assert "not verified" in done.out
    ended = cli(*used(done.out)[1:])
    assert ended.code == 0, ended.err
    assert "rows:path=picks.csv + hard on digits" in ended.out


def test_json_is_what_python_returns(cli: Callable[..., Any], tmp_path: Path) -> None:
    np.save(tmp_path / "both.npy", np.random.default_rng(0).permutation(1437))
    printed = json.loads(cli("inspect", "both.npy", "-d", "digits", "--json").out)
    assert printed == rdc.inspect("both.npy", dataset="digits").model_dump(mode="json")
    assert {found["kind"] for found in printed["findings"]} == {"rows", "scores"}
    text = cli("inspect", "both.npy", "-d", "digits").out
    assert "Which it is, the command that uses it says; --as KIND tells of one alone." in text


def test_what_a_teacher_says_is_printed_with_its_numbers(cli: Callable[..., Any], tmp_path: Path) -> None:
    noise = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=generator(1))
    np.savez(tmp_path / "noise.npz", images=noise.numpy(), labels=np.arange(20) % 10)
    done = cli("inspect", "noise.npz", "-p", "digits-hard", "--teacher", "trained:recipe=weak")
    assert done.code == 0, done.err
    assert "teacher: trained:recipe=weak, top-1 " in done.out
    assert "class order, on 20 images that it was not fitted to" in done.out
    wrong = cli("inspect", "noise.npz", "-d", "digits", "--teacher", "nobody")
    assert wrong.code == 2
    assert "nobody" in wrong.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("nowhere",), "There is no file or folder nowhere"),
        (("my set.pt", "--as", "rows"), "a list of numbers is expected"),
        (("my set.pt", "--column", "idx", "--teacher", "trained"), "of which not all of this can be said"),
        (("my set.pt", "--as", "tree"), "choose dataset, set, rows"),
        (("my set.pt", "--mean", "0.5", "--std", "0.25", "--preview", "x"), "--preview x: name a picture"),
    ],
)
def test_wrong_requests_end_with_2(cli: Callable[..., Any], published: Path, words: tuple[str, ...], part: str) -> None:
    assert published.exists()
    done = cli("inspect", *words)
    assert done.code == 2
    assert part in done.err


def test_of_many_sizes_the_least_and_the_largest_are_printed(cli: Callable[..., Any], tmp_path: Path) -> None:
    for row in range(24):
        folder = tmp_path / "pond" / ("frog" if row % 2 else "newt")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 - row, 10 + row), (row, 0, 0)).save(folder / f"{row}.png")
    done = cli("inspect", "pond")
    assert done.code == 0, done.err
    held = re.search(r"(\d+): (\d+) to (\d+) px high, (\d+) to (\d+) px wide", " ".join(done.out.split()))
    assert held
    assert int(held[1]) > 10
    assert (int(held[2]) + int(held[5]), int(held[3]) + int(held[4])) == (50, 50)
