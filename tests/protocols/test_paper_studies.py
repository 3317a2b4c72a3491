"""The studies of the paper's tables: they plan on ImageNet-1K as it is, and each has a twin that asks the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.data.fingerprint import KnownSplits
from rethinkdc.data.splits import Schema
from rethinkdc.plugins.datasets.imagenet_1k import ImageNet1k
from rethinkdc.reference import parse_reference
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.resolving import Run
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.reported import load_reported
from rethinkdc.studies.shipped import shipped_studies
from rethinkdc.studies.study import Study

TABLES = [name.removeprefix("paper/") for name in shipped_studies() if name.startswith("paper/")]
SHORTER = {"iterations", "teachers"}
"""Parameters in which a twin may differ, to take minutes."""

IMAGENET = Schema(classes=1000, train=1_281_167, test=50_000)

each_table = pytest.mark.parametrize("table", TABLES)


def made(study: Study) -> set[tuple[str, str]]:
    """The methods of a study, but for what makes them shorter; published sets are left out."""
    texts = [each for block in study.blocks() for each in block.compressors if isinstance(each, str)]
    references = [parse_reference(text) for text in texts]
    return {(each.name, str({k: v for k, v in sorted(each.values.items()) if k not in SHORTER})) for each in references}


def cells(runs: list[Run]) -> set[tuple[str, str, str, int | None]]:
    """The conditions that results stand under together."""
    return {(run.protocol.id, str(run.labeler), run.definition.student.name, run.ipc) for run in runs}


def test_every_table_has_a_twin_and_the_other_way_round() -> None:
    twins = {name.removeprefix("small/") for name in shipped_studies() if name.startswith("small/")}
    assert TABLES
    assert twins == set(TABLES)


@each_table
def test_a_twin_varies_what_its_table_varies(table: str) -> None:
    paper, small = load_study(f"paper/{table}"), load_study(f"small/{table}")
    assert made(small) <= made(paper)
    assert ("random", "{}") in made(small)
    labelers = [{labeler for block in study.blocks() for labeler in block.labelers} for study in (paper, small)]
    assert labelers[0] == labelers[1]
    students = [max(len(block.students) for block in study.blocks()) > 1 for study in (paper, small)]
    assert students[0] is students[1]
    assert all(block.seeds == (0, 1, 2, 3, 4) for block in small.blocks())


@each_table
def test_a_table_plans_on_imagenet_and_has_a_random_subset_beside_each_method(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KnownSplits(train="train", test="test", layout=IMAGENET)
    monkeypatch.setattr(ImageNet1k, "look_up", lambda *_: known)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    study = load_study(f"paper/{table}").replaced(seeds="0")
    runs = runs_of(study, table, Registry(), Cache(tmp_path))
    assert {run.protocol.id for run in runs} <= {"imagenet1k-hard", "imagenet1k-soft", "imagenet1k-hard-sgd"}
    assert not any(run.modified for run in runs)
    made_here = [run for run in runs if run.compressor]
    assert cells(made_here) == cells([run for run in made_here if run.compressor and run.compressor.name == "random"])


@each_table
def test_published_values_belong_to_runs_of_their_study(table: str) -> None:
    study = load_study(f"paper/{table}")
    if study.reported is None:
        return
    protocols = {protocol for block in study.blocks() for protocol in block.protocols}
    labelers = {labeler for block in study.blocks() for labeler in block.labelers}
    values = load_reported(study.reported)
    assert {value.protocol for value in values} <= protocols
    assert {value.labeler for value in values} <= labelers
    known = {str(each) for block in study.blocks() for each in block.compressors}
    assert {value.compressor or value.set for value in values} & known
