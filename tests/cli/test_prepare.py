"""``rethinkdc prepare``: what it prints, and that what it wrote is a dataset."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def test_the_digits_prepared_are_the_digits(cli: Cli) -> None:
    done = cli("prepare", "digits", "--workers", "1")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == (
        "digits-prepared holds 1,437 training and 360 test images of 10 classes in 2 shards."
    )
    assert "that of the source: keys and boards are the same." in done.out
    used = re.search(r"Use it with: rethinkdc (.*)", done.out)
    assert used
    fingerprints = set()
    for dataset in ("digits", "digits-prepared"):
        picked = cli("rows", "-c", "random", "-d", dataset, "--out", f"rows-of-{dataset}", "--json")
        assert picked.code == 0, picked.err
        fingerprints.add(json.loads(picked.out)["fingerprint"])
    assert len(fingerprints) == 1


def test_a_short_side_says_what_it_lost(cli: Cli, tmp_path: Path) -> None:
    done = cli("prepare", "mnist-5k", "--short-side", "14", "--out", "small", "--workers", "1")
    assert done.code == 0, done.err
    assert "resized to a shorter side of 14 px and stored as JPEG of quality 90." in done.out
    assert re.search(r"Loss beside the resize: PSNR \d\d\.\d dB, \d\d\.\d dB at the worst, over 100 sampled", done.out)
    assert "not the source's: keys are its own." in done.out
    again = cli("prepare", "mnist-5k", "--short-side", "14", "--out", "small", "--workers", "1", "--json")
    told = json.loads(again.out)
    assert told["recipe"]["short_side"] == 14
    assert told["fingerprint"] != told["source_fingerprint"]
    inspected = cli("inspect", "small")
    assert "14 x 14 px" in inspected.out


def test_what_cannot_be_prepared_is_a_sentence(cli: Cli, tmp_path: Path) -> None:
    for words, told in {
        ("nonesuch",): "Unknown dataset 'nonesuch'",
        ("digits", "--short-side", "4", "--codec", "gif"): "--codec gif: choose jpeg or png",
        ("digits", "--scaled"): "--scaled is about images that are resized",
    }.items():
        done = cli("prepare", *words)
        assert done.code == 2
        assert told in done.err
        assert "Traceback" not in done.err
    assert not list(tmp_path.glob("*-prepared"))
