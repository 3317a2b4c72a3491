"""Finished sets: one set in the forms that people store, and published files as they are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.compressed import CompressedSet, FileFacts, read_set
from rethinkdc.compressed.fitting import fit_set
from rethinkdc.errors import RequestError

DIGITS = tuple(map(str, range(10)))
CIFAR: dict[str, Any] = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}
MNIST: dict[str, Any] = {"mean": (0.1307,), "std": (0.3081,)}
PLAIN: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
READ = {
    "good.pt": "",
    "label_float.pt": "labels: float32 [50], all whole, taken as class indices",
    "label_column.pt": "labels: a column",
    "label_onehot_int.pt": "labels: one-hot int64 [50, 10], taken as class indices",
    "label_onehot_float.pt": "labels: one-hot float32 [50, 10], taken as class indices",
    "data_targets.pt": "images from 'data', labels from 'targets'",
    "x_y.pt": "images from 'x', labels from 'y'",
    "singular.pt": "images from 'image', labels from 'label'",
    "images_train.pt": "images from 'images_train', labels from 'labels_train'",
    "mtt_folder": "images of images_best.pt, labels of labels_best.pt",
    "grey.pt": "images: grey, repeated in three channels",
    "grey3d.pt": "images: grey, repeated in three channels",
    "nhwc.pt": "images: the channels stood last",
    "with_lr.pt": "left unread: lr",
    "bf16.pt": "",
    "exp.pt": "",
    "pair.pt": "",
    "param_dict.pt": "",
    "tuple.pt": "",
    "t_syn": "",
    "t_idx_name": "classes: 0_digit is index 0 (0), and so on",
    "t_classid": "classes: class000 is index 0 (0), and so on",
    "t_index": "classes: 00000 is index 0 (0), and so on",
    "t_ipc": "classes: 00000 is index 0 (0), and so on",
    "t_new": "classes: new000 is index 0 (0), and so on",
}
REFUSED = {
    "images.npy": "it holds no labels. Name the file that does with --labels FILE",
    "param.pt": "it holds no labels. Name the file that does with --labels FILE",
    "kip_like.npz": "its labels are soft: say what they are .*shifted or scaled .*labels.argmax.1. are their class",
    "one_based.pt": "classes are numbered 1 to 10; those of digits are counted from 0",
    "t_one_based": "classes are numbered 1 to 10; those of digits are counted from 0",
    "t_wrong": r"classes \(digit-0, .*\) are not those of digits",
    "t_val": "has no train split; found validation",
    "flat_files": "No column label .*it has image",
    "float255.pt": "Pixels in 0..255 are --mean 0 --std 0.00392157",
    "list_by_class.pt": "it holds a list of 10. Known: a mapping with images and labels",
    "pair.pkl": r"pickle of Python; .*\n  import pickle, torch\n  torch\.save\(",
    "tensordataset.pt": "holds objects that are no tensors .*torch.save",
}


def fitted(path: Path, **facts: Any) -> CompressedSet:
    return fit_set(
        read_set(path, FileFacts(**facts)),
        dataset="digits",
        class_names=DIGITS,
        fingerprint="f",
        size=8,
        protocol="p",
        protocol_digest="d",
    )


def test_every_input_has_an_answer(names_in: Callable[[str], set[str]]) -> None:
    assert names_in("sets") == {*READ, *REFUSED}
    assert names_in("real") == {*REAL, *PARTS, *MADE}


@pytest.mark.parametrize("name", READ)
@pytest.mark.usefixtures("quiet")
def test_sets(name: str, cases: Path) -> None:
    made, plain = fitted(cases / "sets" / name), fitted(cases / "sets" / "good.pt")
    told = made.card.notes.get("read", [])
    assert READ[name] in told or (not READ[name] and not told)
    assert made.class_names == DIGITS
    assert torch.equal(made.targets, plain.targets)
    every = torch.arange(50)
    assert torch.equal(made.canvases(every, 8), plain.canvases(every, 8))


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("quiet")
def test_sets_that_may_be_meant_otherwise_are_refused(name: str, cases: Path) -> None:
    with pytest.raises(RequestError, match=REFUSED[name]):
        fitted(cases / "sets" / name)


def test_what_a_refusal_tells_to_do_works(cases: Path) -> None:
    plain = fitted(cases / "sets" / "good.pt").canvases(torch.arange(50), 8)
    scaled = fitted(cases / "sets" / "float255.pt", mean=(0.0,) * 3, std=(0.00392157,) * 3)
    assert torch.equal(scaled.canvases(torch.arange(50), 8), plain)


# -- published files ---------------------------------------------------------------------------------------------------

REAL: dict[str, tuple[dict[str, Any], tuple[int, int, float, float], str]] = {
    "ddr_datm_zca_images.pt": (
        {**PLAIN, "labels": "ddr_datm_zca_labels.pt", "soft_labels": "logits"},
        (100, 32, 0.5421, 4.058),
        "54% of the values were clamped, by up to 4.06 of 1; .*ZCA",
    ),
    "ddr_images_DC_CIFAR10_1_best.pt": (
        {**CIFAR, "labels": "ddr_labels_DC_CIFAR10_1_best.pt"},
        (10, 32, 0.0557, 0.607),
        "",
    ),
    "dg_res_DC_CIFAR10_ConvNet_1ipc_2000.pt": (CIFAR, (10, 32, 0.0362, 0.610), ""),
    "dg_res_DC_MNIST_ConvNet_1ipc.pt": (MNIST, (10, 28, 0.8657, 1.244), "87% of the values were clamped"),
    "dg_res_DC_MNIST_RandomChoose_1ipc.pt": (MNIST, (10, 28, 0.8610, 10.197), "86% of the values were clamped"),
}
"""How each is read, its images, side, share and size of what was clamped, and the warning."""
PARTS = ("ddr_datm_zca_labels.pt", "ddr_datm_zca_lr.pt", "ddr_labels_DC_CIFAR10_1_best.pt")
MADE = ("dh_*.pt",)
"""Grey sets of another copy that the answers name and nobody keeps: made below."""


@pytest.mark.parametrize("name", REAL)
def test_published_sets_tell_what_storing_them_loses(name: str, cases: Path) -> None:
    facts, (count, side, clamped, error), warning = REAL[name]
    labels = {"labels": cases / "real" / facts["labels"]} if "labels" in facts else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = read_set(cases / "real" / name, FileFacts(**{**facts, **labels}))
    assert (len(made), made.size) == (count, side)
    pixels = made.card.notes["pixels"]
    assert pixels["clamped"] == pytest.approx(clamped, abs=1e-4)
    assert pixels["clamp_error"] == pytest.approx(error, abs=1e-3)
    assert pixels["rounding_error"] <= 0.5 / 255 + 1e-6
    assert [bool(re.match(warning, str(each.message))) for each in caught] == [True] * bool(warning)
    if facts.get("soft_labels"):
        assert made.soft_targets is not None


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_a_set_alone_is_refused(name: str, cases: Path) -> None:
    with pytest.raises(RequestError, match=r"no labels|Known: a mapping"):
        read_set(cases / "real" / name)


def test_grey_images_are_repeated_as_grey_files_are(tmp_path: Path) -> None:
    grey = torch.linspace(-0.4, 2.8, 10 * 28 * 28).view(10, 1, 28, 28)
    torch.save({"data": [[grey, torch.arange(10)]], "accs_all_exps": {}}, tmp_path / "dh_res.pt")
    made = read_set(tmp_path / "dh_res.pt", FileFacts(**MNIST))
    pixels = made.canvases(torch.arange(10), 28)
    assert torch.equal(pixels[:, 0], pixels[:, 2])
    assert "images: grey, repeated in three channels" in made.card.notes["read"]
