"""No public function changes what it is given, and the same set given twice is the same run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rethinkdc as rdc
from rethinkdc.boards import rank_folder
from rethinkdc.compressed import (
    CompressedSet,
    FileFacts,
    check_budget,
    export_folder,
    grid_boxes,
    image_bytes,
    images_per_class,
    read_set,
    save_working,
    set_of_tensors,
)
from rethinkdc.compressed.preview import contact_sheet, write_preview
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.errors import RequestError
from rethinkdc.row_files.files import write_row_file
from rethinkdc.runs.records import Records
from rethinkdc.seeds import generator
from rethinkdc.studies.study import Study
from rethinkdc.types import Budget, ViewRule

PROTOCOLS = Path(__file__).resolve().parents[2] / "protocols"
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.5]
SHORT = {"training.steps": 2, "proxy.training.epochs": 1, "proxy.clean": [1.0]}
NAMES = tuple(str(index) for index in range(9, -1, -1))
"""The digits' classes in another order than the dataset's."""


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> dict[str, Any]:
    cache = tmp_path_factory.getbasetemp() / "arguments-cache"
    return {"cache_dir": cache, "records": tmp_path / "records", "device": "cpu", "dataset": "digits"}


def parts() -> list[dict[str, Tensor]]:
    draws = generator(0)
    return [
        {
            "canvases": torch.randint(0, 256, (10, 3, 8, 8), dtype=torch.uint8, generator=draws),
            "targets": torch.arange(10),
            "sources": torch.arange(40).view(10, 4),
            "weights": torch.arange(1.0, 11),
            "soft_targets": torch.randn((10, 10), generator=draws),
            "student_lr": torch.tensor(0.02, dtype=torch.float64),
        }
        for _ in range(2)
    ]


def reordered() -> CompressedSet:
    """All that a set can hold, its classes in another order than the dataset's."""
    rule = ViewRule(scope="cell", choice="cycle")
    return CompressedSet.of_canvases(parts(), NAMES, cell_boxes=grid_boxes(8, 2), view_rule=rule)


def tensors() -> dict[str, Any]:
    draws = generator(1)
    return {
        "images": torch.rand((10, 3, 8, 8), generator=draws, dtype=torch.float64),
        "targets": torch.arange(10),
        "weights": torch.arange(1.0, 11, dtype=torch.float64),
        "soft_targets": torch.randn((10, 10), generator=draws),
        "mean": [0.0, 0.1, 0.2],
        "std": [1.0, 0.9, 0.8],
    }


def study() -> Study:
    return Study(protocol="digits-hard", compressors=("random",), ipc=(1,), seeds=(0, 1), overrides=dict(SHORT))


def family() -> Study:
    return Study(
        protocol="digits-hard",
        compressors=("random", "noise"),
        ipc=(1,),
        seeds=(0, 1),
        axes={"training.steps": [2, 1]},
    )


def given(value: Any) -> Any:
    """All that can be seen of an argument, tensors as their bits; of a set each field, its pixels and fingerprint."""
    if isinstance(value, Tensor):
        return (value.dtype, tuple(value.shape), value.contiguous().numpy().tobytes())
    if isinstance(value, CompressedSet):
        pixels = value.canvases(torch.arange(len(value)), 8)
        seen = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "backing"}
        return (id(value.backing), value.fingerprint, given(pixels), given(seen))
    if isinstance(value, dict):
        return {key: given(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return (type(value).__name__, *(given(item) for item in value))
    return copy.deepcopy(value)


def test_every_change_of_an_argument_is_seen() -> None:
    """Guards the test below: a change that is not seen is never wrong."""
    for name, value in tensors().items():
        before = given(value)
        value[0] = value[1]
        assert given(value) != before, name
    made = reordered()
    for field in ("targets", "weights", "sources", "soft_targets", "cell_boxes"):
        before = given(made)
        getattr(made, field)[0] = getattr(made, field)[1]
        assert given(made) != before, field
    before = given(made)
    made.parts[0][0, 0, 0, 0] += 1
    assert given(made) != before
    nested = {"overrides": {"proxy.clean": [1.0]}}
    before = given(nested)
    nested["overrides"]["proxy.clean"].append(2.0)
    assert given(nested) != before


SOFT: dict[str, Any] = {"labeler": "soft-static:source=learned", "protocol": "digits-soft"}


def float_file(there: dict[str, Any]) -> Path:
    """A file of normalised images beside the cache."""
    file = Path(there["cache_dir"]).with_name("floats.pt")
    torch.save({"images": torch.randn(10, 3, 8, 8), "labels": torch.arange(10)}, file)
    return file


def short_file(there: dict[str, Any], name: str = "digits-hard") -> Path:
    """A protocol of digits with next to no training, beside the records."""
    text, steps = (PROTOCOLS / f"{name}.toml").read_text(), "steps = { 1 = 300, 10 = 600, 50 = 1200 }"
    assert text.count(steps) == 1
    file = Path(there["records"]).with_name("short.toml")
    file.write_text(
        text.replace(steps, "steps = 2").replace("epochs = 20\n", "epochs = 1\n").replace("[1, 10]", "[1, 1]")
    )
    return file


CALLS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[..., Any]]] = {
    "run": (lambda: {"overrides": dict(SHORT)}, lambda there, **a: rdc.run("random", ipc=1, **a, **there)),
    "run of a score": (
        lambda: {"overrides": dict(SHORT), "seed": rdc.Seeds.all(3)},
        lambda there, **a: rdc.run("el2n:observe=clean,direction=easy", ipc=1, **a, **there),
    ),
    "evaluate tensors": (tensors, lambda there, **a: rdc.evaluate(**a, protocol="digits-hard", **there)),
    "evaluate tensors with soft labels": (tensors, lambda there, **a: rdc.evaluate(**a, **SOFT, **there)),
    "evaluate uint8": (
        lambda: {"images": parts()[0]["canvases"], "targets": torch.arange(10)},
        lambda there, **a: rdc.evaluate(**a, protocol="digits-hard", **there),
    ),
    "evaluate a set": (
        lambda: {"images": reordered()},
        lambda there, **a: rdc.evaluate(**a, protocol="digits-hard", **there),
    ),
    "evaluate a set with soft labels": (
        lambda: {"images": reordered()},
        lambda there, **a: rdc.evaluate(**a, **SOFT, **there),
    ),
    "inspect": (
        lambda: {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]},
        lambda there, **a: rdc.inspect(float_file(there), cache_dir=there["cache_dir"], **a),
    ),
    "export a set": (
        lambda: {"images": reordered()},
        lambda there, **a: rdc.export(**a, out=Path(there["records"]).parent / "exported"),
    ),
    "compare": (
        lambda: {"methods": ["random"], "students": ["convnet:depth=1,width=4"]},
        lambda there, **a: rdc.compare(
            **a, protocol=str(short_file(there)), ipc=1, seeds=1, out=Path(there["records"]).parent / "asked", **there
        ),
    ),
    "explain": (
        lambda: {"tracker": []},
        lambda there, **a: rdc.explain(
            "random",
            **a,
            protocol=str(short_file(there, "digits-soft")),
            ipc=1,
            seeds=1,
            out=Path(there["records"]).parent / "asked",
            **there,
        ),
    ),
    "sweep": (lambda: {"study": study()}, lambda there, **a: rdc.sweep(**a, **there)),
    "robust": (
        lambda: {"study": family()},
        lambda there, **a: rdc.robust(**a, out=Path(there["records"]).parent / "asked", **there),
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_no_public_function_changes_what_it_is_given(case: str, machine: dict[str, Any]) -> None:
    make, call = CALLS[case]
    arguments = make()
    before = given(arguments)
    call(machine, **arguments)
    assert given(arguments) == before


def test_no_function_that_stores_or_shows_changes_what_it_is_given(tmp_path: Path) -> None:
    made, pieces, values = reordered(), parts(), tensors()
    budget = Budget(ipc=2, classes=10, size=8)
    normalised = make_part(torch.rand(10, 3, 8, 8), torch.arange(10), MEAN, STD, weights=torch.ones(10))
    rows: dict[str, Any] = {"tensors": {"rows": torch.tensor([3, 1])}, "about": {"seeds": {"set": 0}}}
    arguments = (made, pieces, values, normalised, rows, NAMES)
    before = given(arguments)
    (tmp_path / "working").mkdir()
    save_working(made, tmp_path / "working")
    export_folder(made, tmp_path / "set", size=8)
    check_budget(made, "mine", budget, budgeted=True, balanced=True)
    image_bytes(made, 8)
    images_per_class(made.targets)
    contact_sheet(made)
    write_preview(made, tmp_path / "grid.png")
    made.with_card(made.card.model_copy(update={"method": "other"}))
    made.with_classes(NAMES[::-1], torch.arange(9, -1, -1))
    CompressedSet.of_canvases(pieces, NAMES, cell_boxes=grid_boxes(8, 2))
    set_of_tensors(**values)
    assemble_set([normalised], NAMES)
    write_row_file(**rows, out=tmp_path / "rows")
    assert given(arguments) == before


@pytest.mark.parametrize("name", sorted(set(rdc.__all__) - {"Record", "Seeds", "hookimpl", "contact_sheet"}))
def test_every_public_function_that_takes_an_object_is_tried(name: str) -> None:
    """The others take text, numbers and paths, which nobody can change; the contact sheet is tried above."""
    tried = {case.split()[0] for case in CALLS}
    hints = getattr(rdc, name).__annotations__
    takes = {text for text in map(str, hints.values()) if any(kind in text for kind in OBJECTS)}
    assert bool(takes - {hints["return"]}) <= (name in tried)


OBJECTS = ("Tensor", "CompressedSet", "Mapping", "Sequence", "Study")


def test_the_same_set_evaluated_twice_is_one_record(machine: dict[str, Any]) -> None:
    made = reordered()
    first = rdc.evaluate(made, protocol="digits-hard", name="mine", **machine)
    again = rdc.evaluate(made, protocol="digits-hard", name="mine", **machine)
    assert again == first
    assert again.attempt == 1
    assert len(list(Path(machine["records"]).rglob("*.json"))) == 1
    (board,) = rank_folder(Records(machine["records"])).boards
    assert len(board.rows) == 1


@pytest.mark.slow
def test_a_set_that_was_written_and_read_back_is_the_same_set(machine: dict[str, Any], tmp_path: Path) -> None:
    """Its classes are brought into the dataset's order on the way, and its rate and labels are kept."""
    export_folder(reordered(), tmp_path / "set", size=8)
    read = read_set(tmp_path / "set", FileFacts(), tmp_path / "cache")
    assert (read.student_lr, read.class_names) == (0.02, NAMES)
    direct = rdc.evaluate(reordered(), **SOFT, **machine)
    stored = rdc.evaluate(tmp_path / "set", **SOFT, **machine)
    assert stored.result_digest == direct.result_digest


def test_a_path_is_taken_where_a_text_may_name_a_file(tmp_path: Path) -> None:
    for option in ("protocol", "dataset"):
        asked: dict[str, Any] = {"dataset": "digits", option: tmp_path / "none.toml"}
        with pytest.raises(RequestError, match=r"none\.toml"):
            rdc.run("random", **asked, records=tmp_path / "records", cache_dir=tmp_path / "cache")
