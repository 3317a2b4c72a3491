"""Folders of train and test images, as ``--dataset FOLDER`` reads them."""

from __future__ import annotations

import warnings
from collections import Counter

import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError
from rethinkdc.inspection.commands import spell
from rethinkdc.inspection.findings import DatasetFinding
from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.row_files.order import COPIES, find_order
from rethinkdc.row_files.reading import labels_prove_order
from rethinkdc.types import Images

_ALL, _SAMPLE = 2_000, 64
"""Training images up to which all are decoded, and of more, how many."""


def find_dataset(around: Surroundings) -> DatasetFinding:
    """Reads a folder as a run does.

    Raises:
        RequestError: it has no known layout, or cannot be used.
    """
    with warnings.catch_warnings():
        # What was passed over or assumed is told as part of the finding.
        warnings.simplefilter("ignore", UserWarning)
        splits = _load(around)
        train = splits.train
        run, refused = around.plan("random", splits, dataset=str(around.call.file))
    counts = torch.bincount(train.targets, minlength=len(train.class_names))
    ratio = float(counts.max()) / max(1, int(counts.min()))
    unbalanced = [f"the largest class has {ratio:.1f} times the training images of the smallest"] * (ratio >= 2)
    return DatasetFinding(
        taken=splits.facts.notes,
        ignored=tuple(f"{count:,} x {what}" for what, count in splits.facts.passed_over.items()),
        warnings=tuple(unbalanced),
        refused=refused,
        command=spell("run", "--compressor", "random", dataset=str(around.call.file), protocol=around.call.protocol),
        train=len(train),
        test=len(splits.test),
        class_names=train.class_names,
        per_class=tuple(counts.tolist()),
        sizes=_sizes(train),
        fingerprint=splits.fingerprint,
        order=say_order(train),
        protocol="" if run is None else _name(run.protocol),
    )


def images_of_dataset(around: Surroundings) -> CompressedSet:
    """The training images, for a picture."""
    train = _load(around).train
    return CompressedSet.of_rows(train, torch.arange(len(train)))


def say_order(train: Images) -> str:
    """In what order training rows lie, as far as their labels tell."""
    for copy in COPIES:
        try:
            places = find_order(copy, train)
        except DataError:
            break
        if torch.equal(places, torch.arange(len(train))):
            return f"that of the copy {copy!r}, by the first labels of each batch"
    if labels_prove_order(train):
        return "mixed: a column of labels beside rows or scores proves their order"
    return "sorted by class: labels prove nothing of the order within a class"


def _load(around: Surroundings) -> Splits:
    source = around.runner.registry.build(Dataset, str(around.call.file))
    return source.load(around.runner.cache.root, "encoded")


def _name(protocol: Protocol) -> str:
    return f"{protocol.id} v{protocol.version} ({protocol.status or 'no status'}), {protocol.store.size} px"


def _sizes(train: Images) -> dict[str, int]:
    """Height x width of all images, or of some that are evenly spread over the rows."""
    count = len(train) if len(train) <= _ALL else _SAMPLE
    rows: Tensor = torch.linspace(0, len(train) - 1, count, dtype=torch.float64).round().long()
    sizes = Counter("{} x {}".format(*train.native(row[None])[0].shape[1:]) for row in rows)
    return dict(sizes.most_common())
