"""Sets made elsewhere, and pictures, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from rethinkdc.seeds import generator

MEAN, STD = "0.4914,0.4822,0.4465", "0.2023,0.1994,0.2010"
TARGETS = torch.arange(10)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Ten normalised images of 8 px as DM publishes them, in two experiments."""
    images = torch.randn((10, 3, 8, 8), generator=generator(0))
    data = [[images, TARGETS], [images.flip(0), TARGETS]]
    torch.save({"data": data, "accs_all_exps": {}}, tmp_path / "res_DM_digits.pt")
    return tmp_path / "res_DM_digits.pt"


def test_a_published_file_is_evaluated_at_once(cli: Callable[..., Any], published: Path) -> None:
    given = ("evaluate", str(published), "--mean", MEAN, "--std", STD, "-p", "digits-hard")
    done = cli(*given, "--preview", "grid.png")
    assert done.code == 0, done.err
    assert "res_DM_digits + hard on digits" in done.out
    assert "unknown (made elsewhere)" in done.out
    with Image.open(published.parent / "grid.png") as picture:
        assert picture.height > 10 * 64
    first, other = (json.loads(cli(*given, "--experiment", index, "--json").out)[0] for index in ("0", "1"))
    assert first["result_digest"] != other["result_digest"]


def test_images_and_soft_labels_in_two_files_are_evaluated(cli: Callable[..., Any], tmp_path: Path) -> None:
    torch.save(torch.rand((10, 3, 8, 8), generator=generator(1)), tmp_path / "images_best.pt")
    torch.save(9.0 * torch.eye(10), tmp_path / "labels_best.pt")
    given = ("evaluate", "images_best.pt", "--labels", "labels_best.pt", "--soft-labels", "logits", "--name", "datm")
    done = cli(*given, "-p", "digits-soft", "-l", "soft-static:source=learned")
    assert done.code == 0, done.err
    assert "datm + soft-static:source=learned" in done.out


@pytest.mark.parametrize("rate", ["0.25", "my_lr.pt"])
def test_a_learned_rate_is_a_number_or_the_file_that_holds_it(
    cli: Callable[..., Any], tmp_path: Path, rate: str
) -> None:
    images = torch.rand((10, 3, 8, 8), generator=generator(1))
    torch.save({"images": images, "labels": TARGETS}, tmp_path / "mtt.pt")
    torch.save(torch.tensor(0.25), tmp_path / "my_lr.pt")
    given = ("evaluate", "mtt.pt", "-p", "digits-hard", "--json")
    done = cli(*given, "--student-lr", rate)
    assert done.code == 0, done.err
    assert json.loads(done.out)[0]["key"] != json.loads(cli(*given).out)[0]["key"]


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no mean": ((), "--mean 0.49,0.48,0.45 --std"),
    "words for a mean": (("--mean", "imagenet", "--std", STD), "--mean imagenet: expected three numbers"),
    "only a std": (("--std", STD), "both, or neither"),
    "experiment": (("--mean", MEAN, "--std", STD, "--experiment", "2"), "it holds 2 experiments, counted from 0"),
    "form of labels": (("--soft-labels", "softmax"), "choose logits or probabilities"),
    "labels twice": (("--labels", "res_DM_digits.pt"), "leave out --labels"),
    "size": (("--mean", MEAN, "--std", STD, "-p", "cifar10-small-hard", "-d", "digits"), "digits"),
    "preview": (("--mean", MEAN, "--std", STD, "--preview", "grid"), "--preview grid: name a picture"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_ends_with_2_and_says_what_to_do(
    cli: Callable[..., Any], published: Path, case: str, tmp_path: Path
) -> None:
    words, message = WRONG[case]
    done = cli("evaluate", str(published), "-p", "digits-hard", *words)
    assert done.code == 2, done.err
    assert message in " ".join(done.err.split())
    assert not (tmp_path / "records").exists() or not list((tmp_path / "records").rglob("*.json"))


def test_compress_and_run_write_a_picture(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli("compress", "-d", "digits", "-c", "random", "--out", "set", "--preview", "first.png")
    assert done.code == 0, done.err
    run = cli(
        "run", "-d", "digits", "-c", "random", "--set", "training.steps=2", "--seeds", "0,1", "--preview", "second.png"
    )
    assert run.code == 0, run.err
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
