"""Wrong requests: the exit code, a message that helps, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.registry.registry import Registry

CONSOLE = str(Path(sys.executable).with_name("rethinkdc"))
SHORT = ("--set", "training.steps=5")
QUICK = (*SHORT, "--set", "proxy.training.epochs=1", "--set", "proxy.scores.el2n.epochs=1")


@pytest.fixture
def refused(cli: Callable[..., Any], tmp_path: Path, shared_cache: Path) -> Callable[..., str]:
    """Runs a wrong request: exit code 2, one message without a trace, and no file more than before."""

    def check(*words: str) -> str:
        before = _files(tmp_path, shared_cache)
        done = cli(*words)
        assert done.code == 2, (done.code, done.out, done.err)
        assert "Traceback" not in done.err
        assert "Error: " in done.err
        assert done.out == ""
        assert _files(tmp_path, shared_cache) == before
        message: str = done.err
        return " ".join(message.split("Error: ", 1)[1].split())

    return check


def _files(*folders: Path) -> set[Path]:
    """What lies there, but for locks, empty folders, and what is known of a dataset's files."""
    return {path for folder in folders for path in _kept(folder)}


def _kept(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = set(path.relative_to(folder).parts)
        if path.is_file() and not parts & {"locks", "fingerprints", "decoded", "datasets"}:
            yield path


UNKNOWN = {
    "compressor": (("run", "-c", "pcaa"), ["compressor 'pcaa'", "'pca'", "rethinkdc list-plugins"]),
    "score as compressor": (("run", "-c", "el2m:direction=easy"), ["'el2m'", "'el2n'"]),
    "nested score": (("run", "-c", "pca:score=eln2"), ["score 'eln2'", "'el2n'"]),
    "score": (("score", "-s", "el3n", "-o", "scores"), ["score 'el3n'", "'el2n'"]),
    "labeler": (("run", "-c", "random", "-l", "herd"), ["labeler 'herd'", "'hard'"]),
    "evaluator": (("run", "-c", "random", "-e", "standart"), ["evaluator 'standart'", "'standard'"]),
    "student": (("run", "-c", "random", "--student", "convnett"), ["model 'convnett'", "'convnet'"]),
    "torchvision model": (
        ("run", "-c", "random", "--student", "torchvision/resnet19"),
        ["'resnet19'", "'torchvision/resnet18'"],
    ),
    "protocol": (
        ("run", "-c", "random", "-p", "digit-hard"),
        ["protocol 'digit-hard'", "'digits-hard'", "list-protocols"],
    ),
    "dataset": (("run", "-c", "random", "-d", "cifar11"), ["dataset 'cifar11'", "'cifar10'", "folder", "hub id"]),
    "dataset folder": (("run", "-c", "random", "-d", "./nowhere"), ["./nowhere", "existing path"]),
    "parameter": (("run", "-c", "pca:gird=3"), ["pca has no parameter 'gird'", "'grid'", "rethinkdc show pca"]),
    "parameter of a score": (("run", "-c", "el2n:direction=easy,obsreve=clean"), ["'obsreve'", "'observe'"]),
    "nested parameter": (("run", "-c", "pca:score=[el2n:epoch=3]"), ["el2n has no parameter 'epoch'", "'epochs'"]),
    "name": (("show", "pcaa"), ["'pcaa'", "'pca'"]),
    "override": (("run", "-c", "random", "--set", "trainig.batch=3"), ["'trainig.batch'", "'training.batch'"]),
    "seed axis": (("run", "-c", "random", "--seeds", "studnet=0,1"), ["'studnet'", "Did you mean 'student'"]),
    "tracker": (("run", "-c", "random", "--tracker", "wandbb"), ["'wandbb'"]),
    "set to evaluate": (("evaluate", "nowhere"), ["nowhere", "rethinkdc compress"]),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_name_is_refused_with_the_nearest(refused: Callable[..., str], case: str) -> None:
    words, parts = UNKNOWN[case]
    message = refused(*words)
    assert not [part for part in parts if part not in message], message


OUT_OF_BOUNDS = {
    "grid 0": (("run", "-c", "pca:grid=0"), ["grid = 0", "greater than or equal to 1"]),
    "a word for a number": (("run", "-c", "pca:grid=two"), ["grid = 'two'", "integer"]),
    "direction": (("run", "-c", "el2n:direction=up"), ["direction = 'up'", "'easy', 'hard' or 'middle'"]),
    "fold": (("run", "-c", "random", "-d", "digits:fold=5"), ["fold = 5", "less than 5"]),
    "label smoothing": (("run", "-c", "random", "-l", "hard:label_smoothing=1"), ["label_smoothing = 1"]),
    "protocol value": (("run", "-c", "random", "--set", "training.batch=0"), ["training.batch", "0"]),
    "override with a table": (
        ("run", "-c", "random", "--set", 'training.views=[{"op":"flip"}]'),
        ["--set training.views=", "tables belong in a file", "new-protocol"],
    ),
    "override without a value": (("run", "-c", "random", "--set", "training.batch"), ["KEY=VALUE"]),
    "seeds": (("run", "-c", "random", "--seeds", "0,x"), ["0,x", "0,1,2"]),
    "equal seeds": (("run", "-c", "random", "--seeds", "0,0"), ["0,0", "differ"]),
    "backing": (("run", "-c", "random", "--backing", "coded"), ["coded", "encoded"]),
    "device": (("run", "-c", "random", "--device", "abacus"), ["'abacus'", "cpu"]),
    "reference": (("run", "-c", "pca:grid"), ["'pca:grid'", "'='", "name:key=value"]),
}


@pytest.mark.parametrize("case", OUT_OF_BOUNDS)
def test_a_value_out_of_bounds_is_refused_by_name(refused: Callable[..., str], case: str) -> None:
    words, parts = OUT_OF_BOUNDS[case]
    message = refused(*words)
    assert not [part for part in parts if part not in message], message


@pytest.mark.parametrize(
    ("epochs", "parts"), [("10000", ["10000", "proxy trains for 1"]), ("[5,2]", ["[5,2]", "backwards"])]
)
def test_epochs_that_the_proxy_has_not_are_refused(
    cli: Callable[..., Any], shared_cache: Path, tmp_path: Path, epochs: str, parts: list[str]
) -> None:
    """The proxy is whole and stays in the cache; no score, no set and no record are made of it."""
    done = cli("run", "-d", "digits", "-c", f"pca:score=[el2n:epochs={epochs}]", *QUICK, "--records", "mine")
    assert done.code == 2, done.err
    assert not [part for part in parts if part not in done.err], done.err
    assert not list((tmp_path / "mine").rglob("*.json"))
    assert not list(shared_cache.rglob(".making-*"))
    assert not [path for path in (shared_cache / "work").rglob("*") if path.is_file()]


def test_a_score_without_direction_is_refused(refused: Callable[..., str]) -> None:
    message = refused("run", "-d", "digits", "-c", "el2n")
    assert "needs the parameter 'direction'" in message
    assert "easy" in message
    assert "hard" in message


def test_a_labeler_whose_track_the_protocol_does_not_take_is_refused(refused: Callable[..., str]) -> None:
    message = refused("run", "-c", "random", "-p", "digits-soft")
    for part in ("takes soft labels", "hard gives hard ones", "--protocol digits-hard (", "list-protocols"):
        assert part in message


def test_a_third_partys_labels_are_refused_by_a_protocol_of_another_track(
    refused: Callable[..., str], install: Callable[..., None]
) -> None:
    source = """
from typing import ClassVar
from rethinkdc.contracts import Labeler
from rethinkdc.contracts import hookimpl

class Oracle(Labeler):
    \"\"\"Soft labels from nowhere.\"\"\"

    name: ClassVar[str] = "oracle"
    track: ClassVar[str] = "online"

@hookimpl
def register_methods():
    return [Oracle]
"""
    install("soft-labels", {"oracle": source})
    message = refused("run", "-c", "random", "-l", "oracle", "-p", "digits-hard")
    for part in ("takes hard labels", "oracle gives online ones", "list-protocols"):
        assert part in message


def test_a_dataset_of_another_schema_is_refused(refused: Callable[..., str]) -> None:
    message = refused("run", "-c", "random", "-p", "cifar10-small-hard", "-d", "digits")
    for part in ("cifar10-small-hard is for 10 classes", "50000", "digits", "--protocol", "--dataset"):
        assert part in message


def test_a_derived_protocol_without_its_data_is_refused(refused: Callable[..., str]) -> None:
    assert "--dataset" in refused("show", "auto-hard")
    assert "--dataset" in refused("new-protocol", "mine", "--from", "auto")


def test_a_new_protocol_never_takes_the_place_of_a_file(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("mine")
    assert "exists already" in refused("new-protocol", "mine", "--from", "digits-hard")
    assert "no name for a protocol" in refused("new-protocol", "my own", "--from", "digits-hard", "-o", "own.toml")
    assert "'digits-hard'" in refused("new-protocol", "own", "--from", "digit-hard")


@pytest.mark.parametrize("ipc", ["0", "-1"])
def test_no_images_per_class_are_refused(refused: Callable[..., str], ipc: str) -> None:
    message = refused("run", "-d", "digits", "-c", "random", "--ipc", ipc)
    assert f"--ipc {ipc}" in message
    assert "at least one" in message


@pytest.mark.parametrize(
    ("compressor", "ipc", "needed", "largest"),
    [
        ("random", 500, 500, 139),
        ("pca", 36, 144, 34),
        ("pca:grid=3", 20, 180, 15),
        ("el2n:direction=easy", 150, 150, 139),
    ],
)
def test_more_images_than_a_class_has_are_refused(
    refused: Callable[..., str], compressor: str, ipc: int, needed: int, largest: int
) -> None:
    """The digit 8 has the fewest training images: 139. A canvas of a grid takes as many as it has cells."""
    message = refused("run", "-d", "digits", "-c", compressor, "--ipc", str(ipc), "--small-cells")
    for part in (
        f"ipc {ipc}",
        f"needs {needed} training images",
        "class '8' of digits has 139",
        f"largest ipc here is {largest}",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("compressor", "parts"),
    [
        ("pca:grid=9", ["8 px", "9 x 9 cells of 0.9 px", "at least one pixel", "largest grid here is 8"]),
        ("combine:select=random,grid=16", ["16 x 16 cells of 0.5 px", "at least one pixel"]),
        ("rded:factor=9", ["9 x 9 cells", "at least one pixel"]),
        ("pca:grid=3", ["3 x 3 cells of 2.7 px", "less than 4 px", "largest grid above that is 2", "--small-cells"]),
        ("rded:factor=4", ["4 x 4 cells of 2 px", "--small-cells"]),
    ],
)
def test_cells_in_which_nothing_is_seen_are_refused(
    refused: Callable[..., str], compressor: str, parts: list[str]
) -> None:
    message = refused("run", "-d", "digits", "-c", compressor, "--ipc", "1")
    assert not [part for part in parts if part not in message], message


@pytest.mark.parametrize("compressor", ["pca:score=random,grid=9", "combine:select=random,grid=9", "rded:factor=9"])
def test_cells_without_a_pixel_are_refused_though_asked_for_twice(refused: Callable[..., str], compressor: str) -> None:
    assert "at least one pixel" in refused(
        "compress", "-d", "digits", "-c", compressor, "--small-cells", "--out", "made"
    )


def test_small_cells_that_are_asked_for_twice_are_made(cli: Callable[..., Any]) -> None:
    done = cli("compress", "-d", "digits", "-c", "pca:score=random,grid=3", "--small-cells", "--out", "made")
    assert done.code == 0, done.err


def test_one_seed_and_several_for_every_axis_are_refused(refused: Callable[..., str]) -> None:
    message = refused("run", "-d", "digits", "-c", "random", "--seed", "1", "--seeds", "0,1")
    for part in ("--seed 1", "--seeds 0,1", "--seeds student=0,1"):
        assert part in message


def test_images_per_class_of_the_whole_training_set_are_refused(refused: Callable[..., str]) -> None:
    assert "leave --ipc out" in refused("run", "-d", "digits", "-c", "full", "--ipc", "5")


def test_a_class_without_images_is_refused_by_name(
    refused: Callable[..., str], image_tree: Callable[..., Path]
) -> None:
    tree = image_tree({"apple": 3, "pear": 0}, {"apple": 1, "pear": 1})
    message = refused("run", "-c", "random", "-d", str(tree), "-p", "digits-hard")
    for part in ("1 of 2 classes have no images", "'pear'", str(tree)):
        assert part in message


@pytest.mark.parametrize("backing", ["auto", "encoded"])
@pytest.mark.parametrize("damage", ["truncated", "no image"])
def test_a_damaged_image_is_refused_by_its_path(
    refused: Callable[..., str], image_tree: Callable[..., Path], damage: str, backing: str, tmp_path: Path
) -> None:
    classes = [str(digit) for digit in range(10)]
    tree = image_tree(dict.fromkeys(classes, 3), dict.fromkeys(classes, 1))
    file = tree / "train" / "4" / "001.png"
    file.write_bytes(file.read_bytes()[:60] if damage == "truncated" else b"no image at all")
    # All rows are read by the proxy; a random subset might miss the damaged one.
    message = refused(
        "run", "-c", "el2n:direction=easy", *QUICK, "-d", str(tree), "-p", "digits-hard", "--backing", backing
    )
    assert str(file) in message
    assert not (tmp_path / "records").exists() or not list((tmp_path / "records").iterdir())


def test_a_damaged_image_in_parquet_is_refused_by_its_row(refused: Callable[..., str], tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for split in ("train", "test"):
        images = pa.array([{"bytes": b"no image", "path": None}] * 10, type=kind)
        pq.write_table(pa.table({"image": images, "label": list(range(10))}), tmp_path / f"{split}.parquet")
    message = refused("run", "-c", "random", "-d", str(tmp_path), "-p", "digits-hard")
    assert "row 0 of the train split" in message


# An unreachable hub is asked six times in 23 seconds by the library below, which says so on stderr.
@pytest.mark.parametrize("offline", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_hub_id_without_network_is_refused_soon(tmp_path: Path, offline: bool) -> None:
    """Offline by request, or with a hub that answers nobody."""
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "RETHINKDC_CACHE": str(tmp_path / "cache")}
    environment |= {"HF_HUB_OFFLINE": "1"} if offline else {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [CONSOLE, "run", "-c", "random", "-d", "somebody/some-images"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in ("somebody/some-images", "Check the id", "hf download somebody/some-images", "--dataset FOLDER"):
        assert part in done.stderr
    assert not list(_kept(tmp_path / "cache"))
    assert not (tmp_path / "records").exists()


def test_records_that_cannot_be_written_are_refused_before_any_work(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    """A file stands where the folder should be: permissions would not stop a superuser."""
    (tmp_path / "file").write_text("")
    for place in ("file", "file/records"):
        message = refused("run", "-d", "digits", "-c", "random", "--records", place)
        assert f"records folder {place} cannot be written" in message
        assert "--records" in message


def test_a_folder_that_exists_is_not_written_over(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert "mine exists already" in refused("compress", "-d", "digits", "-c", "random", "--out", "mine")


def test_a_folder_that_cannot_be_written_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Choose another --out" in refused("compress", "-d", "digits", "-c", "random", "--out", "file/set")
    assert "Choose another --out" in refused("score", "-d", "digits", "-s", "random", "--out", "file/scores")


def test_a_refused_compress_leaves_no_folder(refused: Callable[..., str], tmp_path: Path) -> None:
    refused("compress", "-d", "digits", "-c", "pca", "--ipc", "1000", "--out", "written")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (("batch = 64", "batches = 64"), ["training.batches", "64"]),
        (('status = "tuned"', 'status = "guessed"'), ["status", "guessed"]),
        (("version = 1", "version = "), ["not valid TOML"]),
        (('op = "affine"', 'op = "afine"'), ["afine", "affine"]),
    ],
)
def test_a_wrong_protocol_file_is_refused_by_key(
    refused: Callable[..., str], tmp_path: Path, change: tuple[str, str], parts: list[str]
) -> None:
    text = _digits_hard()
    assert change[0] in text
    (tmp_path / "mine.toml").write_text(text.replace(*change, 1))
    message = refused("run", "-c", "random", "-p", "mine.toml")
    assert not [part for part in ["mine.toml", *parts] if part not in message], message


def test_a_missing_protocol_file_is_refused(refused: Callable[..., str]) -> None:
    assert "mine.toml" in refused("run", "-c", "random", "-p", "mine.toml")


RIVAL = """
from typing import ClassVar
from rethinkdc.contracts import Compressor
from rethinkdc.contracts import hookimpl
from rethinkdc.compressed import CompressedSet

class Rival(Compressor):
    \"\"\"The first rows of every class.\"\"\"

    name: ClassVar[str] = "random"

    def compress(self, data, budget, context):
        import torch
        rows = [(data.targets == label).nonzero().flatten()[: budget.ipc] for label in range(budget.classes)]
        return CompressedSet.of_rows(data, torch.cat(rows))

@hookimpl
def register_methods():
    return [Rival]
"""


def test_a_name_of_two_distributions_is_refused_and_breaks_nothing_else(
    refused: Callable[..., str], cli: Callable[..., Any], install: Callable[..., None]
) -> None:
    install("rival-methods", {"random": RIVAL})
    message = refused("run", "-d", "digits", "-c", "random")
    for part in ("'random'", "rethinkdc", "rival-methods 1.0", "rival-methods/random"):
        assert part in message
    other = cli("run", "-d", "digits", "-c", "full", "--set", "reference.epochs=1")
    assert other.code == 0, other.err
    assert "Warning: The plugin name 'random' is provided by" in other.err
    chosen = cli("run", "-d", "digits", "-c", "rival-methods/random", *SHORT, "--json")
    assert chosen.code == 0, chosen.err
    assert json.loads(chosen.out)[0]["plugins"]["rival-methods"] == "1.0"


def test_a_broken_plugin_is_listed_with_the_reason_and_breaks_nothing(
    refused: Callable[..., str], cli: Callable[..., Any], install: Callable[..., None]
) -> None:
    install("broken-methods", {"shattered": "import a_module_that_nobody_has\n"})
    rows = {row["name"]: row for row in json.loads(cli("list-plugins", "--json").out)}
    assert rows["shattered"]["status"] == "broken"
    assert "a_module_that_nobody_has" in rows["shattered"]["reason"]
    assert cli("run", "-d", "digits", "-c", "random", *SHORT).code == 0
    message = refused("run", "-d", "digits", "-c", "shattered")
    for part in ("'shattered'", "broken-methods 1.0", "a_module_that_nobody_has"):
        assert part in message


def test_a_loss_that_is_not_finite_fails_with_the_epoch_on_record(cli: Callable[..., Any], tmp_path: Path) -> None:
    given = ("run", "-d", "digits", "-c", "random", "--set", "training.optimizer.lr=1e30", "--set", "training.steps=50")
    done = cli(*given)
    assert done.code == 1, done.err
    assert "in epoch " in done.err
    assert "Traceback" not in done.err
    (file,) = (tmp_path / "records").rglob("*.json")
    record = json.loads(file.read_text())
    assert record["status"] == "failed"
    assert "in epoch " in record["reason"]
    assert record["evaluation"] is None
    assert record["result_digest"] is None
    # A failed attempt is no result: the same request tries again.
    assert cli(*given).code == 1
    assert len(list((tmp_path / "records").rglob("*.json"))) == 2


@pytest.mark.parametrize("kind", ["proxies", "scores", "sets"])
def test_a_damaged_artefact_is_reported_and_rebuilt(cli: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    given = ("run", "-d", "digits", "-c", "pca", *QUICK, "--cache-dir", "cache", "--json")
    whole = cli(*given)
    assert whole.code == 0, whole.err
    for file in (tmp_path / "cache" / kind).rglob("*.safetensors" if kind != "proxies" else "*.npy"):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    # What was made of an artefact spares asking for it.
    for later in {"proxies": ("scores", "sets"), "scores": ("sets",), "sets": ()}[kind]:
        shutil.rmtree(tmp_path / "cache" / later)
    # Forced to make all anew it would not look at what is there.
    again = cli(*given, "--force=student")
    assert again.code == 0, again.err
    assert "Warning: " in again.err
    assert "damaged" in again.err
    assert "rebuilt" in again.err
    assert json.loads(again.out)[0]["result_digest"] == json.loads(whole.out)[0]["result_digest"]
    quiet = cli(*given, "--force=student")
    assert "damaged" not in quiet.err


def test_a_cache_that_cannot_be_written_is_done_without(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    given = ("run", "-d", "digits", "-c", "pca", *QUICK, "--json")
    done = cli(*given, "--cache-dir", "file/cache")
    assert done.code == 0, done.err
    assert "Warning: The cache " in done.err
    assert "cannot be written" in done.err
    assert "--cache-dir" in done.err
    usual = cli(*given, "--force")
    assert json.loads(usual.out)[0]["result_digest"] == json.loads(done.out)[0]["result_digest"]


def _digits_hard() -> str:
    (plugin,) = [plugin for plugin in _loaded().plugins.installed if plugin.entry_point.name == "protocols"]
    return (plugin.protocols[0] / "digits-hard.toml").read_text()


def _loaded() -> Registry:
    registry = Registry()
    registry.protocols.all()
    return registry
