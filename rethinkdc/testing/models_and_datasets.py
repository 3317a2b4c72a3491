"""What a model and a dataset must hold, which work on no training data."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from rethinkdc.data.dataset import Dataset
from rethinkdc.models import Model, Penultimate, build_seeded
from rethinkdc.seeds import generator
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.comparing import bystander, require, same

_ROWS_READ = 64
"""Rows of a named dataset that are read from both backings."""


def check_model(model: Model, bench: Bench) -> None:
    """Checks that a model's weights follow the seed and that it gives logits and features.

    Raises:
        AssertionError: says what the contract asks for and what was found.
    """
    classes, name = len(bench.data.class_names), bench.registry.label(model)
    with bystander(name):
        first, again, other = (build_seeded(model, classes, bench.size, seed) for seed in (0, 0, 1))
    require(same(first.state_dict(), again.state_dict()), f"{name} has other weights under the same seed")
    require(not same(first.state_dict(), other.state_dict()), f"{name} has the same weights under another seed")
    batch = torch.rand((4, 3, bench.size, bench.size), generator=generator(0))
    first.eval()
    with torch.no_grad(), Penultimate(first) as penultimate:
        logits = first(batch)
        features = penultimate.features
    require(
        isinstance(logits, Tensor) and logits.shape == (4, classes) and bool(torch.isfinite(logits).all()),
        f"{name} must give finite logits [4, {classes}] for images of {bench.size} px",
    )
    require(features.ndim == 2 and len(features) == 4, f"{name} gives features of {list(features.shape)}")


def check_dataset(dataset: Dataset, folder: Path) -> None:
    """Checks that a dataset is the same from both backings, as it identifies itself, and as it declares.

    Args:
        dataset: the dataset.
        folder: the test's temporary folder.

    Raises:
        AssertionError: says what the contract asks for and what was found.
    """
    name = dataset.name
    # Not watched, because libraries that are imported for the first time draw random numbers of their own.
    dataset.load(folder / "first")
    with bystander(name):
        decoded, streamed = (dataset.load(folder / backing, backing) for backing in ("decoded", "encoded"))
        fingerprint, schema = dataset.identify(folder / "decoded")
    require(decoded.fingerprint == streamed.fingerprint, f"{name} has another fingerprint for each backing")
    require(decoded.fingerprint == fingerprint, f"{name} identifies as another fingerprint than it loads with")
    declared = type(dataset).schema
    for key, value in declared.model_dump().items() if declared else ():
        loaded = getattr(schema, key)
        require(value in (None, loaded), f"{name} declares {key} = {value} and has {loaded}")
    require(decoded.train.class_names == decoded.test.class_names, f"{name}: both parts must name the same classes")
    for one, other in ((decoded.train, streamed.train), (decoded.test, streamed.test)):
        require(torch.equal(one.targets, other.targets), f"{name} has other targets for each backing")
        require(set(one.targets.tolist()) == set(range(len(one.class_names))), f"{name} has a class without images")
        rows = torch.linspace(0, len(one) - 1, _ROWS_READ).long()
        require(same(one.native(rows), other.native(rows)), f"{name} has other pixels for each backing")
