"""The forms in which people store sets: every one reads as the same set, and what was taken for what is told."""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import Tensor

import rethinkdc as rdc
from rethinkdc.compressed import CompressedSet, FileFacts, read_set, set_of_tensors
from rethinkdc.compressed.class_places import class_places
from rethinkdc.compressed.fitting import fit_set
from rethinkdc.compressed.pixels import to_pixels
from rethinkdc.errors import DataError, RequestError
from rethinkdc.seeds import generator

BYTES = torch.randint(0, 256, (6, 3, 4, 4), dtype=torch.uint8, generator=generator(0))
FLOATS = BYTES.float() / 255
GREY = BYTES[:, :1]
TARGETS = torch.tensor([0, 0, 1, 1, 2, 2])
NAMES = ("a", "b", "c")


def pixels(made: CompressedSet) -> Tensor:
    return made.canvases(torch.arange(len(made)), made.size or 0)


def read(made: CompressedSet) -> str:
    return "; ".join(made.card.notes.get("read", ()))


def saved(path: Path, content: Any) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **{name: value.numpy() for name, value in content.items()})
    else:
        torch.save(content, path)
    return path


def fitted(made: CompressedSet, names: tuple[str, ...] = NAMES) -> CompressedSet:
    return fit_set(
        made, dataset="some", class_names=names, fingerprint="", size=made.size or 0, protocol="p", protocol_digest=""
    )


# -- images ------------------------------------------------------------------------------------------------------------

FORMS: dict[str, tuple[Tensor, Tensor, str]] = {
    "channels last": (FLOATS.permute(0, 2, 3, 1), BYTES, "channels stood last"),
    "bytes, channels last": (BYTES.permute(0, 2, 3, 1), BYTES, "channels stood last"),
    "grey": (GREY.float() / 255, GREY.repeat(1, 3, 1, 1), "grey, repeated"),
    "grey bytes": (GREY, GREY.repeat(1, 3, 1, 1), "grey, repeated"),
    "grey, channels last": (GREY.permute(0, 2, 3, 1), GREY.repeat(1, 3, 1, 1), "stood last; images: grey, repeated"),
    "grey without channels": (GREY[:, 0].double() / 255, GREY.repeat(1, 3, 1, 1), "grey, repeated"),
}


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
@pytest.mark.parametrize("case", FORMS)
def test_images_in_every_form_are_the_same_pixels(case: str, suffix: str, tmp_path: Path) -> None:
    given, expected, told = FORMS[case]
    made = read_set(saved(tmp_path / f"set{suffix}", {"images": given.contiguous(), "labels": TARGETS}))
    assert torch.equal(pixels(made), expected)
    assert told in read(made)
    assert torch.equal(pixels(set_of_tensors(given, TARGETS)), expected)


def test_grey_images_take_one_mean_for_all_channels() -> None:
    normalised = (GREY.double() / 255 - 0.13) / 0.31
    made = set_of_tensors(normalised, TARGETS, mean=(0.13,), std=(0.31,))
    assert torch.equal(pixels(made), GREY.repeat(1, 3, 1, 1))


# -- labels ------------------------------------------------------------------------------------------------------------

ONE_HOT = torch.nn.functional.one_hot(TARGETS)
LABELS: dict[str, tuple[Any, str]] = {
    "whole floats": (TARGETS.float(), "float32 [6], all whole, taken as class indices"),
    "whole halves": (TARGETS.half(), "float16 [6], all whole"),
    "a column": (TARGETS[:, None], "a column"),
    "a column of floats": (TARGETS[:, None].double(), "a column; labels: float64 [6], all whole"),
    "one-hot": (ONE_HOT, "one-hot int64 [6, 3]"),
    "one-hot floats": (ONE_HOT.float(), "one-hot float32 [6, 3]"),
    "one-hot truths": (ONE_HOT.bool(), "one-hot bool [6, 3]"),
    "a row": (TARGETS[None], "labels: a row"),
    "a list": (TARGETS.tolist(), ""),
    "a list of tensors": ([*TARGETS], ""),
    "bytes": (TARGETS.to(torch.uint8), ""),
}


@pytest.mark.parametrize("case", LABELS)
def test_class_indices_in_every_form_are_the_same_classes(case: str, tmp_path: Path) -> None:
    labels, told = LABELS[case]
    made = read_set(saved(tmp_path / "set.pt", {"images": BYTES, "labels": labels}))
    assert torch.equal(made.targets, TARGETS)
    assert made.soft_targets is None
    assert told in read(made)
    assert bool(read(made)) == bool(told)


def test_one_hot_labels_that_are_said_to_be_learned_are_learned(tmp_path: Path) -> None:
    path = saved(tmp_path / "set.pt", {"images": BYTES, "labels": ONE_HOT})
    made = read_set(path, FileFacts(soft_labels="probabilities"))
    assert made.soft_targets is not None
    assert torch.allclose(made.soft_targets.float().softmax(1), ONE_HOT.float(), atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (TARGETS + 0.25, "label 0 is 0.25, no whole number"),
        (torch.tensor([0.0, torch.inf, 1, 1, 2, 2]), "label 1 is inf"),
        (TARGETS > 0, r"found torch.bool \[6\]"),
        (ONE_HOT * 2 + 1, r"found torch.int64 \[6, 3\]"),
        (ONE_HOT - 1 / 3, r"look like one-hot labels that were shifted or scaled \(-0.333 and 0.667\)"),
        (torch.full((6, 3), 1 / 3), "look like probabilities"),
        (torch.randn((6, 3), generator=generator(1)), "--soft-labels logits or probabilities.$"),
    ],
)
def test_labels_that_may_mean_something_else_are_refused(labels: Tensor, message: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=message):
        read_set(saved(tmp_path / "set.pt", {"images": BYTES, "labels": labels}))


def test_two_labels_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    both = {"images": BYTES, "labels": TARGETS, "targets": ONE_HOT}
    assert torch.equal(read_set(saved(tmp_path / "same.pt", both)).targets, TARGETS)
    with pytest.raises(RequestError, match="holds 2 labels that differ"):
        read_set(saved(tmp_path / "other.pt", {**both, "targets": ONE_HOT.flip(0)}))


def test_labels_from_1_on_are_called_so_whatever_they_came_in() -> None:
    made = set_of_tensors(BYTES, TARGETS + 1)
    with pytest.raises(RequestError, match=r"numbered 1 to 3; those of some are counted from 0.*labels - 1"):
        fitted(made)
    with pytest.raises(RequestError, match="has class 3; some has 3 classes"):
        fitted(set_of_tensors(BYTES, torch.tensor([0, 0, 1, 1, 3, 3])))
    more = fitted(made, ("a", "b", "c", "d", "e"))
    assert "no image of class 0 (a): are the labels counted from 1?" in read(more)
    assert "counted" not in read(fitted(set_of_tensors(BYTES, TARGETS)))


# -- entries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("data", "targets"),
        ("x", "y"),
        ("X", "Y"),
        ("image", "label"),
        ("images_train", "labels_train"),
        ("img", "y_syn"),
    ],
)
def test_pairs_of_names_that_mean_one_thing_are_read_and_told(images: str, labels: str, tmp_path: Path) -> None:
    made = read_set(saved(tmp_path / "set.pt", {labels: TARGETS, images: BYTES}))
    assert torch.equal(pixels(made), BYTES)
    assert torch.equal(made.targets, TARGETS)
    assert read(made) == f"images from {images!r}, labels from {labels!r}"


def test_what_is_left_unread_is_told(tmp_path: Path) -> None:
    content = {"x_train": BYTES, "y_train": TARGETS, "x_test": BYTES, "y_test": TARGETS, "lr": 0.1}
    told = read(read_set(saved(tmp_path / "set.pt", content)))
    assert "left unread: x_test, y_test, lr" in told
    assert "if 'lr' is the learned student rate, state --student-lr" in told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"x": BYTES, "images": BYTES, "y": TARGETS}, "Which images are meant: x, images"),
        ({"images": BYTES, "y": TARGETS, "labels": TARGETS, "targets": TARGETS}, "Which labels are meant: y, labels"),
        ({"images": BYTES, "weights": TARGETS}, "holds no labels"),
        ({"weights": BYTES, "labels": TARGETS}, "holds weights .*Known: a mapping with images"),
    ],
)
def test_what_may_be_meant_in_two_ways_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=message):
        read_set(saved(tmp_path / "set.pt", content))


def test_a_pair_is_read_in_either_order(tmp_path: Path) -> None:
    made = read_set(saved(tmp_path / "set.pt", [TARGETS, BYTES]))
    assert torch.equal(made.targets, TARGETS)
    assert "its labels first" in read(made)


def test_a_folder_of_images_and_labels_is_a_set_with_its_rate(tmp_path: Path) -> None:
    folder = tmp_path / "mtt"
    folder.mkdir()
    normalised = (FLOATS - 0.5) / 0.25
    for name, images in (("0", normalised.flip(0)), ("best", normalised)):
        saved(folder / f"images_{name}.pt", images)
        saved(folder / f"labels_{name}.pt", TARGETS)
    saved(folder / "lr.pt", torch.tensor(0.25))
    made = read_set(folder, FileFacts(mean=(0.5,), std=(0.25,)))
    assert torch.equal(pixels(made), BYTES)
    assert (made.student_lr, made.card.method) == (0.25, "mtt")
    assert read(made) == "images of images_best.pt, labels of labels_best.pt"
    (folder / "images_best.pt").rename(folder / "images_1.pt")
    (folder / "labels_best.pt").rename(folder / "labels_1.pt")
    with pytest.raises(RequestError, match=r"holds 2 pairs .*images_0.pt --labels .*labels_0.pt"):
        read_set(folder)
    with pytest.raises(RequestError, match=r"holds no labels.*Beside it lies labels_0.pt: --labels .*labels_0.pt"):
        read_set(folder / "images_0.pt")


def test_images_that_lie_whitened_beside_themselves_are_asked_for(tmp_path: Path) -> None:
    for name in ("images_best", "images_zca_best"):
        saved(tmp_path / f"{name}.pt", FLOATS)
    saved(tmp_path / "labels_best.pt", TARGETS)
    with pytest.raises(RequestError, match=r"Name these: .*images_zca_best.pt --labels .*labels_best.pt"):
        read_set(tmp_path)
    with pytest.raises(RequestError, match=r"Beside it lies labels_best.pt"):
        read_set(tmp_path / "images_zca_best.pt")


def test_arrays_without_names_are_a_pair(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", FLOATS.numpy(), TARGETS.numpy())
    made = read_set(tmp_path / "set.npz")
    assert torch.equal(pixels(made), BYTES)
    assert torch.equal(made.targets, TARGETS)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"it holds float32 \[6, 3\]\. Known: a mapping with images"):
        read_set(saved(tmp_path / "labels.pt", ONE_HOT.float()))


def test_arrays_of_numpy_are_files_of_a_set(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", FLOATS.permute(0, 2, 3, 1).numpy())
    np.save(tmp_path / "labels.npy", TARGETS.numpy())
    made = read_set(tmp_path / "images.npy", FileFacts(labels=tmp_path / "labels.npy"))
    assert torch.equal(pixels(made), BYTES)
    assert torch.equal(made.targets, TARGETS)
    assert torch.equal(pixels(read_set(tmp_path)), BYTES)


def test_a_pickle_is_refused_with_the_lines_that_convert_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pair.pkl").write_bytes(pickle.dumps((FLOATS.numpy(), TARGETS.numpy())))
    with pytest.raises(DataError, match="is a pickle of Python; those are never loaded") as refused:
        read_set("pair.pkl")
    exec("\n".join(line.strip() for line in str(refused.value).splitlines()[1:]))
    assert torch.equal(pixels(read_set("pair.pt")), BYTES)


@pytest.mark.parametrize("names", [("c", "a", "b"), ("b", "c", "a")])
def test_the_class_names_that_a_file_states_say_what_its_indices_mean(names: tuple[str, ...], tmp_path: Path) -> None:
    content = {"images": BYTES, "labels": TARGETS, "class_names": list(names)}
    made = fitted(read_set(saved(tmp_path / "set.pt", content)))
    assert made.targets.tolist() == [NAMES.index(names[index]) for index in TARGETS.tolist()]
    np.savez(tmp_path / "set.npz", images=BYTES.numpy(), labels=TARGETS.numpy(), classes=np.array(names))
    assert torch.equal(fitted(read_set(tmp_path / "set.npz")).targets, made.targets)
    assert f"by the names in the file, {', '.join(names)}" in read(made)
    with pytest.raises(RequestError, match="are not those of some"):
        fitted(made.with_classes(("x", "y", "z"), torch.arange(3)))
    with pytest.raises(RequestError, match=r"it names 2 classes \(x, y\) and has 3"):
        read_set(saved(tmp_path / "set.pt", {**content, "class_names": ["x", "y"]}))


def test_labels_may_be_names_also_of_some_of_the_classes(tmp_path: Path) -> None:
    words = ["c", "c", "a", "a", "c", "a"]
    made = fitted(read_set(saved(tmp_path / "set.pt", {"images": [*BYTES], "labels": words})))
    assert made.targets.tolist() == [NAMES.index(word) for word in words]
    assert "no image of 1 of 3 classes: b" in read(made)
    with pytest.raises(RequestError, match="labels name 'c', which is none of its class names a, b"):
        read_set(saved(tmp_path / "set.pt", {"images": BYTES, "labels": words, "class_names": ["a", "b"]}))


def test_labels_that_contradict_what_was_said_of_them_are_told(tmp_path: Path) -> None:
    soft = torch.nn.functional.one_hot(TARGETS).double() * 4
    content = {"images": BYTES, "labels": TARGETS, "soft_labels": soft.roll(1, 1)}
    told = read(read_set(saved(tmp_path / "set.pt", content), FileFacts(soft_labels="logits")))
    assert "the largest learned label is that of another class in 6 of 6 images" in told
    content = {"images": BYTES, "labels": soft.softmax(1)}
    told = read(read_set(saved(tmp_path / "set.pt", content), FileFacts(soft_labels="logits")))
    assert "add up to 1 in every row, as probabilities do" in told


# -- what storing costs ------------------------------------------------------------------------------------------------


def doubt(images: Tensor, mean: float | None, std: float | None) -> str:
    loss = to_pixels(images, None if mean is None else (mean,), None if std is None else (std,)).loss
    assert loss is not None
    return loss.doubt


WHITENED = torch.randn((40, 3, 8, 8), generator=generator(2))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("images", "mean", "std", "cause"),
    [
        (WHITENED, 0.0, 1.0, "ZCA-whitened .*, or normalised: state the mean and std"),
        (WHITENED, 0.5, 0.4, "ZCA-whitened .*, normalised by another mean and std .* learned far beyond"),
        (WHITENED * 0.6, 0.49, 0.2, "vary by 0.60 .*ZCA-whitened"),
        (BYTES.float(), 0.49, 0.2, "pixels in 0..255: --mean 0 --std 0.00392157"),
        (WHITENED * 4, 0.13, 0.3, "^(?!.*ZCA).*learned far beyond black and white .they vary by 3.98"),
        (FLOATS, 0.49, 0.2, "lie in 0..1 as they are given: they were not normalised"),
        (FLOATS * 2 - 1, 0.49, 0.2, "^(?!.*ZCA).*in -1..1: --mean 0.5 --std 0.5"),
        (FLOATS * 2 - 1, 0.5, 0.5, "^$"),
        ((FLOATS - 0.5) / 0.25, 0.5, 0.25, "^$"),
        (FLOATS, None, None, "^$"),
        (FLOATS * 1.02 - 0.01, 0.0, 1.0, "^$"),
    ],
)
def test_a_large_loss_names_its_likely_cause(images: Tensor, mean: float | None, std: float | None, cause: str) -> None:
    assert re.search(cause, doubt(images, mean, std)), doubt(images, mean, std)


def test_a_large_loss_warns_and_a_small_one_does_not(recwarn: pytest.WarningsRecorder) -> None:
    to_pixels((FLOATS - 0.5) / 0.25, (0.5,), (0.25,))
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"6\d% of the values were clamped, by up to .* of 1; more than 15% is"):
        to_pixels(WHITENED, (0.0,), (1.0,))


def test_a_black_background_that_errs_in_its_last_digit_is_not_clamped() -> None:
    images = torch.zeros(4, 1, 8, 8)
    images[..., 4:] = 1.0
    images = images.sub(0.1307).div(0.3081)
    made = set_of_tensors(images, torch.arange(4), mean=(0.1307,), std=(0.3081,))
    assert made.card.notes["pixels"]["clamped"] == 0
    assert pixels(made).unique().tolist() == [0, 255]


def test_mean_std_and_both_errors_stand_in_the_record(tmp_path: Path) -> None:
    images = torch.zeros(10, 3, 8, 8)
    images[:, 0, 0, 0] = 3.0
    images[0, 0, 0, 1] = 0.001
    stated: dict[str, Any] = {"mean": (0.5,), "std": (0.25, 0.25, 0.25), "protocol": "digits-hard", "device": "cpu"}
    stated |= {"records": tmp_path / "records", "cache_dir": tmp_path / "cache"}
    record = rdc.evaluate(saved(tmp_path / "set.pt", [images, torch.arange(10)]), **stated)
    told = record.notes["pixels"]
    assert (told["mean"], told["std"]) == ([0.5], [0.25, 0.25, 0.25])
    assert told["clamped"] == pytest.approx(10 / 1920)
    assert told["clamp_error"] == pytest.approx(0.25)
    # 0.5 is stored as 128: half a step too much.
    assert told["rounding_error"] == pytest.approx(0.5 / 255, abs=1e-6)


# -- classes -----------------------------------------------------------------------------------------------------------

PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...], list[int], str]] = {
    "numbers with words": (("0_x", "1_x", "10_x", "2_x"), tuple("abcdefghijkl"), [0, 1, 10, 2], "0_x is index 0 (a)"),
    "numbers with the names": (("1-b", "0-a"), ("a", "b"), [1, 0], "1-b is index 1 (b)"),
    "folders as indices": (("00000", "00002"), tuple("abc"), [0, 2], "00000 is index 0 (a)"),
    "the dataset's numbers otherwise spelled": (("01", "02", "10"), ("1", "2", "10"), [0, 1, 2], "dataset's 1"),
    "numbers that say the same either way": (("00", "01", "02"), ("0", "1", "2"), [0, 1, 2], "00 is index 0"),
    "an index by its word": (("class_2", "class_1"), ("0", "1", "10", "2"), [2, 1], "class_2 is index 2 (10)"),
}


TWELVE = tuple(f"{index:02d}" for index in range(12))


@pytest.mark.parametrize("case", PLACES)
def test_classes_are_found_by_names_and_numbers_and_it_is_told(case: str) -> None:
    names, known, places, told = PLACES[case]
    found = class_places(names, known, "some")
    assert found.places.tolist() == places
    assert told in found.told


@pytest.mark.parametrize(
    ("names", "known", "message"),
    [
        (("0_b", "1_a"), ("a", "b"), "class 0_b is number 0, but b is class 1 of some"),
        (TWELVE, tuple(sorted(map(str, range(12)))), "'02' may be class '2' of some, or its class of index 2, .* '10'"),
        (("1", "2", "3"), ("a", "b", "c"), "numbered 1 to 3"),
        (("1_x", "2_x", "3_x"), ("a", "b", "c"), "numbered 1 to 3"),
        (("digit-0", "digit-1"), ("0", "1"), "are not those of some"),
    ],
)
def test_classes_that_may_be_others_are_refused(names: tuple[str, ...], known: tuple[str, ...], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        class_places(names, known, "some")


def test_how_classes_were_found_stands_in_the_notes(
    make_tree: Callable[[Path, list[str]], Path], tmp_path: Path
) -> None:
    made = fitted(read_set(make_tree(tmp_path / "set", ["0_x", "1_x", "2_x"]), cache_folder=tmp_path / "cache"))
    assert made.targets.tolist() == [0, 1, 2]
    assert read(made) == "classes: 0_x is index 0 (a), and so on"


@pytest.fixture
def make_tree() -> Callable[[Path, list[str]], Path]:
    def make(root: Path, names: list[str]) -> Path:
        for name in names:
            (root / name).mkdir(parents=True)
            Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(root / name / "0.png")
        return root

    return make


@pytest.mark.parametrize("named", [False, True])
def test_class_ids_are_indices_unless_their_names_are_stated(tmp_path: Path, named: bool) -> None:
    """Of a dataset whose classes are numbers, sorted as text: its class of index 2 is called 10."""
    known = tuple(sorted(map(str, range(12))))
    images = [Image.fromarray(np.full((8, 8, 3), index, dtype=np.uint8)) for index in range(12)]
    column = {"names": [str(index) for index in range(12)], "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "class_id": column if named else {"dtype": "int64", "_type": "Value"}}
    table = pa.table({"image": pa.array([png(image) for image in images]), "class_id": list(range(12))})
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    (tmp_path / "set").mkdir()
    pq.write_table(table.replace_schema_metadata(about if named else None), tmp_path / "set" / "train.parquet")
    given = read_set(tmp_path / "set", cache_folder=tmp_path / "cache")
    made = fitted(given, known)
    wanted = [known.index(str(index)) for index in range(12)] if named else list(range(12))
    assert made.targets.tolist() == wanted
    told = "classes: labels were taken as indices, so that 2 is the class called 10, and not as names"
    assert read(made) == ("" if named else told)
    tensors = saved(tmp_path / "set.pt", [given.canvases(torch.arange(12), 8), torch.arange(12)])
    assert fitted(read_set(tensors), known).targets.tolist() == list(range(12))
    assert told in read(fitted(read_set(tensors), known))


def test_class_ids_beyond_the_dataset_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    blobs = pa.array([png(Image.new("RGB", (8, 8)))] * 3)
    pq.write_table(pa.table({"image": blobs, "class_id": [1, 2, 3]}), tmp_path / "set" / "train.parquet")
    with pytest.raises(RequestError, match="numbered 1 to 3; those of some are counted from 0"):
        fitted(read_set(tmp_path / "set", cache_folder=tmp_path / "cache"), ("1", "2", "3"))


def png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("images", [FLOATS.to(torch.uint8), FLOATS / 255, FLOATS.double() / 255])
def test_black_images_are_doubted_in_warning_and_record(images: Tensor) -> None:
    with pytest.warns(UserWarning, match="all images are black"):
        made = set_of_tensors(images, TARGETS)
    assert "doubtful: No pixel is above 1 of 255" in read(made)


def test_images_that_are_doubted_are_on_record(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="were not normalised"):
        made = read_set(
            saved(tmp_path / "set.pt", {"images": FLOATS, "labels": TARGETS}), FileFacts(mean=(0.4,), std=(0.2,))
        )
    assert "doubtful: The images lie in 0..1" in read(made)
    with pytest.raises(RequestError, match=r"Pixels in -1..1 are --mean 0.5 --std 0.5"):
        set_of_tensors(FLOATS * 2 - 1, TARGETS)
