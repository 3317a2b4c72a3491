"""The working form in the cache, and the published folder."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from rethinkdc.compressed import (
    Card,
    CompressedSet,
    export_folder,
    grid_boxes,
    image_bytes,
    import_folder,
    load_working,
    save_working,
)
from rethinkdc.errors import DamagedError, DataError, RequestError
from rethinkdc.seeds import generator
from rethinkdc.storage import verify_folder
from rethinkdc.testing import images
from rethinkdc.types import ViewRule

SIZE = 9
DATA = images(classes=3, per_class=6)


def subset(weights: bool = True) -> CompressedSet:
    made = CompressedSet.of_rows(
        DATA, torch.tensor([13, 2, 7, 8]), torch.tensor([1.0, 0.1, 3.0, 0.7]) if weights else None
    )
    return made.with_card(Card(method="some", dataset_fingerprint=DATA.fingerprint, seeds={"set": 3}))


def canvases() -> CompressedSet:
    draws = generator(5)

    def part(count: int) -> dict[str, Any]:
        return {
            "canvases": torch.randint(0, 256, (count, 3, SIZE, SIZE), dtype=torch.uint8, generator=draws),
            "targets": torch.randint(0, 3, (count,), generator=draws),
            "sources": torch.randint(-1, 18, (count, 4), generator=draws),
            "source_boxes": torch.randint(0, 9, (count, 4, 4), generator=draws).int(),
            "weights": torch.rand(count, generator=draws) + 0.1,
            "soft_targets": torch.rand((count, 3), generator=draws),
        }

    return CompressedSet.of_canvases(
        [part(3), part(2)],
        ("a b", "ü", "c"),
        cell_boxes=grid_boxes(SIZE, 2),
        view_rule=ViewRule(scope="cell", choice="cycle", scale=(0.3, 1.0)),
        card=Card(method="pca", ipc=2, notes={"ties": 4}, external_data=["other images"]),
    )


def learned() -> CompressedSet:
    """With a rate that no decimal fraction of float32 is."""
    return replace(canvases(), student_lr=0.1 + 1e-12)


def learned_subset() -> CompressedSet:
    return replace(
        subset(), student_lr=0.02, soft_targets=torch.eye(3)[[0, 1, 2, 1]], view_rule=ViewRule(scale=(0.5, 1))
    )


def same(one: CompressedSet, other: CompressedSet) -> None:
    rows = torch.arange(len(one))
    assert torch.equal(one.canvases(rows, SIZE), other.canvases(rows, SIZE))
    for name in ("targets", "sources", "source_boxes", "cell_boxes", "weights", "soft_targets"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None), name
        assert first is None or (first.dtype == second.dtype and torch.equal(first, second)), name
    assert (one.class_names, one.view_rule, one.card) == (other.class_names, other.view_rule, other.card)
    assert one.student_lr == other.student_lr


@pytest.mark.parametrize("make", [subset, canvases, learned, learned_subset])
def test_the_working_form_gives_the_same_set_back(tmp_path: Path, make: Any) -> None:
    made = make()
    save_working(made, tmp_path)
    found = load_working(tmp_path, DATA)
    same(made, found)
    assert found.fingerprint == made.fingerprint
    assert found.size == made.size


def test_the_working_form_of_a_subset_holds_no_pixels(tmp_path: Path) -> None:
    save_working(subset(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.json", "set.safetensors"]


def test_rows_of_another_dataset_are_refused(tmp_path: Path) -> None:
    save_working(subset(), tmp_path)
    with pytest.raises(DamagedError, match="another dataset"):
        load_working(tmp_path, images(classes=3, per_class=6, seed=1))


def test_datasets_reads_the_folder_and_its_pixels_are_equal(tmp_path: Path) -> None:
    made = canvases()
    export_folder(made, tmp_path / "set", size=SIZE)
    verify_folder(tmp_path / "set")
    split = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "arrow"))["train"]
    assert len(split) == 5
    assert split.features["class_id"].names == ["a b", "ü", "c"]
    assert split["class_id"][:] == made.targets.tolist()
    for row, example in enumerate(split):
        assert example["image"].mode == "RGB"
        pixels = torch.from_numpy(np.array(example["image"])).permute(2, 0, 1)
        assert torch.equal(pixels, made.canvases(torch.tensor([row]), SIZE)[0])
        assert example["sources"] == made.sources[row].tolist()
    assert json.loads((tmp_path / "set" / "card.json").read_text())["card"]["method"] == "pca"


@pytest.mark.parametrize("cached", [True, False])
def test_the_folder_gives_the_same_set_back(tmp_path: Path, cached: bool) -> None:
    made = canvases()
    export_folder(made, tmp_path / "set", size=SIZE)
    found = import_folder(tmp_path / "set", tmp_path / "cache" if cached else None)
    same(made, found)
    assert found.size == SIZE
    assert "student_lr" not in json.loads((tmp_path / "set" / "card.json").read_text())


def test_a_learned_rate_stands_in_the_folders_card_and_comes_back(tmp_path: Path) -> None:
    export_folder(learned(), tmp_path / "set", size=SIZE)
    assert json.loads((tmp_path / "set" / "card.json").read_text())["student_lr"] == 0.1 + 1e-12
    found = import_folder(tmp_path / "set", tmp_path / "cache")
    same(learned(), found)


def test_the_folder_of_a_subset_holds_its_rows_at_the_stored_size(tmp_path: Path) -> None:
    made = subset()
    export_folder(made, tmp_path / "set", size=5, fit="centre", interpolation="bicubic")
    found = import_folder(tmp_path / "set", tmp_path / "cache")
    rows = torch.arange(4)
    assert torch.equal(found.canvases(rows, 5), DATA.canvases(torch.tensor([13, 2, 7, 8]), 5, "centre", "bicubic"))
    assert found.sources.tolist() == [[13], [2], [7], [8]]
    assert found.weights is not None
    assert made.weights is not None
    assert torch.equal(found.weights, made.weights)
    assert (found.size, found.card) == (5, made.card)


def test_an_export_leaves_nothing_behind_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = canvases()
    monkeypatch.setattr(CompressedSet, "canvases", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        export_folder(made, tmp_path / "set", size=SIZE)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(RequestError, match="exists already"):
        export_folder(canvases(), tmp_path / "set", size=SIZE)


def test_a_folder_that_is_no_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no compressed set at"):
        import_folder(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="Cannot read a compressed set"):
        import_folder(tmp_path / "empty", tmp_path / "cache")


def test_image_bytes_are_those_of_pils_files() -> None:
    made = canvases()
    pictures = [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in made.canvases(torch.arange(5), SIZE)]

    def size_of(picture: Image.Image, codec: str, **options: Any) -> int:
        buffer = io.BytesIO()
        picture.save(buffer, codec, **options)
        return len(buffer.getvalue())

    found = image_bytes(made, SIZE)
    assert found["stored"] == sum(size_of(picture, "PNG") for picture in pictures)
    assert found["lossy"] == sum(size_of(picture, "JPEG", quality=75) for picture in pictures)


def test_a_recipe_exists_where_every_cell_shows_a_training_image() -> None:
    assert image_bytes(subset(), SIZE)["recipe"] == 4 * (8 + 16)
    assert bool((canvases().sources < 0).any())
    assert image_bytes(canvases(), SIZE)["recipe"] is None
