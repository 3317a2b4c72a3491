"""Rules of datasets."""

from __future__ import annotations

from typing import cast

import torch

from rethinkdc.data.backing import Backing
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError
from rethinkdc.testing.case import Case
from rethinkdc.testing.comparing import same
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.traces import Arguments, Traces, stir, traced
from rethinkdc.testing.verdicts import NotApplicableError, require

_ROWS_READ = 64
"""Rows that are read from both backings."""


def _load(case: Case, backing: Backing) -> Splits:
    dataset = cast(Dataset, case.method)
    return dataset.load(case.bench.folder / f"data-{backing}", backing)


def _works(case: Case) -> str:
    try:
        splits = _load(case, "auto")
    except DataError as error:
        raise NotApplicableError(f"its images are not here: {error}") from None
    return f"{len(splits.train):,} training and {len(splits.test):,} test images"


def _identified(case: Case) -> None:
    decoded, streamed = _load(case, "decoded"), _load(case, "encoded")
    told = f"{case.label} has another fingerprint for each backing"
    require(decoded.fingerprint == streamed.fingerprint, told, differs="fingerprint")
    fingerprint, _ = cast(Dataset, case.method).identify(case.bench.folder / "data-decoded")
    told = f"{case.label} identifies as another fingerprint than it loads with"
    require(decoded.fingerprint == fingerprint, told, differs="fingerprint")


def _declared(case: Case) -> None:
    declared = type(cast(Dataset, case.method)).schema
    _, schema = cast(Dataset, case.method).identify(case.bench.folder / "data-decoded")
    for key, value in declared.model_dump().items() if declared else ():
        loaded = getattr(schema, key)
        require(value in (None, loaded), f"{case.label} declares {key} = {value} and has {loaded}", differs=key)


def _classes(case: Case) -> None:
    splits = _load(case, "decoded")
    told = f"{case.label}: both parts must name the same classes"
    require(splits.train.class_names == splits.test.class_names, told, differs="class_names")
    for part, images in (("train", splits.train), ("test", splits.test)):
        missing = sorted(set(range(len(images.class_names))) - set(images.targets.tolist()))
        require(not missing, f"{case.label} has no image of the classes {missing[:5]} in {part}", differs=part)


def _backings(case: Case) -> None:
    decoded, streamed = _load(case, "decoded"), _load(case, "encoded")
    for part, one, other in (("train", decoded.train, streamed.train), ("test", decoded.test, streamed.test)):
        told = f"{case.label} has other targets for each backing"
        require(torch.equal(one.targets, other.targets), told, differs=f"targets of {part}")
        rows = torch.linspace(0, len(one) - 1, _ROWS_READ).long()
        told = f"{case.label} has other pixels for each backing"
        require(same(one.native(rows), other.native(rows)), told, differs=f"pixels of {part}")


def _manners(case: Case) -> None:
    traces = Traces()
    stir()
    with traced(traces, Arguments(), case.bench.new_folder()):
        _load(case, "decoded")
    left = [*(f"global random state of {name}" for name in traces.drawn), *traces.changed, *traces.files]
    require(not left, f"{case.label} left behind another {' and '.join(left)}", differs=", ".join(left))


_WORKS = ("works",)
DATASET: tuple[Rule[Case], ...] = (
    Rule("works", "It loads.", _works),
    Rule("fingerprint", "Its fingerprint is that of its content, however it is held.", _identified, _WORKS),
    Rule("schema", "What the class declares of its sizes is so.", _declared, _WORKS),
    Rule("classes", "Both parts have the same classes, and an image of each.", _classes, _WORKS),
    Rule("backings", "Decoded and encoded images are the same.", _backings, _WORKS),
    Rule("process", "Generators, flags, hooks and files are left as they were.", _manners, _WORKS),
)
