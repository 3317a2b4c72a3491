"""The datasets that can be asked for by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from sklearn.datasets import load_digits

from rethinkdc.data import RowsOf, Schema, schema_of
from rethinkdc.layouts import HubFileDataset
from rethinkdc.plugins.datasets import cifar10, cifar100, digits, imagenet_1k, tiny_imagenet
from rethinkdc.plugins.datasets.digits import FOLDS, Digits


def as_bytes(images: object) -> list[bytes]:
    assert hasattr(images, "pixels")
    return [image.contiguous().numpy().tobytes() for image in images.pixels]


def test_every_fold_of_digits_tests_other_images_and_together_all_of_them() -> None:
    content = load_digits()
    every = [torch.from_numpy(image * 255 / 16).round().to(torch.uint8).expand(3, 8, 8) for image in content.images]
    expected = sorted(image.contiguous().numpy().tobytes() for image in every)
    tested = []
    for fold in range(FOLDS):
        splits = Digits(fold=fold).load()
        assert sorted(as_bytes(splits.train) + as_bytes(splits.test)) == expected
        tested += as_bytes(splits.test)
    assert sorted(tested) == expected


def test_folds_of_digits_are_stratified() -> None:
    counts = torch.stack([torch.bincount(Digits(fold=fold).load().test.targets) for fold in range(FOLDS)])
    assert (counts.amax(0) - counts.amin(0)).max() <= 1
    assert int(counts.sum()) == 1797
    assert counts.sum(1).tolist() == [360, 360, 359, 359, 359]


def test_digits_are_grey_and_use_the_whole_range() -> None:
    train = Digits().load().train
    images = train.canvases(torch.arange(len(train)), 8)
    assert (int(images.min()), int(images.max())) == (0, 255)
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])
    assert images.unique().tolist() == [round(value * 255 / 16) for value in range(17)]


def test_the_fold_is_in_the_fingerprint_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    prints = {Digits(fold=fold).identify(tmp_path)[0] for fold in range(FOLDS)}
    assert len(prints) == FOLDS
    assert prints == {Digits(fold=fold).load().fingerprint for fold in range(FOLDS)}
    for fold in (-1, FOLDS):
        with pytest.raises(ValidationError):
            Digits(fold=fold)


def test_digits_are_identified_a_second_time_without_scikit_learn(tmp_path: Path) -> None:
    Digits().identify(tmp_path)
    code = (
        "import json, sys; from pathlib import Path; from rethinkdc.plugins.datasets.digits import Digits;"
        f"found = Digits().identify(Path({str(tmp_path)!r})); print(json.dumps([found[0], 'sklearn' in sys.modules]))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == [Digits().load().fingerprint, False]


def test_rows_of_digits_can_be_taken() -> None:
    train = Digits().load().train
    assert torch.equal(
        RowsOf(train, torch.tensor([5])).native(torch.tensor([0]))[0], train.native(torch.tensor([5]))[0]
    )


@pytest.mark.parametrize(
    ("module", "name", "hub_id", "schema"),
    [
        (cifar10, "cifar10", "uoft-cs/cifar10", Schema(classes=10, train=50_000, test=10_000)),
        (cifar100, "cifar100", "uoft-cs/cifar100", Schema(classes=100, train=50_000, test=10_000)),
        (tiny_imagenet, "tiny-imagenet", "zh-plus/tiny-imagenet", Schema(classes=200, train=100_000, test=10_000)),
        (imagenet_1k, "imagenet-1k", "ILSVRC/imagenet-1k", Schema(classes=1000, train=1_281_167, test=50_000)),
    ],
)
def test_hub_datasets_state_their_id_and_schema(module: object, name: str, hub_id: str, schema: Schema) -> None:
    (kind,) = module.register_methods()  # type: ignore[attr-defined]
    assert issubclass(kind, HubFileDataset)
    assert (kind.kind, kind.name, kind.schema) == ("dataset", name, schema)
    assert kind().repository == hub_id


def test_digits_register_themselves_with_the_classes_they_have() -> None:
    (kind,) = digits.register_methods()
    assert kind.name == "digits"
    assert kind.schema == Schema(classes=10)
    assert schema_of(kind().load()) == Schema(classes=10, train=1437, test=360)
