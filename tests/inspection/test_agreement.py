"""What an inspection says of a file is what a run or an evaluation does with it: files of each kind, made here."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import rethinkdc as rdc
from rethinkdc.errors import RequestError
from rethinkdc.inspection.findings import (
    DatasetFinding,
    RowsFinding,
    ScoresFinding,
    SetFinding,
    TextFinding,
    TraceFinding,
    WeightsFinding,
)
from rethinkdc.models import Model, build_seeded
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.row_files.files import write_row_file
from rethinkdc.seeds import generator

Pick = Callable[[int], tuple[Tensor, Tensor]]
ROWS = 1437
QUICK = {"training.steps": 2}


@pytest.fixture
def quick(tmp_path: Path) -> Callable[[str], str]:
    """A protocol of the digits whose student trains for two steps and its proxy for two epochs: its file."""

    def write(name: str) -> str:
        protocol = Registry().protocols.find(name)
        proxy = protocol.proxy_recipe()
        changed = {
            "id": f"quick-{name}",
            "default": False,
            "training": protocol.training.model_copy(update={"steps": {1: 2, 10: 2, 50: 2}}),
            "proxy": proxy.model_copy(
                update={"training": proxy.training.model_copy(update={"epochs": 2}), "scores": {}}
            ),
        }
        file = tmp_path / f"quick-{name}.toml"
        file.write_text(write_toml(protocol.model_copy(update=changed)))
        return str(file)

    return write


# -- rows and scores -------------------------------------------------------------------------------------------------


def shuffled_rows(count: int, seed: int) -> list[int]:
    return random.Random(seed).sample(range(ROWS), count)


def write_rows_npy(rows: list[int]) -> str:
    np.save("made.npy", np.array(rows, dtype=np.int32))
    return "made.npy"


def write_rows_mask(rows: list[int]) -> str:
    mask = torch.zeros(ROWS, dtype=torch.bool)
    mask[rows] = True
    torch.save({"mask": mask}, "made.pt")
    return "made.pt"


def write_rows_csv(rows: list[int]) -> str:
    lines = [f"{place},{row},{row / 7:.3f}" for place, row in enumerate(rows)]
    Path("made.csv").write_text("\n".join([",sample_id,weight", *lines]))
    return "made.csv"


def write_rows_json(rows: list[int]) -> str:
    Path("made.json").write_text(json.dumps({"ipc": 2, "idx_selected": rows}))
    return "made.json"


@pytest.mark.parametrize("write", [write_rows_npy, write_rows_mask, write_rows_csv, write_rows_json])
def test_rows_are_told_as_a_run_takes_them(write: Callable[[list[int]], str]) -> None:
    file = write(shuffled_rows(33, 1))
    found = rdc.inspect(file, dataset="digits").find(RowsFinding)
    record = rdc.run(f"rows:path={file}", dataset="digits", overrides=QUICK)
    assert found is not None
    (read,) = record.notes["files_read"]
    assert (list(found.taken), found.order, list(found.warnings)) == (read["taken"], read["order"], read["warnings"])
    assert list(found.per_class) == record.histogram
    assert found.rows == sum(record.histogram) == 33
    assert found.dataset == record.names.dataset


def write_scores_csv(scores: Tensor, labels: Tensor) -> str:
    rows = shuffled_rows(ROWS, 2)
    lines = [f"{row},{float(scores[row]):.6f},{int(labels[row])}" for row in rows]
    Path("made.tsv").write_text("\n".join(["index,el2n,label", *lines]))
    return "made.tsv"


def write_scores_npz(scores: Tensor, labels: Tensor) -> str:
    np.savez("made.npz", scores=scores.numpy(), targets=labels.numpy())
    return "made.npz"


def write_scores_sorted(scores: Tensor, labels: Tensor) -> str:
    np.save("made.npy", scores.sort().values.numpy())
    return "made.npy"


@pytest.mark.parametrize("write", [write_scores_csv, write_scores_npz, write_scores_sorted])
def test_scores_are_told_as_a_run_takes_them(write: Callable[[Tensor, Tensor], str]) -> None:
    from rethinkdc.data.dataset import Dataset

    labels = Registry().build(Dataset, "digits").load(None).train.targets
    file = write(torch.rand(ROWS, generator=generator(3)), labels)
    found = rdc.inspect(file, dataset="digits").find(ScoresFinding)
    scores, about = rdc.score(f"file:path={file}", dataset="digits")
    assert found is not None
    (read,) = about["notes"]["files_read"]
    assert (list(found.taken), found.order, list(found.warnings)) == (read["taken"], read["order"], read["warnings"])
    assert (found.low, found.high, found.rows) == (float(scores.min()), float(scores.max()), len(scores))
    assert found.distinct == len(scores.unique())


def test_two_readings_are_both_told_and_each_has_its_command() -> None:
    np.save("made.npy", np.array(shuffled_rows(ROWS, 4)))
    found = rdc.inspect("made.npy", dataset="digits")
    assert {each.kind for each in found.findings} == {"rows", "scores"}
    assert all(each.warnings for each in found.findings)
    assert len({each.command for each in found.findings}) == 2
    only = rdc.inspect("made.npy", kind="scores", dataset="digits")
    assert [each.kind for each in only.findings] == ["scores"]


# -- finished sets ---------------------------------------------------------------------------------------------------


def tensors_normalised(images: Tensor, labels: Tensor) -> tuple[str, dict[str, Any]]:
    given = 1.3 * (images.float() / 255 - 0.4) / 0.3
    torch.save({"data": [[given, labels], [given.flip(0), labels]], "accs": {}}, "made.pt")
    return "made.pt", {"mean": (0.4,), "std": (0.3,), "experiment": 1}


def arrays_last_one_hot(images: Tensor, labels: Tensor) -> tuple[str, dict[str, Any]]:
    one_hot = torch.nn.functional.one_hot(labels, 10)
    np.savez("made.npz", x=images.permute(0, 2, 3, 1).float().numpy() / 255, y=one_hot.numpy())
    return "made.npz", {}


def grey_and_a_column(images: Tensor, labels: Tensor) -> tuple[str, dict[str, Any]]:
    torch.save(images[:, :1], "images.pt")
    torch.save(labels[:, None].float(), "classes.pt")
    return "images.pt", {"labels": "classes.pt"}


def a_numbered_tree(images: Tensor, labels: Tensor) -> tuple[str, dict[str, Any]]:
    for row, (image, index) in enumerate(zip(images, labels.tolist(), strict=True)):
        folder = Path("tree", f"class_{index}")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{row}.png")
    return "tree", {}


def learned_labels(images: Tensor, labels: Tensor) -> tuple[str, dict[str, Any]]:
    Path("mtt").mkdir()
    torch.save(images.float() / 255, "mtt/images_best.pt")
    torch.save(9.0 * torch.nn.functional.one_hot(labels, 10), "mtt/labels_best.pt")
    torch.save(torch.tensor(0.02), "mtt/lr.pt")
    return "mtt", {"soft_labels": "logits"}


@pytest.mark.parametrize(
    "write", [tensors_normalised, arrays_last_one_hot, grey_and_a_column, a_numbered_tree, learned_labels]
)
def test_a_finished_set_is_told_as_evaluate_takes_it(
    write: Callable[[Tensor, Tensor], tuple[str, dict[str, Any]]], digits: Pick, quick: Callable[[str], str]
) -> None:
    file, facts = write(*digits(2))
    soft = "soft_labels" in facts
    protocol = quick("digits-soft" if soft else "digits-hard")
    labeler = "soft-static:source=learned" if soft else "hard"
    found = rdc.inspect(file, protocol=protocol, **facts).find(SetFinding)
    record = rdc.evaluate(file, labeler=labeler, protocol=protocol, **facts)
    assert found is not None
    assert not found.refused
    notes = record.notes
    told = [
        f"{what} {notes[key]}"
        for what, key in (("experiment", "experiment"), ("student_lr", "student_lr"))
        if key in notes
    ]
    assert sorted(found.taken) == sorted([*told, *notes.get("read", ())])
    assert (found.pixels, found.source, found.classes) == (record.told.pixels, notes["source"], notes["classes"])
    assert found.classes.startswith("by number, order: not verified")
    assert list(found.per_class) == record.histogram
    assert (found.method, found.dataset, found.protocol) == (
        record.names.compressor,
        record.names.dataset,
        record.names.protocol,
    )
    assert f"--labeler {labeler}" in found.command or not soft


def test_classes_that_are_called_as_the_datasets_are_known_by_name(digits: Pick) -> None:
    images, labels = digits(1)
    a_numbered_tree(images, labels)
    for index in range(10):
        Path("tree", f"class_{index}").rename(Path("tree", str(index)))
    found = rdc.inspect("tree", dataset="digits", kind="set").find(SetFinding)
    assert found is not None
    assert found.classes == "by name"


@pytest.mark.parametrize(
    ("images", "facts", "part"),
    [
        (torch.randn(10, 3, 8, 8, generator=generator(1)), {}, "Undo the normalisation"),
        (torch.rand(10, 3, 16, 16, generator=generator(1)), {"dataset": "digits"}, "images of 16 px"),
        (
            torch.rand(10, 3, 8, 8, generator=generator(1)),
            {"dataset": "digits", "experiment": 1},
            "no list of experiments",
        ),
    ],
)
def test_what_evaluate_refuses_is_told_in_its_words(images: Tensor, facts: dict[str, Any], part: str) -> None:
    torch.save({"images": images, "labels": torch.arange(10)}, "made.pt")
    found = rdc.inspect("made.pt", **facts).find(SetFinding)
    with pytest.raises(RequestError) as refused:
        rdc.evaluate("made.pt", **facts)
    assert found is not None
    assert part in found.refused
    assert found.refused.endswith(str(refused.value))


def test_real_images_tell_how_they_were_normalised(digits: Pick) -> None:
    images, labels = digits(1)
    torch.save({"images": (images.float() / 255 - 0.5) / 0.5, "labels": labels}, "made.pt")
    found = rdc.inspect("made.pt").find(SetFinding)
    assert found is not None
    assert found.likely == "--mean 0.5 --std 0.5"
    assert "--mean 0.5 --std 0.5" in found.command
    assert any("whole byte if it is normalised by 0.5 and 0.5" in warning for warning in found.warnings)


# -- datasets, weights, and what is text -----------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Twelve training images of two classes beside what is no image, and no test part."""
    noise = generator(6)
    for index, name in enumerate(["ant", "bee"]):
        folder = tmp_path / "insects" / "train" / name
        folder.mkdir(parents=True)
        for row in range(5 + 2 * index):
            pixels = torch.randint(0, 256, (12, 12 + 2 * index, 3), dtype=torch.uint8, generator=noise)
            Image.fromarray(pixels.numpy()).save(folder / f"{row}.png")
        (folder / "notes.txt").write_text("no image")
    return tmp_path / "insects"


def test_a_dataset_is_told_as_a_run_reads_it(tree: Path) -> None:
    found = rdc.inspect(str(tree)).find(DatasetFinding)
    record = rdc.run("random", dataset=str(tree), ipc=1, overrides=QUICK)
    assert found is not None
    assert found.fingerprint == record.dataset_fingerprint
    assert record.names.protocol in found.protocol
    assert list(found.taken) == record.notes["files"]["notes"]
    assert found.ignored == ("2 x .txt file",)
    assert record.notes["files"]["passed_over"] == {".txt file": 2}
    assert (found.class_names, found.train, found.test) == (("ant", "bee"), 10, 2)
    assert found.sizes == {"12 x 14": 6, "12 x 12": 4}


def test_a_tree_is_a_dataset_and_a_finished_set_only_of_one_that_is_named(tree: Path) -> None:
    found = rdc.inspect(str(tree))
    assert [each.kind for each in found.findings] == ["dataset"]
    assert found.refused == {"set": "it would be of another dataset, which --dataset or --protocol names"}
    for row in range(10):
        pixels = torch.full((8, 8, 3), row, dtype=torch.uint8)
        Path("even", str(row)).mkdir(parents=True)
        for copy in range(5):
            Image.fromarray(pixels.numpy()).save(Path("even", str(row), f"{copy}.png"))
    asked: tuple[dict[str, Any], ...] = ({}, {"dataset": "digits"}, {"protocol": "digits-hard"}, {"kind": "set"})
    found_sets = [rdc.inspect("even", **given).find(SetFinding) is not None for given in asked]
    assert found_sets == [False, True, True, True]


def test_a_folder_that_compress_wrote_is_a_finished_set_and_no_dataset(tree: Path) -> None:
    """Although its images lie in folders of classes."""
    made = rdc.compress("random", dataset=str(tree), ipc=2, out="made")
    (found,) = rdc.inspect("made", dataset=str(tree)).findings
    assert isinstance(found, SetFinding)
    assert (found.method, found.images, found.refused) == ("random", len(made), "")


def test_weights_are_told_as_the_teacher_reads_them() -> None:
    network = build_seeded(Registry().build(Model, "convnet"), 10, 8, 0)
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, "made.pth")
    found = rdc.inspect("made.pth", dataset="digits").find(WeightsFinding)
    assert found is not None
    assert not found.refused
    assert any(model.startswith("convnet at 8 px") for model in found.models)
    assert found.parameters == sum(tensor.numel() for tensor in network.state_dict().values())
    labeler = "soft:teachers=[checkpoint:path=made.pth,model=convnet]"
    record = rdc.run("random", labeler, ipc=1, dataset="digits", overrides=QUICK)
    (teacher,) = record.notes["teachers"].values()
    assert list(found.taken[:-1]) == teacher["weights"]
    assert "'soft:teachers=[checkpoint:path=made.pth,model=convnet]'" in found.command


def test_a_grey_set_of_a_dataset_in_colours_is_told_of(tree: Path) -> None:
    grey = torch.randint(0, 256, (2, 12, 12), dtype=torch.uint8, generator=generator(8))
    for name, images in (("grey", grey), ("colours", torch.stack([grey, 255 - grey, grey // 2], dim=1))):
        torch.save({"images": images, "labels": torch.arange(2)}, f"{name}.pt")
    told = {}
    for name in ("grey", "colours"):
        found = rdc.inspect(f"{name}.pt", dataset=str(tree)).find(SetFinding)
        assert found is not None
        assert not found.refused
        told[name] = found.warnings
    assert told == {"grey": ("its images are grey, and those of the dataset are not",), "colours": ()}


def test_a_dataset_that_a_run_refuses_is_told_so_in_its_words(tree: Path) -> None:
    found = rdc.inspect(str(tree), protocol="digits-hard").find(DatasetFinding)
    with pytest.raises(RequestError) as refused:
        rdc.run("random", dataset=str(tree), protocol="digits-hard")
    assert found is not None
    assert found.refused == str(refused.value)


def test_weights_of_another_number_of_classes_are_refused_with_both_numbers() -> None:
    torch.save(build_seeded(Registry().build(Model, "convnet"), 7, 8, 0).state_dict(), "made.pth")
    found = rdc.inspect("made.pth", dataset="digits", model="convnet").find(WeightsFinding)
    assert found is not None
    assert found.refused == "under digits: it has 7 classes, the dataset 10"


def test_a_trace_a_protocol_a_study_and_records_are_known(quick: Callable[[str], str]) -> None:
    file = quick("digits-hard")
    protocol = rdc.inspect(file).find(TextFinding)
    assert protocol is not None
    assert protocol.kind == "protocol"
    assert protocol.about["digest"] == Registry().protocols.find(file).digest
    Path("study.toml").write_text(f'protocol = "{file}"\ncompressors = ["random", "full"]\nipc = [1]\nseeds = [0, 1]\n')
    study = rdc.inspect("study.toml").find(TextFinding)
    assert study is not None
    assert (study.kind, study.about["runs"], study.refused) == ("study", "4", "")
    Path("family.toml").write_text(Path("study.toml").read_text() + "[axes]\ntraining.batch = [10, 5]\n")
    family = rdc.inspect("family.toml").find(TextFinding)
    assert family is not None
    assert (family.about["runs"], family.about["settings"]) == ("8", "full factorial 2^1, 2 settings")
    assert family.command == "rethinkdc robust family.toml"
    record = rdc.run("random", ipc=1, protocol=file)
    place = Path("records", record.key, "0001.json")
    found = rdc.inspect(str(place)).find(TextFinding)
    assert found is not None
    assert (found.kind, found.about["status"]) == ("record", "ok")
    folder = rdc.inspect("records").find(TextFinding)
    assert folder is not None
    assert (folder.kind, folder.about["attempts"]) == ("records", "1 ok")
    about = rdc.trace("traced", protocol=file)
    # It says itself which dataset it is of.
    trace = rdc.inspect("traced").find(TraceFinding)
    assert trace is not None
    assert (trace.rows, trace.epochs) == (about["rows"], about["epochs"])
    scores, told = rdc.score("random", protocol=file)
    for kind, tensors, made_of in (
        ("rows", *rdc.rows("random", ipc=1, protocol=file)),
        ("scores", {"scores": scores}, told),
    ):
        write_row_file(tensors, made_of, Path(kind))
        assert made_of["dataset"] == "digits"
        assert rdc.inspect(f"{kind}.safetensors").findings[0].kind == kind
    with pytest.raises(RequestError, match=r"of 1,437 rows of digits \(.*Name its dataset with --dataset"):
        rdc.inspect("traced", dataset="mnist-5k")


# -- files that are nothing, and the disk ----------------------------------------------------------------------------


def write_pickle() -> None:
    import pickle

    Path("made.pkl").write_bytes(pickle.dumps([1, 2, 3]))


def write_two_columns() -> None:
    Path("made.csv").write_text("\n".join(f"{row},{row + 5}" for row in range(20)))


def write_rate() -> None:
    torch.save(torch.tensor(0.01), "made.pt")


def write_soft_labels() -> None:
    torch.save(torch.rand(20, 10, generator=generator(0)), "my_labels.pt")


def write_no_rows() -> None:
    np.save("none.npy", np.zeros(0, dtype=np.int64))


def write_empty_mask() -> None:
    torch.save(torch.zeros(ROWS, dtype=torch.bool), "none.pt")


def write_packed() -> None:
    torch.save(torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8), "packed.pt")


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(
    ("write", "file", "parts"),
    [
        (write_pickle, "made.pkl", ["is a pickle", "convert it:"]),
        (write_two_columns, "made.csv", ["int64 [20] (column 1)", "as rows: ", "as scores: "]),
        (write_rate, "made.pt", ["float32 []", "--student-lr made.pt"]),
        (write_soft_labels, "my_labels.pt", ["float32 [20, 10]", "--labels my_labels.pt"]),
        (write_no_rows, "none.npy", ["as rows: none.npy: its numbers lists no rows"]),
        (write_packed, "packed.pt", ["qint8, not dense [4]", "quantised tensor"]),
        (lambda: None, "nowhere.csv", ["There is no file or folder nowhere.csv"]),
    ],
)
def test_what_can_be_used_as_nothing_says_what_it_holds(write: Callable[[], None], file: str, parts: list[str]) -> None:
    write()
    with pytest.raises(RequestError) as refused:
        rdc.inspect(file, dataset="digits")
    assert refused.value.exit_code == 2
    for part in parts:
        assert part in str(refused.value)


def test_a_mask_that_keeps_no_row_is_no_list_of_rows() -> None:
    write_empty_mask()
    with pytest.raises(RequestError, match="lists no rows"):
        rdc.inspect("none.pt", kind="rows", dataset="digits")
    with pytest.raises(RequestError, match="lists no rows"):
        rdc.run("rows:path=none.pt", dataset="digits")


def test_what_cannot_be_said_of_a_file_is_refused() -> None:
    np.save("made.npy", np.arange(20))
    with pytest.raises(RequestError, match=r"--mean, --column: made\.npy may be rows or scores or set"):
        rdc.inspect("made.npy", mean=(0.5,), column="row")
    with pytest.raises(RequestError, match=r"--as trace: made\.npy may be rows or scores or set"):
        rdc.inspect("made.npy", kind="trace")
    Path("s.csv").write_text("\n".join(f"{row / 7}" for row in range(ROWS)))
    with pytest.raises(RequestError, match=r"--preview x\.png: there are no images"):
        rdc.inspect("s.csv", preview="x.png", dataset="digits")


def test_nothing_is_written_but_the_picture(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Pick
) -> None:
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))
    file, facts = tensors_normalised(*digits(1))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    rdc.inspect(str(tree), preview="tree.png")
    rdc.inspect(file, preview="set.png", dataset="digits", **facts)
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    written = {path.relative_to(tmp_path).as_posix() for path in after - before}
    assert {"tree.png", "set.png"} < written
    assert all(name.startswith("cache/fingerprints/") for name in written - {"tree.png", "set.png"})
