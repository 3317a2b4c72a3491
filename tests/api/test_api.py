"""The Python face does what the command line does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rethinkdc as rdc
from rethinkdc.cli.main import main
from rethinkdc.errors import DivergedError, RequestError
from rethinkdc.plugins.datasets.digits import Digits
from rethinkdc.runs.request import parse_seeds

SHORT = {"training.steps": 5}


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def machine(shared_cache: Path, tmp_path: Path) -> dict[str, Any]:
    """Where the tests compute and keep records."""
    return {"cache_dir": shared_cache, "records": tmp_path / "records", "device": "cpu", "dataset": "digits"}


@pytest.fixture
def place(shared_cache: Path) -> dict[str, Any]:
    """The same for what writes no record."""
    return {"cache_dir": shared_cache, "device": "cpu", "dataset": "digits"}


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Two digits of each class: uint8 [20, 3, 8, 8]."""
    train = Digits().load().train
    found: Tensor = train.canvases(_rows(), 8)
    return found


@pytest.fixture(scope="module")
def targets() -> Tensor:
    found: Tensor = Digits().load().train.targets[_rows()]
    return found


def _rows() -> Tensor:
    train = Digits().load().train
    firsts = [(train.targets == label).nonzero().flatten()[:2] for label in range(10)]
    return torch.cat(firsts)


def test_the_names_are_imported_when_they_are_used() -> None:
    script = (
        "import sys, rethinkdc as rdc; assert 'torch' not in sys.modules; assert 'run' in dir(rdc)\n"
        "assert callable(rdc.run); assert 'torch' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", rdc.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(rdc, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        rdc.rum  # noqa: B018


def test_run_returns_the_record_that_it_wrote(machine: dict[str, Any], tmp_path: Path) -> None:
    record = rdc.run("random", "hard", overrides=SHORT, **machine)
    (file,) = (tmp_path / "records").rglob("*.json")
    assert rdc.Record.model_validate_json(file.read_bytes()) == record
    assert (record.status, record.attempt, record.modified) == ("ok", 1, True)
    assert rdc.run("random", "hard", overrides=SHORT, **machine) == record
    assert rdc.run("random", "hard", overrides=SHORT, force=True, **machine).attempt == 2


def test_the_command_line_and_python_name_the_same_run(
    machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = rdc.run(
        "el2n:direction=hard,observe=clean",
        "hard:label_smoothing=0.1",
        ipc=2,
        seed=rdc.Seeds.all(3),
        student="convnet:depth=1,width=8",
        overrides={"training.steps": 5, "proxy.training.epochs": 1, "proxy.clean": [1.0]},
        **{**machine, "dataset": "digits:fold=1"},
    )
    words = "run -c el2n:observe=clean,direction=hard -l hard:label_smoothing=0.1 -d digits:fold=1 --ipc 2 --seed 3"
    words += " --student convnet:width=8,depth=1 --set training.steps=5 --set proxy.training.epochs=1"
    words += f" --set proxy.clean=[1.0] --cache-dir {machine['cache_dir']} --records {machine['records']} --json"
    monkeypatch.setattr(sys, "argv", ["rethinkdc", *words.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    (printed,) = json.loads(capsys.readouterr().out)
    assert printed["key"] == record.key
    assert printed == record.model_dump(mode="json"), "the command line made a run of its own"


def test_other_parameters_make_another_key(machine: dict[str, Any]) -> None:
    keys = {rdc.run("random", overrides=SHORT, seed=seed, ipc=ipc, **machine).key for seed in (0, 1) for ipc in (1, 2)}
    assert len(keys) == 4


def test_where_and_how_a_run_is_computed_is_no_part_of_its_key(machine: dict[str, Any]) -> None:
    record = rdc.run("random", overrides=SHORT, **machine)
    again = rdc.run("random", overrides=SHORT, force=True, workers=2, backing="encoded", **machine)
    assert (again.key, again.result_digest) == (record.key, record.result_digest)


def test_uint8_and_float_images_are_the_same_set(machine: dict[str, Any], images: Tensor, targets: Tensor) -> None:
    bytes_ = rdc.evaluate(images, targets, protocol="digits-hard", **machine)
    floats = rdc.evaluate(images.double() / 255, targets, protocol="digits-hard", **machine)
    assert bytes_.key == floats.key
    assert bytes_.evaluation is not None
    assert bytes_.evaluation.metrics["top1"] > 0.3
    assert (bytes_.names.compressor, bytes_.names.ipc) == ("tensors", "2")


def test_evaluating_the_rows_of_a_set_gives_the_result_of_the_run(
    machine: dict[str, Any], place: dict[str, Any]
) -> None:
    record = rdc.run("random", **machine)
    made = rdc.compress("random", machine["records"].parent / "set", **place)
    pixels = made.canvases(torch.arange(len(made)), 8)
    plain = rdc.evaluate(pixels, made.targets, protocol="digits-hard", name="mine", **machine)
    assert plain.result_digest == record.result_digest
    assert plain.names.compressor == "mine"
    whole = rdc.evaluate(made, **machine)
    assert whole.result_digest == record.result_digest


def test_weights_change_the_result_and_equal_ones_do_not(
    machine: dict[str, Any], images: Tensor, targets: Tensor
) -> None:
    given: dict[str, Any] = {"protocol": "digits-hard", **machine}
    plain = rdc.evaluate(images, targets, **given)
    equal = rdc.evaluate(images, targets, weights=torch.full((20,), 7.0), force=True, **given)
    other = rdc.evaluate(images, targets, weights=torch.arange(1.0, 21.0), **given)
    assert other.key != plain.key
    assert equal.result_digest == plain.result_digest
    assert other.result_digest != plain.result_digest


WRONG: dict[str, tuple[Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]], str]] = {
    "normalised": (
        lambda images, targets: (images.float() / 127.5 - 1, targets),
        "Pixels in -1..1 are --mean",
    ),
    "bytes as floats": (lambda images, targets: (images.float(), targets), "float in 0..1"),
    "wide integers": (lambda images, targets: (images.to(torch.int64), targets), "torch.int64"),
    "not square": (lambda images, targets: (images[..., :4], targets), r"\[M, 3, S, S\]"),
    "too large": (lambda images, targets: (images.repeat(1, 1, 2, 2), targets), "16 px.* 8 px"),
    "no targets": (lambda images, targets: (images, None), "targets"),
    "too few targets": (lambda images, targets: (images, targets[:-1]), "targets"),
    "too many classes": (lambda images, targets: (images, targets + 5), "class"),
    "not a number": (lambda images, targets: (images.float() / 255 * torch.nan, targets), "float in 0..1"),
    "no images": (lambda images, targets: (images[:0], targets[:0]), "at least one image"),
    "negative targets": (lambda images, targets: (images, targets - 1), "from 0, below 1,000,000; found -1"),
    "targets as floats": (lambda images, targets: (images, targets + 0.5), "int64"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_tensors_are_refused(
    machine: dict[str, Any], images: Tensor, targets: Tensor, case: str, tmp_path: Path
) -> None:
    spoil, message = WRONG[case]
    with pytest.raises(RequestError, match=message):
        rdc.evaluate(*spoil(images, targets), protocol="digits-hard", **machine)
    assert not list((tmp_path / "records").rglob("*.json"))


def test_compress_returns_the_set_that_it_wrote(place: dict[str, Any], tmp_path: Path) -> None:
    made = rdc.compress("pca:score=random", tmp_path / "set", ipc=2, **place)
    assert (len(made), made.cells, made.card.method, made.card.ipc) == (20, 4, "pca", 2)
    assert made.sources.min() >= 0
    assert (tmp_path / "set" / "card.json").exists()
    with pytest.raises(RequestError, match="exists already"):
        rdc.compress("random", tmp_path / "set", **place)


def test_score_gives_a_number_for_each_training_row(place: dict[str, Any]) -> None:
    scores, about = rdc.score("random", seed=3, **place)
    train = Digits().load().train
    assert (scores.shape, scores.dtype) == ((len(train),), torch.float32)
    assert (about["fingerprint"], about["seeds"]["set"]) == (train.fingerprint, 3)
    again, _ = rdc.score("random", seed=3, **place)
    other, _ = rdc.score("random", seed=4, **place)
    assert torch.equal(scores, again)
    assert not torch.equal(scores, other)


def test_a_diverged_run_raises_with_its_epoch(machine: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="in epoch") as error:
        rdc.run("random", overrides={"training.optimizer.lr": 1e30, "training.steps": 50}, **machine)
    assert error.value.epoch >= 0
    (file,) = (tmp_path / "records").rglob("*.json")
    assert json.loads(file.read_text())["status"] == "failed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, [rdc.Seeds.all(7)]),
        ("0,1", [rdc.Seeds.all(0), rdc.Seeds.all(1)]),
        ("student=0,2", [rdc.Seeds(set=7, proxy=7, teacher=7, labels=7, student=seed) for seed in (0, 2)]),
        ("set=1", [rdc.Seeds(set=1, proxy=7, teacher=7, labels=7, student=7)]),
    ],
)
def test_seeds_are_read(text: str | None, expected: list[rdc.Seeds]) -> None:
    assert parse_seeds(text, 7) == expected


@pytest.mark.parametrize("text", ["", "a", "0,", "-1", "1,1", "students=1", "student=", "student=0;1"])
def test_what_is_no_list_of_seeds_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--seeds"):
        parse_seeds(text)
