"""CIFAR as it is published, from batches that the tests write; and pickles that are more than data."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rethinkdc.errors import DataError
from rethinkdc.files.plain_pickles import read_plain_pickle
from rethinkdc.layouts import FolderDataset
from rethinkdc.layouts.hub import load_path

NAMES = ["plane", "car", "bird"]


def batch(seed: int, rows: int = 6) -> tuple[np.ndarray[Any, Any], list[int]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, 3072), dtype=np.uint8), [row % 3 for row in range(rows)]


def write_python(folder: Path, protocol: int = 2, *, kind: type = bytes) -> None:
    """As torchvision reads them: keys are bytes in what Python 2 wrote, texts in what people write today."""
    folder.mkdir(parents=True)

    def key(text: str) -> Any:
        return text.encode() if kind is bytes else text

    for index, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels, labels = batch(index)
        content = {key("data"): pixels, key("labels"): labels, key("batch_label"): key("x"), key("filenames"): []}
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    meta = {key("label_names"): [key(name) for name in NAMES], key("num_vis"): 3072}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=protocol))


def write_binary(folder: Path) -> None:
    folder.mkdir(parents=True)
    for index, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        pixels, labels = batch(index)
        np.concatenate([np.array(labels, dtype=np.uint8)[:, None], pixels], axis=1).tofile(folder / name)
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("kind", [bytes, str])
def test_cifar_10_for_python_is_read_in_its_own_order(tmp_path: Path, protocol: int, kind: type) -> None:
    write_python(tmp_path / "cifar-10-batches-py", protocol, kind=kind)
    found = load_path(tmp_path)
    assert found.train.class_names == tuple(NAMES)
    assert found.train.targets.tolist() == [0, 1, 2, 0, 1, 2] * 5
    assert torch.equal(found.train.native(torch.tensor([7]))[0].flatten(), torch.from_numpy(batch(1)[0][1]))
    assert torch.equal(found.test.native(torch.tensor([0]))[0].flatten(), torch.from_numpy(batch(5)[0][0]))
    assert load_path(tmp_path / "cifar-10-batches-py").fingerprint == found.fingerprint


def test_the_binary_form_is_the_same_dataset(tmp_path: Path) -> None:
    write_python(tmp_path / "one" / "cifar-10-batches-py")
    write_binary(tmp_path / "two" / "cifar-10-batches-bin")
    assert load_path(tmp_path / "one").fingerprint == load_path(tmp_path / "two").fingerprint
    assert FolderDataset(path=str(tmp_path / "two")).identify(tmp_path / "cache")[1].train == 30


def test_cifar_100_has_its_fine_labels_in_both_forms(tmp_path: Path) -> None:
    python, binary = tmp_path / "cifar-100-python", tmp_path / "other" / "cifar-100-binary"
    python.mkdir()
    binary.mkdir(parents=True)
    for index, name in enumerate(("train", "test")):
        pixels, fine = batch(index)
        coarse = [0] * len(fine)
        content = {b"data": pixels, b"fine_labels": fine, b"coarse_labels": coarse}
        (python / name).write_bytes(pickle.dumps(content, protocol=2))
        both = np.array([coarse, fine], dtype=np.uint8).T
        np.concatenate([both, pixels], axis=1).tofile(binary / f"{name}.bin")
    meta = {b"fine_label_names": [name.encode() for name in NAMES], b"coarse_label_names": [b"thing"]}
    (python / "meta").write_bytes(pickle.dumps(meta, protocol=2))
    (binary / "fine_label_names.txt").write_text("\n".join(NAMES))
    found = load_path(tmp_path)
    assert found.train.targets.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.fingerprint == load_path(binary.parent).fingerprint


class _Runs:
    def __init__(self, call: Callable[..., Any], *values: Any) -> None:
        self.call, self.values = call, values

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.values


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("call", "values"),
    [(os.mkdir, ("ran",)), (eval, ("__import__('os').mkdir('ran')",)), (np.load, ("x",)), (getattr, (os, "mkdir"))],
)
def test_a_pickle_that_calls_anything_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any], values: tuple[Any, ...], protocol: int
) -> None:
    if call is getattr:
        values = ("text", "upper")
    monkeypatch.chdir(tmp_path)
    write_python(tmp_path / "cifar-10-batches-py")
    content = {b"data": _Runs(call, *values), b"labels": []}
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(DataError, match=r"test_batch.* names .*, which is not called here"):
        load_path(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({b"data": np.zeros((2, 3072), dtype=np.float32), b"labels": [0, 1]}, "only those of unsigned bytes"),
        ({b"data": np.array([{}, 1], dtype=object), b"labels": [0, 1]}, "only those of unsigned bytes"),
        ({b"data": np.zeros((2, 9), dtype=np.uint8), b"labels": [0, 1]}, r"shape \[N, 3072\], found an array \[2, 9\]"),
        ({b"data": np.zeros((2, 3072), dtype=np.uint8), b"labels": [0]}, "one whole number for each of its 2 images"),
        ({b"data": np.zeros((2, 3072), dtype=np.uint8)}, "It holds data"),
        ({b"data": np.zeros((2, 3072), dtype=np.uint8), b"labels": [0, 7]}, "gives image 1 the class 7"),
        ([1, 2], "holds a list, expected the dict"),
    ],
)
def test_a_batch_that_is_none_is_refused_by_what_it_holds(tmp_path: Path, content: Any, message: str) -> None:
    write_python(tmp_path / "cifar-10-batches-py")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=message):
        load_path(tmp_path)


def test_a_cut_or_missing_batch_is_named(tmp_path: Path) -> None:
    write_python(tmp_path / "cifar-10-batches-py")
    file = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    whole = file.read_bytes()
    file.write_bytes(whole[:500])
    with pytest.raises(DataError, match=r"Cannot read the batch .*data_batch_3"):
        load_path(tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=r"lacks data_batch_3 of the files .*Unpack the archive again"):
        load_path(tmp_path)
    write_binary(tmp_path / "two" / "cifar-10-batches-bin")
    cut = tmp_path / "two" / "cifar-10-batches-bin" / "test_batch.bin"
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(DataError, match="expected a multiple of 3073"):
        load_path(tmp_path / "two")


def test_two_datasets_in_one_folder_are_refused(tmp_path: Path) -> None:
    write_python(tmp_path / "cifar-10-batches-py")
    write_binary(tmp_path / "cifar-10-batches-bin")
    with pytest.raises(DataError, match="several datasets: cifar-10-batches-py, cifar-10-batches-bin"):
        load_path(tmp_path)


def test_a_global_that_the_opcodes_build_from_the_stack_is_refused_too(tmp_path: Path) -> None:
    file = io.BytesIO()
    file.write(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.")
    (tmp_path / "bad").write_bytes(file.getvalue())
    with pytest.raises(DataError, match=r"names os\.system"):
        read_plain_pickle(tmp_path / "bad")


@pytest.mark.parametrize("lost", [1, 5])
def test_a_batch_that_is_cut_between_two_images_is_refused(tmp_path: Path, lost: int) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    write_binary(folder)
    content = (folder / "data_batch_3.bin").read_bytes()
    (folder / "data_batch_3.bin").write_bytes(content[: -lost * 3073])
    with pytest.raises(DataError, match=rf"hold 6 images each, and data_batch_3\.bin only {6 - lost}: it is cut off"):
        load_path(tmp_path)


def test_classes_without_images_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    write_binary(folder)
    assert not load_path(tmp_path).facts.tell()
    (folder / "batches.meta.txt").write_text("\n".join([*NAMES, "cat"]))
    assert load_path(tmp_path).facts.notes == (
        "1 classes have no images in the training batches: cat.",
        "1 classes have no images in the test batches: cat.",
    )


def test_batches_beside_a_tree_are_not_chosen_in_silence(tmp_path: Path) -> None:
    write_binary(tmp_path / "cifar-10-batches-bin")
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="holds several datasets: cifar-10-batches-bin, and another in train"):
        load_path(tmp_path)
    assert len(load_path(tmp_path / "cifar-10-batches-bin").train) == 30


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, -1], "image 1 the class -1"), ([0, 10**400], "one whole number"), ([0, True], "one whole number")],
)
def test_a_label_that_is_no_class_is_refused(tmp_path: Path, labels: list[Any], message: str) -> None:
    write_python(tmp_path / "cifar-10-batches-py")
    content = {b"data": np.zeros((2, 3072), dtype=np.uint8), b"labels": labels}
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=message):
        load_path(tmp_path)


def test_a_class_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    write_python(tmp_path / "cifar-10-batches-py")
    (tmp_path / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"\xff", b"a"]}))
    with pytest.raises(DataError, match="no UTF-8"):
        load_path(tmp_path)
