"""Sets made elsewhere: files of tensors, trees of images, Parquet without a card."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

import rethinkdc as rdc
from rethinkdc.compressed import (
    Card,
    CompressedSet,
    FileFacts,
    LabelForm,
    read_set,
    reading,
    set_name,
    set_of_tensors,
    tensors,
)
from rethinkdc.compressed.class_places import class_places
from rethinkdc.compressed.pixels import to_pixels
from rethinkdc.compressed.tensors import as_logits
from rethinkdc.errors import DataError, RequestError
from rethinkdc.layouts.image_tree import scan
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.seeds import generator

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
BYTES = torch.randint(0, 256, (6, 3, 4, 4), dtype=torch.uint8, generator=generator(0))
TARGETS = torch.tensor([0, 0, 1, 1, 2, 2])
LOGITS = torch.randn((6, 3), generator=generator(1))


def normalised(images: Tensor) -> Tensor:
    """As the papers' code stores them: float32 of channel mean 0 and std 1, about."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (images.float() / 255 - mean) / std


def pixels(made: CompressedSet) -> Tensor:
    return made.canvases(torch.arange(len(made)), made.size or 0)


# -- pixels ------------------------------------------------------------------------------------------------------------


def test_normalised_images_come_back_to_the_byte() -> None:
    made = to_pixels(normalised(BYTES), MEAN, STD)
    assert torch.equal(made.canvases, BYTES)
    assert made.loss is not None
    assert made.loss.clamp_error < 1e-6
    assert made.loss.rounding_error < 1e-6
    assert made.loss.clamped == 0


@pytest.mark.filterwarnings("ignore:33% of the values")
def test_what_lies_outside_is_clamped_and_both_errors_are_the_hand_worked_ones() -> None:
    images = torch.full((1, 3, 1, 1), 0.25)
    images[0, 0], images[0, 1] = 1.5, -1.0
    # times 0.5 plus 0.5: 1.25, 0 and 0.625; 0.625 * 255 = 159.375 is stored as 159.
    made = to_pixels(images, (0.5,), (0.5,))
    assert made.canvases.flatten().tolist() == [255, 0, 159]
    assert made.loss is not None
    assert made.loss.clamp_error == pytest.approx(0.25)
    assert made.loss.rounding_error == pytest.approx(0.375 / 255)
    assert made.loss.clamped == pytest.approx(1 / 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_float_images_in_0_to_1_are_those_of_bytes(dtype: torch.dtype) -> None:
    assert torch.equal(to_pixels((BYTES.double() / 255).to(dtype)).canvases, BYTES)


def test_more_images_than_are_converted_at_a_time_are_all_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rethinkdc.compressed.pixels._IMAGES", 4)
    assert torch.equal(to_pixels(normalised(BYTES), MEAN, STD).canvases, BYTES)


def test_labels_are_converted_in_parts_and_errors_name_the_row_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubles of all labels would be many times the file: 50,000 of 1,000 classes are 100 MB in float16."""
    whole = as_logits(LOGITS, "logits")
    monkeypatch.setattr("rethinkdc.compressed.tensors._LABELS", 4)
    seen: list[int] = []
    real = tensors._shift

    def converted(some: Tensor, form: LabelForm, first: int) -> Tensor:
        seen.append(len(some))
        return real(some, form, first)

    monkeypatch.setattr(tensors, "_shift", converted)
    assert torch.equal(as_logits(LOGITS, "logits"), whole)
    assert seen == [4, 2]
    wrong = LOGITS.softmax(1)
    wrong[5] *= 2
    with pytest.raises(RequestError, match="image 5 is no probability"):
        as_logits(wrong, "probabilities")
    with pytest.raises(RequestError, match="image 4 holds"):
        as_logits(LOGITS.index_fill(0, torch.tensor(4), torch.nan), "logits")


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "normalised": (lambda: to_pixels(normalised(BYTES)), r"found torch.float32 in -.*--mean .*--std"),
    "bytes with a mean": (lambda: to_pixels(BYTES, MEAN, STD), "pixels already"),
    "floats of 8 bits": (lambda: to_pixels(BYTES.to(torch.float8_e4m3fn)), "found torch.float8_e4m3fn"),
    "only a mean": (lambda: to_pixels(normalised(BYTES), MEAN), "both, or neither"),
    "two means": (lambda: to_pixels(normalised(BYTES), (0.5, 0.5), STD), "three numbers"),
    "std of 0": (lambda: to_pixels(normalised(BYTES), MEAN, (0.0,)), "positive"),
    "not finite": (lambda: to_pixels(spoiled(4, torch.inf), MEAN, STD), "Image 4 holds values that are not finite"),
    "not a number": (lambda: to_pixels(spoiled(3, torch.nan), MEAN, STD), "Image 3 holds values"),
    "integers": (lambda: to_pixels(BYTES.int()), "found torch.int32"),
    "a mask": (lambda: set_of_tensors(BYTES[:, [0, 1, 2, 0]], TARGETS), "Four channels are colours and a mask"),
    "rows": (lambda: set_of_tensors(BYTES.flatten(1), TARGETS), r"reshape\(-1, 3, S, S\)"),
    "by class": (lambda: set_of_tensors(BYTES.view(3, 2, 3, 4, 4), TARGETS), r"flatten\(0, 1\)"),
    "grey with three means": (
        lambda: set_of_tensors(BYTES[:, :1].float() / 255, TARGETS, mean=MEAN, std=STD),
        "one mean and one std",
    ),
    "oblong": (lambda: set_of_tensors(BYTES[..., :2], TARGETS), r"found \[6, 3, 4, 2\]"),
    "few soft labels": (
        lambda: set_of_tensors(BYTES, TARGETS, soft_targets=LOGITS[:5]),
        r"float \[6, C\] .* found torch.float32 \[5, 3\]",
    ),
    "narrow soft labels": (lambda: set_of_tensors(BYTES, TARGETS, soft_targets=LOGITS[:, :2]), "at least 3 classes"),
    "soft labels without a value": (
        lambda: set_of_tensors(BYTES, TARGETS, soft_targets=LOGITS.log()),
        "soft label of image . holds values that are not finite",
    ),
    "an index of no class": (lambda: set_of_tensors(BYTES, TARGETS + 2**40), "below 1,000,000; found 1099511627776"),
}


def spoiled(row: int, value: float) -> Tensor:
    images = normalised(BYTES)
    images[row, 1, 2, 3] = value
    return images


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_set_is_refused(case: str) -> None:
    call, message = WRONG[case]
    with pytest.raises(RequestError, match=message):
        call()


@pytest.mark.parametrize("dtype", [torch.int8, torch.int32, torch.uint16, torch.uint64])
def test_class_indices_of_any_integer_type_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    made = read_set(written(tmp_path / "set.pt", [BYTES, TARGETS.to(dtype)]))
    assert (made.targets.tolist(), made.targets.dtype, made.card.ipc) == (TARGETS.tolist(), torch.int64, 2)


def test_logits_beyond_float16_stay_finite_labels() -> None:
    made = set_of_tensors(BYTES, TARGETS, soft_targets=LOGITS + 1e6)
    assert made.soft_targets is not None
    assert torch.allclose(made.soft_targets.float().softmax(1), LOGITS.softmax(1), atol=0.05)


# -- learned labels ----------------------------------------------------------------------------------------------------


def test_logits_and_probabilities_of_the_same_label_are_stored_alike() -> None:
    stored = as_logits(LOGITS, "logits")
    assert stored.dtype == torch.float16
    assert stored.max(dim=1).values.tolist() == [0.0] * 6
    assert torch.allclose(stored.float().softmax(1), LOGITS.softmax(1), atol=1e-3)
    assert torch.allclose(as_logits(LOGITS.softmax(1), "probabilities").float(), stored.float(), atol=2e-3)


def test_a_probability_of_0_and_a_huge_logit_stay_finite() -> None:
    sure = as_logits(torch.tensor([[1.0, 0.0]]), "probabilities")
    assert torch.isfinite(sure).all()
    assert sure.float().softmax(1)[0, 1] < 1e-9
    huge = as_logits(torch.tensor([[1e6, 0.0]]), "logits")
    assert huge.tolist() == [[0.0, -65504.0]]


@pytest.mark.parametrize(
    ("labels", "form", "message"),
    [
        (LOGITS, "probabilities", "image . is no probability of each class.*Say logits"),
        (torch.tensor([[0.5, 0.2]]), "probabilities", "the sum 0.7"),
        (torch.tensor([[0.5, torch.nan]]), "logits", "image 0 holds values that are not finite"),
    ],
)
def test_labels_that_are_not_what_they_are_said_to_be_are_refused(
    labels: Tensor, form: LabelForm, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        as_logits(labels, form)


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["labels", "targets"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_a_mapping_of_images_and_labels_is_a_set(tmp_path: Path, suffix: str, key: str) -> None:
    path = written(tmp_path / f"mtt{suffix}", {"images": normalised(BYTES), key: TARGETS})
    made = read_set(path, FileFacts(mean=MEAN, std=STD))
    assert torch.equal(pixels(made), BYTES)
    assert torch.equal(made.targets, TARGETS)
    assert (made.class_names, made.size, set_name(path)) == (("class 0", "class 1", "class 2"), 4, "mtt")
    assert (made.sources == -1).all()


def test_the_card_names_the_file_and_an_unknown_source_and_the_errors(tmp_path: Path) -> None:
    images = normalised(BYTES)
    images[0, 0, 0, 0] = 9.0
    made = read_set(written(tmp_path / "dm.pt", {"images": images, "labels": TARGETS}), FileFacts(mean=MEAN, std=STD))
    assert (made.card.method, made.card.ipc) == ("dm", 2)
    assert made.card.external_data == made.card.notes["external_data"] == ["unknown (made elsewhere)"]
    assert made.card.clamp_error == pytest.approx(9 * 0.2 + 0.5 - 1)
    assert made.card.dataset_fingerprint == ""


def test_images_and_labels_in_two_files_are_a_set(tmp_path: Path) -> None:
    """As MTT stores them."""
    images = written(tmp_path / "images_best.pt", BYTES.float() / 255)
    labels = written(tmp_path / "labels_best.pt", TARGETS)
    made = read_set(images, FileFacts(labels=labels))
    assert torch.equal(pixels(made), BYTES)
    assert torch.equal(made.targets, TARGETS)


def test_soft_labels_in_a_file_of_their_own_are_learned_labels(tmp_path: Path) -> None:
    """As DATM stores them: logits that require a gradient."""
    images = written(tmp_path / "images_best.pt", BYTES.float().div(255).requires_grad_())
    labels = written(tmp_path / "labels_best.pt", torch.nn.Parameter(LOGITS.clone()))
    made = read_set(images, FileFacts(labels=labels, soft_labels="logits"))
    assert made.soft_targets is not None
    assert torch.equal(made.soft_targets, as_logits(LOGITS, "logits"))
    assert torch.equal(made.targets, LOGITS.argmax(dim=1))
    assert len(made.class_names) == 3


def test_class_indices_beside_soft_labels_are_the_targets(tmp_path: Path) -> None:
    path = written(tmp_path / "both.safetensors", {"images": BYTES, "targets": TARGETS, "labels": LOGITS.softmax(1)})
    made = read_set(path, FileFacts(soft_labels="probabilities"))
    assert torch.equal(made.targets, TARGETS)
    assert made.soft_targets is not None
    assert torch.allclose(made.soft_targets.float().softmax(1), LOGITS.softmax(1), atol=1e-3)


@pytest.mark.parametrize(
    "stored", [torch.tensor(0.25, requires_grad=True), torch.tensor([0.25]), {"lr": torch.tensor(0.25)}]
)
def test_the_learned_rate_beside_images_and_labels_is_read_and_noted(tmp_path: Path, stored: Any) -> None:
    """As MTT stores it."""
    images = written(tmp_path / "images_best.pt", BYTES.float() / 255)
    labels = written(tmp_path / "labels_best.pt", TARGETS)
    written(tmp_path / "lr_best.pt", torch.tensor(0.5))
    without = read_set(images, FileFacts(labels=labels))
    written(tmp_path / "lr.pt", stored)
    made = read_set(images, FileFacts(labels=labels))
    assert (without.student_lr, made.student_lr) == (None, 0.25)
    assert "student_lr" not in without.card.notes
    assert made.card.notes["student_lr"] == "read from lr.pt"
    named = read_set(images, FileFacts(labels=labels, student_lr=tmp_path / "lr_best.pt"))
    assert (named.student_lr, named.card.notes["student_lr"]) == (0.5, "read from lr_best.pt")
    assert read_set(images, FileFacts(labels=labels, student_lr=0.75)).student_lr == 0.75


def test_a_mapping_states_its_rate_and_takes_none_from_files_beside_it(tmp_path: Path) -> None:
    written(tmp_path / "lr.pt", torch.tensor(0.5))
    plain = written(tmp_path / "plain.pt", {"images": BYTES, "labels": TARGETS})
    assert read_set(plain).student_lr is None
    path = written(tmp_path / "set.pt", {"images": BYTES, "labels": TARGETS, "student_lr": torch.tensor(0.25)})
    made = read_set(path)
    assert (made.student_lr, made.card.notes["student_lr"]) == (0.25, "read from set.pt")


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (torch.ones(2), r"lr.pt holds torch.float32 \[2\]"),
        (torch.tensor(-1.0), "positive finite number; found -1"),
        (["0.1"], "holds a list of 1; expected one number"),
    ],
)
def test_a_file_that_holds_no_rate_is_named(tmp_path: Path, stored: Any, message: str) -> None:
    path = written(tmp_path / "set.pt", {"images": BYTES, "labels": TARGETS})
    with pytest.raises(RequestError, match=message):
        read_set(path, FileFacts(student_lr=written(tmp_path / "lr.pt", stored)))


@pytest.mark.parametrize(("experiment", "expected"), [(None, 0), (0, 0), (2, 2)])
def test_one_of_several_experiments_is_chosen(tmp_path: Path, experiment: int | None, expected: int) -> None:
    """As DC, DSA and DM store them: NumPy's accuracies beside the images."""
    data = [[normalised(BYTES.roll(index, 0)), TARGETS] for index in range(3)]
    accuracies = {"ConvNet": [np.float64(0.5), np.float32(0.25), np.int64(3)]}
    path = written(tmp_path / "res_DM_CIFAR10_ConvNet_10ipc.pt", {"data": data, "accs_all_exps": accuracies})
    made = read_set(path, FileFacts(mean=MEAN, std=STD, experiment=experiment))
    assert torch.equal(pixels(made), BYTES.roll(expected, 0))
    assert made.card.notes["experiment"] == f"{expected} of 3"
    assert made.card.method == "res_DM_CIFAR10_ConvNet_10ipc"


def test_numbers_of_an_older_numpy_are_read(tmp_path: Path) -> None:
    written(path := tmp_path / "old.pt", {"images": BYTES, "labels": TARGETS, "accuracy": np.float64(0.5)})
    import zipfile

    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    # The module's name before NumPy 2; pickle protocol 2 writes it as plain text, so that no length changes.
    files = {
        name: content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray") for name, content in files.items()
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert torch.equal(pixels(read_set(path)), BYTES)


def test_files_of_torch_before_its_archives_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save({"images": BYTES, "labels": TARGETS}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(pixels(read_set(path)), BYTES)


class Reduced:
    """What would run a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_pickled_objects_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Any) -> None:
    monkeypatch.chdir(tmp_path)
    save({"images": BYTES, "labels": TARGETS, "more": Reduced()}, tmp_path / "bad.pt")
    with pytest.raises(DataError, match=r"bad.pt (holds objects that are no tensors|is a pickle of Python)"):
        read_set(tmp_path / "bad.pt")
    assert not (tmp_path / "ran").exists()


FILES: dict[str, tuple[Any, FileFacts, str]] = {
    "no labels": ({"images": BYTES}, FileFacts(), "no labels. Name the file that does with --labels"),
    "no images": (
        {"frames": BYTES, "labels": TARGETS},
        FileFacts(),
        r"holds frames \(uint8 \[6, 3, 4, 4\]\), labels",
    ),
    "soft labels of unknown form": ({"images": BYTES, "labels": LOGITS}, FileFacts(), "--soft-labels logits or prob"),
    "hard labels said to be soft": (
        {"images": BYTES, "labels": TARGETS},
        FileFacts(soft_labels="logits"),
        "leave out --soft-labels",
    ),
    "experiment of one set": ({"images": BYTES, "labels": TARGETS}, FileFacts(experiment=0), "leave out --experiment"),
    "experiment too high": (
        {"data": [[BYTES, TARGETS]]},
        FileFacts(experiment=1),
        "holds 1 experiments, counted from 0",
    ),
    "floats in place of labels": (
        {"images": BYTES, "labels": TARGETS + 0.5},
        FileFacts(),
        r"found torch.float32 \[6\]; label 0 is 0.5, no whole number",
    ),
    "too few labels": ({"images": BYTES, "labels": TARGETS[:4]}, FileFacts(), r"int64 \[6\].* found torch.int64 \[4\]"),
    "too few soft labels": (
        {"images": BYTES, "labels": LOGITS[:4]},
        FileFacts(soft_labels="logits"),
        r"float \[6, C\]; found \[4, 3\]",
    ),
    "negative labels": ({"images": BYTES, "labels": TARGETS - 1}, FileFacts(), "from 0, below 1,000,000; found -1"),
    "sparse images": ([BYTES.to_sparse(), TARGETS], FileFacts(), "a tensor that is sparse_coo, and only dense ones"),
    "meta labels": ([BYTES, TARGETS.to("meta")], FileFacts(), "a tensor that is meta, and only dense ones"),
    "three tensors": ([BYTES, TARGETS, TARGETS], FileFacts(), "holds a list of 3. Known: "),
    "a number": (3, FileFacts(), "holds int"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_holds_no_set_is_named_with_what_it_holds(tmp_path: Path, case: str) -> None:
    content, form, message = FILES[case]
    path = written(tmp_path / "set.pt", content)
    with pytest.raises(RequestError, match=rf"Cannot read a set from .*set\.pt: .*{message}"):
        read_set(path, form)


@pytest.mark.parametrize("name", ["set.pt", "set.safetensors", "set.npz", "set.npy"])
@pytest.mark.parametrize("content", [b"", b"no tensors at all", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_set(tmp_path / name)


def test_a_file_that_is_not_there_or_of_another_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*none\.pt"):
        read_set(tmp_path / "none.pt")
    (tmp_path / "set.h5").write_bytes(b"\x89HDF")
    with pytest.raises(DataError, match=r"set.h5: known are files named .safetensors, .*torch.save\(.*numpy.savez"):
        read_set(tmp_path / "set.h5")
    with pytest.raises(DataError, match="no compressed set at"):
        read_set(tmp_path / "none")


def written(path: Path, content: Any) -> Path:
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


# -- trees, Parquet, and evaluation ------------------------------------------------------------------------------------


def tree(root: Path, names: list[str], per_class: int = 2, size: int = 8) -> Path:
    for index, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            picture = np.full((size, size, 3), 10 * index + number, dtype=np.uint8)
            Image.fromarray(picture).save(root / name / f"class{index:03d}_id{number:03d}.png")
    return root


def test_a_tree_of_images_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []

    def scanned(root: Path) -> Labelled:
        listed.append(root)
        return scan(root)

    monkeypatch.setattr(reading, "scan", scanned)
    read_set(tree(tmp_path / "set", ["cat", "dog"]), cache_folder=tmp_path / "cache")
    assert listed == [tmp_path / "set"]


@pytest.mark.parametrize("split", ["", "train"])
def test_a_tree_of_images_is_a_set_with_its_folders_as_classes(tmp_path: Path, split: str) -> None:
    tree(tmp_path / "sre2l" / split, ["cat", "dog"])
    made = read_set(tmp_path / "sre2l", cache_folder=tmp_path / "cache")
    assert (made.class_names, made.targets.tolist(), made.size) == (("cat", "dog"), [0, 0, 1, 1], 8)
    assert made.canvases(torch.tensor([3]), 8).unique().tolist() == [11]
    assert (made.card.method, made.card.ipc) == ("sre2l", 2)
    assert made.card.external_data == ["unknown (made elsewhere)"]


def test_options_of_tensors_are_refused_for_a_folder(tmp_path: Path) -> None:
    tree(tmp_path / "set", ["cat", "dog"])
    with pytest.raises(RequestError, match=r"--mean, --std: .* is no file of tensors"):
        read_set(tmp_path / "set", FileFacts(mean=MEAN, std=STD))


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}


def digits() -> tuple[Tensor, Tensor]:
    return torch.randint(0, 256, (10, 3, 8, 8), dtype=torch.uint8, generator=generator(3)), torch.arange(10)


def test_a_file_evaluates_as_its_tensors_do(tmp_path: Path, machine: dict[str, Any]) -> None:
    images, targets = digits()
    path = written(tmp_path / "dm.pt", {"data": [[normalised(images), targets]]})
    record = rdc.evaluate(path, protocol="digits-hard", mean=MEAN, std=STD, **machine)
    plain = rdc.evaluate(images, targets, protocol="digits-hard", **machine)
    assert record.result_digest == plain.result_digest
    assert (record.names.compressor, record.names.ipc) == ("dm", "1")
    assert record.notes["external_data"] == ["unknown (made elsewhere)"]
    stated = rdc.evaluate(normalised(images), targets, protocol="digits-hard", mean=MEAN, std=STD, **machine)
    assert stated.key == plain.key


def test_learned_labels_of_a_file_train_the_student(tmp_path: Path, machine: dict[str, Any]) -> None:
    images, targets = digits()
    path = written(tmp_path / "datm.pt", {"images": images, "labels": 8.0 * torch.eye(10)[targets]})
    given: dict[str, Any] = {"protocol": "digits-soft", "soft_labels": "logits", **machine}
    record = rdc.evaluate(path, labeler="soft-static:source=learned", **given)
    assert record.track == "static"
    assert record.cost is not None
    assert record.cost.label_bytes == 10 * 10 * 2


def test_soft_labels_of_other_classes_are_refused(tmp_path: Path, machine: dict[str, Any]) -> None:
    images, _ = digits()
    path = written(tmp_path / "some.pt", {"images": images, "labels": torch.rand(10, 7)})
    with pytest.raises(RequestError, match="soft labels are of 7 classes; digits has 10"):
        rdc.evaluate(
            path, protocol="digits-soft", labeler="soft-static:source=learned", soft_labels="logits", **machine
        )


def test_numbered_folders_are_class_indices_in_any_spelling(tmp_path: Path, machine: dict[str, Any]) -> None:
    """Sorted as text, class 10 comes before class 2."""
    names = tuple(sorted(f"new{index}" for index in range(12)))
    assert class_places(names, tuple("abcdefghijkl"), "some").places.tolist() == [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]
    assert class_places(("00001", "00003"), tuple("abcd"), "some").places.tolist() == [1, 3]
    assert class_places(("b", "a"), ("a", "b"), "some").places.tolist() == [1, 0]
    assert class_places(("d", "a"), tuple("abcd"), "some").places.tolist() == [3, 0]
    for wrong in (("n01440764", "n01443537"), ("1", "01"), ("a", "x")):
        with pytest.raises(RequestError, match="are not those of some"):
            class_places(wrong, tuple("abcd"), "some")
    with pytest.raises(RequestError, match="has class 4; some has 4 classes"):
        class_places(("0", "4"), tuple("abcd"), "some")
    tree(tmp_path / "rded", [f"{index:05d}" for index in range(10)], per_class=1)
    record = rdc.evaluate(tmp_path / "rded", protocol="digits-hard", **machine)
    assert record.histogram == [1] * 10


def test_indices_of_tensors_are_places_also_where_the_datasets_names_are_numbers_in_another_order() -> None:
    """A tree whose folders are numbers is sorted as text: its class of index 2 is called 10."""
    names = tuple(sorted(map(str, range(12))))
    made = set_of_tensors(BYTES, TARGETS + torch.tensor([0, 0, 0, 0, 9, 9]))
    assert class_places(made.class_names, names, "some").places.tolist() == list(range(12))


def test_parquet_without_a_card_is_a_set_from_an_unknown_source(tmp_path: Path) -> None:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(buffer, "PNG")
    rows = {"image": [{"bytes": buffer.getvalue(), "path": None}] * 4, "class_id": pa.array([0, 0, 1, 1], pa.int32())}
    folder = tmp_path / "2025-rethinkdc-imagenet-pca-ipc-2"
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.table(rows), folder / "data" / "train-00000-of-00001-0123456789abcdef.parquet")
    made = read_set(folder, cache_folder=tmp_path / "cache")
    assert (made.targets.tolist(), made.class_names, made.size) == ([0, 0, 1, 1], ("0", "1"), 8)
    assert (made.card.method, made.card.ipc) == (folder.name, 2)


def test_a_hub_id_is_read_through_datasets_and_a_missing_one_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    asked: list[str] = []

    def load(name: str, cache_dir: str | None) -> Any:
        asked.append(name)
        if name.endswith("missing"):
            raise ConnectionError("no network")
        pictures = [Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8))] * 2
        features = datasets.Features({"image": datasets.Image(), "class_id": datasets.Value("int32")})
        return {"train": datasets.Dataset.from_dict({"image": pictures, "class_id": [0, 1]}, features=features)}

    monkeypatch.setattr(datasets, "load_dataset", load)
    made = read_set("he-yang/2025-rethinkdc-imagenet-pca-ipc-1", cache_folder=tmp_path / "cache")
    assert (made.targets.tolist(), made.card.method) == ([0, 1], "2025-rethinkdc-imagenet-pca-ipc-1")
    with pytest.raises(DataError, match=r"missing: ConnectionError: no network\. .*hf download he-yang/missing"):
        read_set("he-yang/missing")
    assert asked == ["he-yang/2025-rethinkdc-imagenet-pca-ipc-1", "he-yang/missing"]


def test_a_card_that_is_given_keeps_what_it_says() -> None:
    made = set_of_tensors(BYTES, TARGETS, card=Card(method="mine", rounding_error=0.5))
    assert (made.card.method, made.card.rounding_error) == ("mine", 0.0)
