"""``rethinkdc export``: a set of ``compress --out`` and of tensors, handed on and evaluated to the same result."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.compressed import read_set

Cli = Callable[..., Any]
DIGITS = ("-d", "digits", "--json")


def result(done: Any) -> tuple[str, str]:
    """The digest of what was measured, and the fingerprint of the set."""
    assert done.code == 0, done.err
    (record,) = json.loads(done.out)
    return record["result_digest"], record["definition"]["compressor"]["fingerprint"]


TILED = "pca:score=random,grid=3"


@pytest.mark.parametrize("compressor", ["random", TILED])
def test_the_command_on_the_card_makes_the_set_again(cli: Cli, tmp_path: Path, compressor: str) -> None:
    made = cli("compress", "-d", "digits", "-c", compressor, "--seed", "2", "--out", "made", "--small-cells")
    assert made.code == 0, made.err
    done = cli("export", "made", "--out", "out", "--json")
    assert done.code == 0, done.err
    exported = json.loads(done.out)
    assert (exported["place"], exported["images"]) == ("out", 10)
    assert exported["evaluate"] == "rethinkdc evaluate out --dataset digits"
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^\$ rethinkdc (compress .+)$", readme, re.MULTILINE)
    assert command
    assert cli(*shlex.split(command.group(1))).code == 0
    assert read_set(tmp_path / "FOLDER").fingerprint == exported["fingerprint"]


def test_an_exported_set_evaluates_to_the_same_result(cli: Cli) -> None:
    assert cli("compress", "-d", "digits", "-c", TILED, "--out", "made", "--small-cells").code == 0
    exported = json.loads(cli("export", "made", "--out", "out", "--json").out)
    first, second = result(cli("evaluate", "made", *DIGITS)), result(cli("evaluate", "out", *DIGITS))
    assert first == second
    assert second[1] == exported["fingerprint"]


def test_inspect_tells_an_exported_set(cli: Cli) -> None:
    assert cli("compress", "-d", "digits", "-c", "random", "--out", "made").code == 0
    assert cli("export", "made", "--out", "out").code == 0
    told = []
    for folder in ("made", "out"):
        (finding,) = json.loads(cli("inspect", folder, "-d", "digits", "--json").out)["findings"]
        assert (finding["kind"], finding["method"], finding["refused"]) == ("set", "random", "")
        told.append({**finding, "command": ""})
    assert told[0] == told[1]


def test_tensors_of_others_are_exported_as_they_are_read(cli: Cli, tmp_path: Path) -> None:
    images = torch.rand(10, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.save({"images": images, "labels": torch.arange(10)}, tmp_path / "theirs.pt")
    stated = ("theirs.pt", "--mean", "0.5", "--std", "0.5")
    done = cli("export", *stated, "--out", "out", "--license", "mit")
    assert done.code == 0, done.err
    assert "Exported 10 images to out" in done.out
    assert result(cli("evaluate", *stated, *DIGITS))[0] == result(cli("evaluate", "out", *DIGITS))[0]
    assert "--mean" in cli("export", "theirs.pt", "--out", "other").err
    assert not (tmp_path / "other").exists()
