"""Sets for others: what lies in the folder, that it is read back as the same set, and what goes to the hub."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow.parquet as pq
import pytest
import torch
from markdown_it import MarkdownIt
from PIL import Image

import rethinkdc as rdc
from rethinkdc.compressed import Card, CompressedSet, grid_boxes, read_set
from rethinkdc.compressed.encoding import with_files
from rethinkdc.errors import DataError, RequestError
from rethinkdc.seeds import generator
from rethinkdc.sharing.dataset_card import write_dataset_card
from rethinkdc.sharing.origin import Origin, without_paths
from rethinkdc.types import ViewRule

SIZE = 9


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))


def tiled(**changes: Any) -> CompressedSet:
    """Five canvases of four cells with all that a set may hold."""
    draws = generator(5)
    part = {
        "canvases": torch.randint(0, 256, (5, 3, SIZE, SIZE), dtype=torch.uint8, generator=draws),
        "targets": torch.tensor([2, 0, 1, 1, 0]),
        "sources": torch.randint(0, 18, (5, 4), generator=draws),
        "source_boxes": torch.randint(0, 9, (5, 4, 4), generator=draws).int(),
        "weights": torch.rand(5, generator=draws) + 0.1,
        "soft_targets": torch.rand((5, 3), generator=draws),
    }
    made = CompressedSet.of_canvases(
        [part],
        ("a: b", "ü", "null"),
        cell_boxes=grid_boxes(SIZE, 2),
        student_lr=0.1 + 1e-12,
        view_rule=ViewRule(scope="cell"),
        card=Card(method="mine", ipc=2, seeds={"set": 1, "proxy": 1}, dataset_fingerprint="fa" * 32),
    )
    return replace(made, **changes)


def same(found: CompressedSet, made: CompressedSet) -> None:
    rows = torch.arange(len(made))
    assert torch.equal(found.canvases(rows, SIZE), made.canvases(rows, SIZE))
    for name in ("targets", "sources", "cell_boxes", "source_boxes", "weights", "soft_targets"):
        assert torch.equal(getattr(found, name), getattr(made, name)), name
    for name in ("class_names", "numbered", "student_lr", "view_rule", "size"):
        assert getattr(found, name) == getattr(made, name), name
    assert (found.card.method, found.card.seeds) == (made.card.method, made.card.seeds)


@pytest.mark.parametrize("numbered", [False, True])
def test_a_folder_is_read_back_as_the_set_that_was_exported(tmp_path: Path, numbered: bool) -> None:
    made = tiled(numbered=numbered, class_names=("0", "1", "2") if numbered else ("a: b", "ü", "null"))
    exported = rdc.export(made, out=tmp_path / "out")
    found = read_set(tmp_path / "out")
    same(found, made)
    assert found.fingerprint == exported.fingerprint
    # Exported again, from the folder, it stays what it is.
    assert rdc.export(tmp_path / "out", out=tmp_path / "again").fingerprint == exported.fingerprint


def test_datasets_reads_images_names_and_columns(tmp_path: Path) -> None:
    rdc.export(tiled(), out=tmp_path / "out", license="mit")
    (file,) = (tmp_path / "out" / "data").iterdir()
    # As the sets that others publish have it: plain numbers of 32 bits.
    assert str(pq.read_schema(file).field("class_id").type) == "int32"
    split = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "arrow"))["train"]
    assert split.features["class_id"].names == ["a: b", "ü", "null"]
    assert split["class_id"][:] == [2, 0, 1, 1, 0]
    assert split[0]["image"].size == (SIZE, SIZE)
    assert split.column_names == ["image", "class_id", "sources", "source_boxes", "weight", "soft_target"]


def test_the_card_says_what_the_set_is(tmp_path: Path) -> None:
    exported = rdc.export(tiled(), out=tmp_path / "out", license="mit")
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    head: Any = huggingface_hub.DatasetCard(readme).data
    assert (head.license, head.size_categories) == ("mit", "n<1K")
    assert head.configs[0]["data_files"][0]["split"] == "train"
    for said in (exported.fingerprint, "fa" * 32, "set 1, proxy 1", "0.1", "1 to 2", "9 x 9 px (PNG)", "4 cells"):
        assert said in readme
    assert "unknown" not in readme


def test_people_may_change_the_readme_and_nothing_else(tmp_path: Path) -> None:
    rdc.export(tiled(), out=tmp_path / "out")
    with (tmp_path / "out" / "README.md").open("a") as readme:
        readme.write("## A word of my own\n")
    same(read_set(tmp_path / "out"), tiled())
    (file,) = (tmp_path / "out" / "data").iterdir()
    file.write_bytes(file.read_bytes()[:-8] + b"\0\0\0\0PAR1")
    with pytest.raises(DataError):
        read_set(tmp_path / "out")


def test_image_files_are_handed_on_as_they_are(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for label in ("cat", "dog"):
        (tmp_path / "tree" / label).mkdir(parents=True)
        buffer = io.BytesIO()
        noise = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8, generator=generator(len(files)))
        Image.fromarray(noise.numpy()).save(buffer, "JPEG")
        (tmp_path / "tree" / label / "0.jpg").write_bytes(buffer.getvalue())
        files[label] = buffer.getvalue()
    exported = rdc.export(tmp_path / "tree", out=tmp_path / "out")
    (file,) = (tmp_path / "out" / "data").iterdir()
    assert [row["bytes"] for row in pq.read_table(file)["image"].to_pylist()] == list(files.values())
    assert exported.fingerprint == read_set(tmp_path / "tree").fingerprint == read_set(tmp_path / "out").fingerprint
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "8 x 8 px (JPEG)" in readme
    assert "made elsewhere" in readme


def test_words_of_a_set_stay_words_and_no_path_of_a_machine_is_told() -> None:
    name = "<script>x</script>|`rm`\n# big"
    notes = {
        "teachers": {"checkpoint:path=/home/me/w.pt": {}},
        "places": ["~/mine/rows.csv", "https://host/a/b", "3/4"],
    }
    made = without_paths(tiled(card=Card(method=name, notes=notes)))
    assert made.card.notes == {
        "teachers": {"checkpoint:path=w.pt": {}},
        "places": ["rows.csv", "https://host/a/b", "3/4"],
    }
    stored = tiled(card=made.card)
    origin = Origin(
        name=name, place="out", dataset=name, shipped=False, protocol="", compressor=name, paper="", make=""
    )
    readme = write_dataset_card(with_files(stored, SIZE), origin, license="unknown")
    page = MarkdownIt("commonmark").enable("table").render(readme.split("---\n", 2)[2])
    assert "<script>" not in page
    assert page.count("<h1>") == 1
    assert "&lt;script&gt;x&lt;/script&gt;" in page


def test_rows_alone_and_taken_places_are_refused(tmp_path: Path) -> None:
    data = tiled()
    with pytest.raises(RequestError, match="a list of rows, whose pixels lie in the training set"):
        rdc.export(CompressedSet.of_rows(data, torch.tensor([1, 2])), out=tmp_path / "out")
    (tmp_path / "taken").mkdir()
    with pytest.raises(RequestError, match="taken exists already"):
        rdc.export(data, out=tmp_path / "taken")
    with pytest.raises(RequestError, match="--private: only a dataset of the hub is private"):
        rdc.export(data, out=tmp_path / "out", private=True)
    for place in ("hub:alone", "hub:a/b/c", "hub:a b/c", "hub:"):
        with pytest.raises(RequestError, match="expected hub:OWNER/NAME"):
            rdc.export(data, out=place)
    assert not (tmp_path / "out").exists()


class FakeHub:
    """What is asked of the hub, and the files that it was sent."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.private: bool | None = None
        self.error: Exception | None = None

    def repo_exists(self, repo: str, *, repo_type: str) -> bool:
        assert repo_type == "dataset"
        return (self.store / repo).exists()

    def create_repo(self, repo: str, *, repo_type: str, private: bool) -> str:
        self.private = private
        (self.store / repo).mkdir(parents=True)
        return f"https://huggingface.co/datasets/{repo}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, repo_type: str, commit_message: str) -> None:
        if self.error:
            raise self.error
        shutil.copytree(folder_path, self.store / repo_id, dirs_exist_ok=True)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """A hub in a folder: uploads go there, and downloads come from there."""
    fake = FakeHub(tmp_path / "hub")
    load = datasets.load_dataset
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda library_name: fake)
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda name, cache_dir: load(str(fake.store / name), cache_dir=str(tmp_path / "arrow")),
    )
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda repo, file, *, repo_type: str(fake.store / repo / file)
    )
    return fake


def test_a_set_goes_to_the_hub_and_comes_back_with_its_cells_and_its_rate(hub: FakeHub) -> None:
    exported = rdc.export(tiled(), out="hub:me/mine", private=True)
    assert hub.private
    assert exported.place == "https://huggingface.co/datasets/me/mine"
    assert exported.evaluate.startswith("rethinkdc evaluate me/mine")
    readme = (hub.store / "me" / "mine" / "README.md").read_text(encoding="utf-8")
    assert 'load_dataset("me/mine", split="train")' in readme
    found = read_set("me/mine")
    same(found, tiled())
    assert found.fingerprint == exported.fingerprint
    with pytest.raises(RequestError, match="me/mine exists already on the hub"):
        rdc.export(tiled(), out="hub:me/mine")


def test_a_set_of_the_hub_whose_card_is_lost_is_refused(hub: FakeHub) -> None:
    """Without its card it would be another set: seen whole, and without its rate."""
    rdc.export(tiled(), out="hub:me/mine")
    (hub.store / "me" / "mine" / "card.json").unlink()
    with pytest.raises(DataError, match=r"me/mine was written by rethinkdc, but its card.json cannot be read: FileNot"):
        read_set("me/mine")


def test_an_upload_that_fails_says_what_to_do(hub: FakeHub) -> None:
    hub.error = ConnectionError("no route to host")
    with pytest.raises(
        RequestError,
        match=r"(?s)upload to the new dataset me/mine: ConnectionError: no route to host\. Log in.*hf upload",
    ):
        rdc.export(tiled(), out="hub:me/mine")
