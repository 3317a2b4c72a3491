"""What is prepared is what the source holds: the same images in their order, with their names and fingerprint."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rethinkdc.context.cache import Cache
from rethinkdc.data import DecodedImages, EncodedImages, RowsOf, Splits, decoders
from rethinkdc.data.fingerprint import read_bytes
from rethinkdc.errors import DataError, RequestError, StorageError, UnsupportedError
from rethinkdc.layouts import FolderDataset
from rethinkdc.layouts.arrow_shards import features, pack
from rethinkdc.layouts.prepared import ABOUT, PLAN, Prepared, write_about
from rethinkdc.preparation import prepare as preparation
from rethinkdc.preparation import shards
from rethinkdc.preparation.calls import PrepareCall
from rethinkdc.preparation.prepare import _default_folder
from rethinkdc.preparation.sources import parts_of
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run
from rethinkdc.storage import file_digest, lock, write_atomic
from tests.preparation.conftest import Prepare, encode
from tests.small import write_parquet

NAMES = ["cat", "dog"]


def load(folder: Path, cache: Path | None = None) -> Splits:
    return FolderDataset(path=str(folder)).load(cache, "encoded")


def files_of(splits: Splits) -> list[list[bytes]]:
    parts = [splits.train, splits.test]
    return [
        [read_bytes(part.blobs, row) for row in range(len(part))] for part in parts if isinstance(part, EncodedImages)
    ]


def mixed_tree(tree: Path) -> Path:
    return tree


def undivided(tree: Path) -> Path:
    return tree / "train"


def parquet(tree: Path) -> Path:
    folder = tree.parent / "parquet"
    for split, count in (("train", 5), ("validation", 2)):
        write_parquet(
            folder / f"{split}-0.parquet", [encode(row) for row in range(count)], [0, 1, 0, 1, 1][:count], NAMES
        )
    return folder


def saved(tree: Path) -> Path:
    import datasets

    datasets.load_dataset(str(parquet(tree)), cache_dir=str(tree.parent / "arrow")).save_to_disk(tree.parent / "saved")
    return tree.parent / "saved"


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("layout", [mixed_tree, undivided, parquet, saved])
def test_original_bytes_have_the_fingerprint_of_the_source(
    layout: Callable[[Path], Path], tree: Path, prepare: Prepare, tmp_path: Path
) -> None:
    source = load(layout(tree))
    prepared = prepare(layout(tree))
    found = load(tmp_path / "out")
    assert found.fingerprint == source.fingerprint == prepared.fingerprint == prepared.source_fingerprint
    assert files_of(found) == files_of(source)
    assert (found.train.targets.tolist(), found.test.targets.tolist()) == (
        source.train.targets.tolist(),
        source.test.targets.tolist(),
    )
    assert (found.train.class_names, found.names, found.facts) == (source.train.class_names, source.names, source.facts)
    assert len(prepared.train.shards) == -(-len(source.train) // 2)


@pytest.mark.parametrize(("layout", "test"), [(mixed_tree, "val"), (parquet, "validation"), (undivided, "test")])
def test_splits_keep_the_names_that_the_source_gives_them(
    layout: Callable[[Path], Path], test: str, tree: Path, prepare: Prepare
) -> None:
    assert (prepare(layout(tree)).train.name, prepare(layout(tree)).test.name) == ("train", test)


def write_batches(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{index}.bin" for index in range(1, 6)), "test_batch.bin"]:
        folder.mkdir(exist_ok=True)
        rng.integers(0, 2, (4, 3073), dtype=np.uint8).tofile(folder / name)
    (folder / "batches.meta.txt").write_text("\n".join(NAMES))
    return folder


@pytest.mark.usefixtures("small_shards")
def test_pixels_that_have_no_files_keep_their_fingerprint(prepare: Prepare, tmp_path: Path) -> None:
    batches = write_batches(tmp_path / "cifar-10-batches-bin")
    source = load(batches)
    assert prepare(batches).train.form == "pixels"
    found = load(tmp_path / "out")
    assert isinstance(source.train, DecodedImages)
    assert isinstance(found.train, DecodedImages)
    assert torch.equal(found.train.pixels, source.train.pixels)
    assert found.fingerprint == source.fingerprint


def test_pixels_are_decoded_once_and_mapped_from_then_on(
    prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(write_batches(tmp_path / "cifar-10-batches-bin"))
    first = load(tmp_path / "out", tmp_path / "cache")
    monkeypatch.setattr("rethinkdc.layouts.prepared_splits.decode", None)
    again = load(tmp_path / "out", tmp_path / "cache")
    assert again.fingerprint == first.fingerprint
    for before, after in ((first.train, again.train), (first.test, again.test)):
        assert isinstance(before, DecodedImages)
        assert isinstance(after, DecodedImages)
        assert torch.equal(before.pixels, after.pixels)


def test_pixels_of_another_size_are_a_sentence(prepare: Prepare, tmp_path: Path) -> None:
    """A shard that somebody wrote, checksums and all."""
    prepared = prepare(write_batches(tmp_path / "cifar-10-batches-bin"))
    shard = prepared.train.shards[0]
    path = tmp_path / "out" / shard.file
    images = [encode(row, (32, 32) if row else (16, 32), "PNG") for row in range(shard.rows)]
    path.write_bytes(pack(images, [None] * shard.rows, [0] * shard.rows, features(prepared.class_names)).to_pybytes())
    changed = shard.model_copy(update={"sha256": file_digest(path)})
    train = prepared.train.model_copy(update={"shards": (changed, *prepared.train.shards[1:])})
    write_about(tmp_path / "out", prepared.model_copy(update={"train": train}))
    with pytest.raises(DataError, match=r"is 32 x 32 px, and .* 32 x 16: pixels that were prepared are of one size"):
        load(tmp_path / "out")


def test_a_run_on_the_prepared_dataset_has_the_key_of_one_on_the_source(prepare: Prepare, tmp_path: Path) -> None:
    prepare("digits")
    registry, cache = Registry(), Cache(tmp_path / "cache")
    keys = {
        resolve_run(Request("random", dataset=dataset, protocol="digits-hard"), registry, cache).definition.key
        for dataset in ("digits", str(tmp_path / "out"))
    }
    assert len(keys) == 1


def test_huggingface_datasets_reads_it(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    import datasets

    prepare(tree)
    found: Any = datasets.load_from_disk(str(tmp_path / "out"))
    assert list(found) == ["train", "val"]
    assert found["train"].features["label"].names == ["ant", "bee"]
    assert found["train"]["label"] == [0] * 6 + [1] * 6
    assert found["val"][1]["image"].size == (48, 40)


@pytest.mark.usefixtures("small_shards")
def test_processes_make_the_same_files(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    here = prepare(tree, short_side=16)
    there = prepare(tree, short_side=16, workers=2, out=tmp_path / "there")
    assert there == here
    for shard in here.shards:
        assert (tmp_path / "there" / shard.file).read_bytes() == (tmp_path / "out" / shard.file).read_bytes()


def test_the_short_side_is_resized_and_small_images_keep_their_bytes(
    tree: Path, prepare: Prepare, tmp_path: Path
) -> None:
    source = load(tree)
    prepared = prepare(tree, short_side=16)
    found = load(tmp_path / "out")
    # Width 48 and height 40; the third is turned by its camera's note; the sixth is smaller.
    sizes = [tuple(image.shape[1:]) for image in found.train.native(torch.arange(6))]
    assert sizes == [(16, 19), (16, 19), (19, 16), (16, 19), (16, 19), (7, 9)]
    assert files_of(found)[0][5] == files_of(source)[0][5]
    assert prepared.fingerprint == found.fingerprint != source.fingerprint
    assert sum(shard.resized for shard in prepared.shards) == 14
    assert 30 < prepared.loss.psnr < 60
    assert found.facts.notes == (
        *source.facts.notes,
        "Images were resized to a shorter side of 16 px and stored as JPEG of quality 90.",
    )


def test_png_loses_nothing_beside_the_resize(tree: Path, prepare: Prepare) -> None:
    loss = prepare(tree, short_side=16, codec="png").loss
    assert (loss.images, loss.squared_error) == (2, 0)
    assert loss.tell() == ("Nothing was lost beside the resize, over 2 sampled images.",)


def test_the_loss_is_that_of_the_sampled_images(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    from rethinkdc.data.resize import resize

    loss = prepare(tree, short_side=16, quality=30).loss
    found, source = load(tmp_path / "out"), load(tree)
    errors = []
    for there, before in ((found.train, source.train), (found.test, source.test)):
        (stored,), (original,) = there.native(torch.tensor([0])), before.native(torch.tensor([0]))
        errors.append(float((resize(original[None], (16, 19))[0].float() - stored.float()).square().mean()))
    assert loss.images == 2
    assert loss.squared_error == pytest.approx(sum(errors))
    assert loss.worst == pytest.approx(max(errors))


def test_scaled_decoding_is_stated_and_gives_other_images(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    plain = prepare(tree, short_side=8, codec="png")
    scaled = prepare(tree, short_side=8, codec="png", scaled=True, out=tmp_path / "scaled")
    assert scaled.fingerprint != plain.fingerprint
    assert scaled.loss.squared_error > 0
    assert "scaled decoding" in scaled.facts.notes[-1]
    # Twice the short side is more than the half of a side: nothing is left to scale.
    unscaled = prepare(tree, short_side=15, codec="png", scaled=True, out=tmp_path / "unscaled")
    assert unscaled.loss.squared_error == 0


@pytest.fixture
def count_made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    make = shards.make_shard

    def counted(task: shards.Task, *more: Any) -> Any:
        made.append(task.file)
        return make(task, *more)

    monkeypatch.setattr("rethinkdc.preparation.making.make_shard", counted)
    return made


@pytest.mark.usefixtures("small_shards")
def test_after_a_kill_only_what_is_missing_is_made(
    tree: Path, prepare: Prepare, tmp_path: Path, count_made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare(tree, short_side=16, out=tmp_path / "whole")
    count_made.clear()
    child = os.fork()
    if child == 0:
        # In the middle of the fourth shard's file.
        write, written = write_atomic, list[Path]()

        def die(path: Path, payload: bytes) -> None:
            written.append(path)
            if len(written) == 7:
                (path.parent / ".half.0123456789abcdef.tmp").write_bytes(payload[:100])
                os.kill(os.getpid(), signal.SIGKILL)
            write(path, payload)

        monkeypatch.setattr(shards, "write_atomic", die)
        try:
            prepare(tree, short_side=16)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with pytest.raises(DataError, match=r"is not finished. Go on with: rethinkdc prepare .*--short-side 16"):
        load(tmp_path / "out")
    assert prepare(tree, short_side=16) == whole
    assert len(count_made) == len(whole.shards) - 3
    assert not (tmp_path / "out" / PLAN).exists()
    assert not list((tmp_path / "out").rglob("data-*.json"))


@pytest.mark.usefixtures("small_shards")
def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(
    tree: Path, prepare: Prepare, tmp_path: Path, count_made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = write_atomic, [4]

    def full(path: Path, payload: bytes) -> None:
        if not left[0]:
            raise StorageError(f"Cannot write {path}: No space left on device.")
        left[0] -= 1
        write(path, payload)

    monkeypatch.setattr(shards, "write_atomic", full)
    with pytest.raises(StorageError, match="No space left"):
        prepare(tree)
    left[0] = 100
    count_made.clear()
    prepared = prepare(tree)
    assert len(count_made) == len(prepared.shards) - 2
    assert prepared.fingerprint == load(tree).fingerprint


@pytest.mark.usefixtures("small_shards")
def test_a_damaged_shard_is_named_and_made_again(
    tree: Path, prepare: Prepare, tmp_path: Path, count_made: list[str]
) -> None:
    prepared = prepare(tree, short_side=16)
    shard = tmp_path / "out" / prepared.train.shards[1].file
    before = shard.read_bytes()
    at = before.index(b"\xff\xd8") + 40
    shard.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
    with pytest.raises(DataError, match=rf"{shard.name} of a prepared dataset is damaged.*--short-side 16"):
        load(tmp_path / "out", tmp_path / "cache")
    count_made.clear()
    assert prepare(tree, short_side=16) == prepared
    assert count_made == [prepared.train.shards[1].file]
    assert shard.read_bytes() == before
    assert load(tmp_path / "out", tmp_path / "cache").fingerprint == prepared.fingerprint


def cut(content: bytes) -> bytes:
    return content[:-700]


def empty(content: bytes) -> bytes:
    return b""


def other_offsets(content: bytes) -> bytes:
    """Rows that begin where nothing is."""
    at = content.index((0).to_bytes(4, "little") + len(encode(60)).to_bytes(4, "little"))
    return content[: at + 4] + (1 << 30).to_bytes(4, "little") + content[at + 8 :]


def other_names(content: bytes) -> bytes:
    """A column whose name is no text."""
    return content.replace(b"label\0", b"\xffabel\0", 1)


def other_columns(content: bytes) -> bytes:
    import pyarrow as pa

    table = pa.ipc.open_stream(content).read_all()
    labels = pa.array([str(label) for label in table["label"].to_pylist()])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([table.schema.field(0), ("label", pa.string())])) as stream:
        stream.write_table(pa.table({"image": table["image"], "label": labels}))
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("damage", [cut, empty, other_offsets, other_names, other_columns])
def test_no_damage_of_a_shard_is_read(
    damage: Callable[[bytes], bytes], tree: Path, prepare: Prepare, tmp_path: Path
) -> None:
    shard = tmp_path / "out" / prepare(tree).train.shards[0].file
    shard.write_bytes(damage(shard.read_bytes()))
    with pytest.raises(DataError, match=f"{shard.name} of a prepared dataset is damaged"):
        load(tmp_path / "out")


def test_what_it_says_of_itself_is_sealed(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    about = tmp_path / "out" / ABOUT
    prepare(tree)
    about.write_text(about.read_text().replace("bee", "fly"))
    with pytest.raises(DataError, match="does not say what was prepared"):
        load(tmp_path / "out")


def test_the_folder_may_hold_nothing_else(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(RequestError, match=r"exists, and is no prepared dataset: it holds notes.txt"):
        prepare(tree, out=tmp_path / "full")
    with pytest.raises(RequestError, match="is a file"):
        prepare(tree, out=tmp_path / "full" / "notes.txt")
    with pytest.raises(RequestError, match="lies in the dataset"):
        prepare(tree, out=tree / "train" / "out")
    prepare(tree, short_side=16)
    with pytest.raises(RequestError, match=r"holds what another command made: .*--short-side 16"):
        prepare(tree, short_side=24)


def test_the_usual_folder_has_the_name_of_the_one_that_is_read(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    for source in (".", "../tree", "../tree/", str(tree)):
        call = PrepareCall(source, cache_dir=tmp_path / "cache")
        assert _default_folder(call) == Path("tree-prepared")
    assert _default_folder(PrepareCall("owner/name", short_side=64)) == Path("name-64px")


def test_a_folder_that_another_command_began_meanwhile_is_refused(
    tree: Path, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes between the first look and the lock."""
    whole = lock

    @contextmanager
    def slow(path: Path) -> Iterator[Any]:
        monkeypatch.setattr(preparation, "lock", whole)
        prepare(tree, short_side=16)
        with whole(path) as lease:
            yield lease

    monkeypatch.setattr(preparation, "lock", slow)
    with pytest.raises(RequestError, match=r"holds what another command made: .*--short-side 16"):
        prepare(tree, short_side=24)


def test_a_folder_without_locks_is_refused(tree: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "lock", lambda _: nullcontext())
    with pytest.raises(RequestError, match=r"cannot be locked.*--out"):
        prepare(tree)


def test_a_source_that_became_another_is_refused(tree: Path, prepare: Prepare) -> None:
    prepare(tree)
    (tree / "train" / "ant" / "0.jpg").write_bytes(encode(5))
    with pytest.raises(RequestError, match="is another than when"):
        prepare(tree)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("short_side", [None, 16])
def test_a_source_that_changes_meanwhile_is_refused(
    short_side: int | None, tree: Path, prepare: Prepare, tmp_path: Path
) -> None:
    class Changing:
        @contextmanager
        def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
            def change(_: int) -> None:
                (tree / "train" / "bee" / "5.jpg").write_bytes(encode(6))

            yield change

    with pytest.raises(DataError, match="changed while they were read"):
        prepare(tree, short_side=short_side, progress=Changing())
    assert not (tmp_path / "out" / ABOUT).exists()


def test_a_broken_image_is_named_where_it_must_be_decoded(tree: Path, prepare: Prepare) -> None:
    (tree / "train" / "bee" / "1.jpg").write_bytes(encode(1)[:300])
    with pytest.raises(DataError, match=r"Cannot decode the image at .*bee/1\.jpg"):
        prepare(tree, short_side=16)


def test_wrong_options_are_refused_before_anything_is_read(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--quality 101"):
        prepare(tree, quality=101)
    with pytest.raises(RequestError, match="--scaled is about images that are resized"):
        prepare(tree, scaled=True)
    for options in ({"quality": 80}, {"codec": "png"}):
        with pytest.raises(RequestError, match="--codec and --quality are about images that are resized"):
            prepare(tree, **options)
    with pytest.raises(RequestError, match="--quality 80 is JPEG's, and --codec png loses nothing"):
        prepare(tree, short_side=16, codec="png", quality=80)
    assert not (tmp_path / "out").exists()


def test_images_that_a_dataset_holds_in_its_own_way_are_refused(tree: Path) -> None:
    splits = load(tree)
    with pytest.raises(UnsupportedError, match="holds its images as RowsOf"):
        parts_of(Splits(RowsOf(splits.train, torch.tensor([0])), splits.test), "mine")


@pytest.mark.usefixtures("small_shards")
def test_what_is_whole_is_only_looked_at(tree: Path, prepare: Prepare, tmp_path: Path, count_made: list[str]) -> None:
    first: Prepared = prepare(tree)
    about = (tmp_path / "out" / ABOUT).stat().st_mtime_ns
    count_made.clear()
    assert prepare(tree) == first
    assert not count_made
    assert (tmp_path / "out" / ABOUT).stat().st_mtime_ns == about


def test_the_first_use_takes_the_fingerprint_from_the_book(
    tree: Path, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tree)

    def never(*_: Any) -> str:
        raise AssertionError("every shard was read")

    monkeypatch.setattr("rethinkdc.data.encoded.content_fingerprint", never)
    assert load(tmp_path / "out", tmp_path / "cache").fingerprint


def test_another_decoder_has_keys_of_its_own_and_is_never_swapped(
    tree: Path, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = ["0.17.0"]
    monkeypatch.setattr(decoders, "_functions", lambda: dict.fromkeys(("JPEG", "PNG", "WEBP"), _black))
    monkeypatch.setattr(decoders, "version", lambda _: installed[0])
    pillow = prepare(tree)
    theirs = prepare(tree, decoder="torchcodec", out=tmp_path / "theirs")
    assert pillow.fingerprint == pillow.source_fingerprint == theirs.source_fingerprint != theirs.fingerprint
    found = load(tmp_path / "theirs")
    assert found.fingerprint == theirs.fingerprint
    assert found.facts.notes[-1] == "Ordinary images are decoded by torchcodec 0.17.0."
    assert not found.train.native(torch.tensor([0]))[0].any()
    installed[0] = "0.18.0"
    with pytest.raises(DataError, match=r"keyed as torchcodec 0\.17\.0 decodes them, and installed here is .*0\.18\.0"):
        load(tmp_path / "theirs")
    with pytest.raises(RequestError, match=r"is prepared for torchcodec 0\.17\.0, and installed here is .*0\.18\.0"):
        prepare(tree, decoder="torchcodec", out=tmp_path / "theirs")
    # What is prepared of it in turn is held to its bytes, whoever decodes them.
    installed[0] = "0.17.0"
    assert prepare(tmp_path / "theirs", out=tmp_path / "back").fingerprint == pillow.fingerprint


def _black(source: bytes) -> torch.Tensor:
    with Image.open(io.BytesIO(source)) as image:
        return torch.zeros(3, image.height, image.width, dtype=torch.uint8)


def test_another_release_of_pillow_is_told(tree: Path, prepare: Prepare, tmp_path: Path) -> None:
    prepared = prepare(tree)
    older = prepared.recipe.model_copy(update={"decoder": decoders.Decoder(version="10.0.0")})
    write_about(tmp_path / "out", prepared.model_copy(update={"recipe": older}))
    found = load(tmp_path / "out")
    assert found.fingerprint == prepared.fingerprint
    assert found.facts.notes[-1].startswith("Prepared with Pillow 10.0.0 and decoded by Pillow")
    # Mending it is no other command.
    assert prepare(tree).fingerprint == prepared.fingerprint
