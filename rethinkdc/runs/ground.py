"""What anything is made on: a dataset, a protocol that fits it, and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rethinkdc.context.cache import Cache
from rethinkdc.contracts.kinds import Labeler
from rethinkdc.data.backing import Backing
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.rows import RowsOf
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.data.stratified import stratified_split
from rethinkdc.errors import DataError, RequestError
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import parse_reference
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.deriving import default_protocol, derived_protocol
from rethinkdc.runs.request import DEFAULT_DATASET
from rethinkdc.seeds import Seeds
from rethinkdc.storage import canonical_json
from rethinkdc.types import Images

TUNE_FRACTION = 0.2
TUNE_SEED = 0

_SHOWN = 3
"""Protocols that an error names, where none is the usual one."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What anything is made on. A score and a trace need no more; a run adds its methods.

    Attributes:
        dataset: where the images come from.
        dataset_fingerprint: hash of their content.
        train_fingerprint: that of the training images alone; None while tuning, when they are split.
        dataset_name: what people call it; never a path.
        layout: its classes and the number of its images.
        protocol: the fixed experiment.
        seeds: one on each axis.
        tune: whether training and test images are both of the training set.
        backing: how images are held.
    """

    dataset: Dataset
    dataset_fingerprint: str
    train_fingerprint: str | None
    dataset_name: str
    layout: Schema
    protocol: Protocol
    seeds: Seeds
    tune: bool
    backing: Backing


def resolve_ground(
    registry: Registry,
    cache: Cache,
    *,
    dataset: str | None,
    protocol: str | None,
    seeds: Seeds,
    backing: Backing,
    tune: bool = False,
    labeler: Labeler | None = None,
    trains: bool = True,
    overrides: Mapping[str, Any] | None = None,
) -> Ground:
    """Resolves a dataset and the protocol to use it under, checked to go together.

    Args:
        registry: finds the dataset and the protocol.
        cache: knows fingerprints of datasets seen before.
        dataset: name, folder or hub id; None = the protocol's, or the default one.
        protocol: id or TOML file; None = the default for the dataset and the labels.
        seeds: one on each axis.
        backing: how images are held.
        tune: whether to train and test on a split of the training set.
        labeler: whose labels the default protocol takes; None = hard ones.
        trains: whether a student is trained, so that a named protocol must take these labels too.
        overrides: values of the protocol that a run replaces; the labels that it then takes count.

    Raises:
        RequestError: an unknown name, or parts that do not go together.
    """
    if dataset:
        registry.check_unambiguous("dataset", dataset)
    chosen = registry.protocols.find(protocol) if protocol and protocol not in DERIVED else None
    if chosen and protocol and chosen.default_dataset and not dataset:
        source = _default_dataset(registry, chosen.default_dataset, protocol)
    else:
        source = registry.build(Dataset, dataset or DEFAULT_DATASET)
    if labeler and trains and chosen:
        _check_track(chosen, overrides, labeler, registry)
    if chosen and source.schema and not chosen.fits(source.schema):
        raise _misfit(chosen, source.name, source.schema)
    parts = source.identify_parts(cache.root)
    fingerprint, schema = parts.fingerprint, parts.layout
    fitting = chosen or (
        derived_protocol(source, fingerprint, protocol, cache.root)
        if protocol
        else default_protocol(registry, source, fingerprint, schema, labeler.track if labeler else "hard", cache.root)
    )
    if labeler and trains:
        _check_track(fitting, overrides, labeler, registry)
    if not fitting.fits(schema):
        raise _misfit(fitting, _name_dataset(source, registry), schema)
    return Ground(
        dataset=source,
        dataset_fingerprint=fingerprint,
        train_fingerprint=None if tune else parts.train,
        dataset_name=_name_dataset(source, registry),
        layout=schema,
        protocol=fitting,
        seeds=seeds,
        tune=tune,
        backing=backing,
    )


def _default_dataset(registry: Registry, named: str, protocol: str) -> Dataset:
    """The dataset that a protocol names: a path is one from its file, and a bare word never a folder of those here."""
    try:
        if "/" not in named:
            registry.find(Dataset.kind, parse_reference(named).name)
        return registry.build(Dataset, named)
    except RequestError as error:
        raise RequestError(
            f"{protocol}: default_dataset = {named!r}: {error} In a file a folder is a path from it, as in './images'; "
            "--dataset takes its place."
        ) from None


class Grounds:
    """Grounds of one moment: of all that ask for the same, the dataset and the protocol are looked at once.

    Also where they cannot be had: a hub that does not answer is not asked again for each run of a study.
    """

    def __init__(self, registry: Registry, cache: Cache) -> None:
        self._registry, self._cache = registry, cache
        self._known: dict[object, Ground] = {}
        self._faults: dict[object, RequestError] = {}

    def find(
        self,
        *,
        dataset: str | None,
        protocol: str | None,
        seeds: Seeds,
        backing: Backing,
        tune: bool,
        labeler: Labeler,
        trains: bool,
        overrides: Mapping[str, Any],
    ) -> Ground:
        """As :func:`resolve_ground`."""
        asked = (dataset, protocol, backing, tune, labeler.name, labeler.track, trains, canonical_json(overrides))
        if asked in self._faults:
            raise self._faults[asked]
        if asked not in self._known:
            try:
                self._known[asked] = resolve_ground(
                    self._registry,
                    self._cache,
                    dataset=dataset,
                    protocol=protocol,
                    seeds=seeds,
                    backing=backing,
                    tune=tune,
                    labeler=labeler,
                    trains=trains,
                    overrides=overrides,
                )
            except RequestError as fault:
                self._faults[asked] = fault
                raise
        return replace(self._known[asked], seeds=seeds)


def training_layout(ground: Ground) -> Schema:
    """Classes and number of the rows that sets are made of: fewer than the dataset has while tuning."""
    held_out = int(TUNE_FRACTION * (ground.layout.train or 0) + 0.5) if ground.tune else 0
    return ground.layout.model_copy(update={"train": (ground.layout.train or 0) - held_out})


def load_splits(ground: Ground, cache: Cache) -> Splits:
    """Loads the dataset; when tuning, both parts come from the training set.

    Raises:
        DataError: the data cannot be read, or is not what it was when the names were resolved.
    """
    splits = ground.dataset.load(cache.root, ground.backing)
    if splits.fingerprint != ground.dataset_fingerprint:
        raise DataError(f"The dataset {ground.dataset_name} changed while it was read. Run again when it is complete.")
    if not ground.tune:
        return splits
    kept, held_out = stratified_split(splits.train.targets, TUNE_FRACTION, TUNE_SEED)
    return replace(splits, train=_take_rows(splits.train, kept), test=_take_rows(splits.train, held_out))


def _take_rows(images: Images, rows: Tensor) -> Images:
    """Some rows of a set, held as its backing holds it."""
    picked = RowsOf(images, rows)
    if not isinstance(images, DecodedImages):
        return picked
    return DecodedImages(images.pixels[rows], images.targets[rows], images.class_names, picked.fingerprint)


def _check_track(protocol: Protocol, overrides: Mapping[str, Any] | None, labeler: Labeler, registry: Registry) -> None:
    if protocol.override(overrides or {}, registry.view_ops.find).admits(labeler.track):
        return
    # Protocols that state no sizes are alike where they are for one dataset.
    fitting = [
        other
        for other in registry.protocols.all().values()
        if other.admits(labeler.track) and other.data == protocol.data
        if other.data.train or other.default_dataset == protocol.default_dataset
    ]
    # Of many the usual ones: the list has the others.
    usual = [other for other in fitting if other.default] or fitting[:_SHOWN]
    alike = [f"--protocol {other.id}" for other in usual]
    if protocol.id in DERIVED or not alike:
        admitting = "hard" if labeler.track == "hard" else "soft"
        alike = [
            f"--protocol {name}, which follows from the data" for name, track in DERIVED.items() if track == admitting
        ]
    raise RequestError(
        f"The protocol {protocol.id} takes {protocol.track} labels; the labeler {labeler.name} gives {labeler.track} "
        f"ones. Choose another --labeler, or {' or '.join(alike)} "
        "(`rethinkdc list-protocols`)."
    )


def _name_dataset(dataset: Dataset, registry: Registry) -> str:
    if dataset.name == "folder":
        # The folder's own name: a record must not carry the path of somebody's machine.
        return Path(str(getattr(dataset, "path", ""))).expanduser().resolve().name
    return str(getattr(dataset, "repo", "")) or registry.label(dataset)


def _misfit(protocol: Protocol, name: str, schema: Schema) -> RequestError:
    wanted = protocol.data
    return RequestError(
        f"The protocol {protocol.id} is for {wanted.classes} classes, {wanted.train or 'any number of'} training and "
        f"{wanted.test or 'any number of'} test images; the dataset {name} has {schema.classes}, {schema.train} and "
        f"{schema.test}. Choose a fitting --protocol (`rethinkdc list-protocols`; auto-{protocol.track} follows "
        "from the data) or --dataset."
    )
