"""The page on protocols lists every field, and no other."""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from rethinkdc.data.splits import Schema
from rethinkdc.protocol.protocol import FullTraining, Network, Protocol, Proxy, SoftLabels, StoreSpec, Teachers
from rethinkdc.training.predict import TestView
from rethinkdc.training.recipe import Optimizer, Recipe, Schedule
from rethinkdc.views.op import OwnViewOp

PAGE = Path(__file__).parents[2] / "docs" / "protocols.md"
CLAIMS = "Protocols of the claims"
SECTIONS: dict[str, type[BaseModel]] = {
    "The file": Protocol,
    "`[data]`": Schema,
    "`[store]`": StoreSpec,
    "`[student]`": Network,
    "`[training]`, `[reference]` and every other `training`": Recipe,
    "`optimizer`": Optimizer,
    "`schedule`": Schedule,
    "`[test]`": TestView,
    "`[proxy]`": Proxy,
    "`[teacher.recipes.NAME]`": FullTraining,
    "`[teacher]`": Teachers,
    "`[soft]`": SoftLabels,
}


def rows() -> dict[str, list[list[str]]]:
    """The cells of each section's table, but for its head."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| `"):
            found[section].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


@pytest.mark.parametrize("section", SECTIONS)
def test_a_table_has_the_fields_of_its_model(section: str) -> None:
    fields, table = SECTIONS[section].model_fields, rows()[section]
    assert {row[0].strip("`") for row in table} == set(fields)
    assert len(table) == len(fields)
    assert {row[0].strip("`"): row[2] == "needed" for row in table} == {
        name: info.is_required() for name, info in fields.items()
    }
    for row in table:
        default = fields[row[0].strip("`")].default
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert float(row[2]) == default
        elif isinstance(default, str):
            assert row[2] == f"`{default}`"
        assert all(row)


def test_the_views_are_listed_with_their_fields() -> None:
    listed = {(row[0].strip("`"), row[1].strip("`")) for row in rows()["Views"]}
    ops = get_args(get_args(OwnViewOp)[0])
    known = {(op.model_fields["op"].default, name) for op in ops for name in op.model_fields if name != "op"}
    assert listed == known


def test_no_table_is_left_over() -> None:
    assert set(rows()) == {*SECTIONS, "Views", CLAIMS}


def test_the_evaluations_of_authors_are_all_listed() -> None:
    """Those that differ from a protocol for all methods, and no other; each pattern is of some."""
    folder = Path(str(resources.files("rethinkdc.protocols")))
    shipped = {path.stem for path in folder.glob("*.toml") if "\nextends = " in path.read_text(encoding="utf-8")}
    shipped |= {f"{name}-dc-hard" for name in ("cifar10", "cifar100", "tiny-imagenet")}
    patterns = [pattern for row in rows()[CLAIMS] for pattern in re.findall(r"`([^`]+)`", row[0])]
    assert all(fnmatch.filter(shipped, pattern) for pattern in patterns)
    twins = {name for name in shipped if name.startswith(("digits-", "cifar10-small-"))}
    assert {name for name in shipped - twins if not any(fnmatch.fnmatch(name, one) for one in patterns)} == set()


def test_the_models_that_protocols_are_made_of_are_all_listed() -> None:
    names = set(
        re.findall(r"\b([A-Z]\w+)\b", " ".join(str(info.annotation) for info in Protocol.model_fields.values()))
    )
    made_of = {kind.__name__ for kind in SECTIONS.values()}
    assert {
        "Schema",
        "StoreSpec",
        "Network",
        "Recipe",
        "TestView",
        "Proxy",
        "SoftLabels",
        "Teachers",
    } <= made_of & names
