"""Selectors and scores at scale: each makes its set, or its score, from the tables through the real context."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from rethinkdc.registry.registry import Registry
from rethinkdc.types import Budget
from tests.benchmarks.scale.scenario import Facts, Scenario
from tests.benchmarks.scale.surroundings import context_of
from tests.benchmarks.scale.tables import Tables

BUDGETS = (10, 100)
SELECTORS = (
    "ccs",
    "contextual-diversity",
    "craig",
    "d2",
    "dual-beta",
    "facility-location",
    "full",
    "glister",
    "gradmatch",
    "graph-cut",
    "herding",
    "k-center",
    "k-means",
    "moderate",
    "random",
    "rows",
    "select:score=el2n,direction=hard",
    "weighted-facility-location",
)
"""Compressors that return rows."""
UNBALANCED = ("ccs", "dual-beta", "herding", "k-center", "moderate", "select:score=el2n,direction=hard")
"""Those whose time for one choice from all rows is within reach."""
SCORES = (
    "aum",
    "cad",
    "cal",
    "dual",
    "dyn-unc",
    "el2n",
    "entropy",
    "file",
    "forgetting",
    "grand",
    "least-confidence",
    "margin",
    "random",
    "tdds",
)
"""Scores that ask no network but for what the shared proxy's trace and predictions hold."""


def scenarios() -> Iterator[Scenario]:
    """Each selector at both budgets, some from all rows at once, and each score once."""
    for name in SELECTORS:
        for ipc in BUDGETS if name != "full" else (100,):
            ready = partial(_list_rows, ipc) if name == "rows" else _make_tables
            yield Scenario("selectors", f"{name} ipc {ipc}", partial(_select, name, ipc), ready)
    for name in UNBALANCED:
        word = f"{name}{',' if ':' in name else ':'}balance=none"
        yield Scenario("unbalanced", f"{word} ipc 10", partial(_select, word, 10), _make_tables)
    for name in SCORES:
        yield Scenario("scores", name, partial(_score, name), _list_scores if name == "file" else _make_tables)


def _make_tables(tables: Tables, folder: Path) -> None:
    assert folder.exists()
    assert len(tables.predictions.logits) == tables.trace.rows


def _list_rows(ipc: int, tables: Tables, folder: Path) -> None:
    """A list of rows as a person may write it: the first of each class."""
    targets = tables.shape.targets
    places = torch.arange(len(targets)) - torch.searchsorted(targets, targets)
    listed = (places < _per_class(tables, ipc)).nonzero().flatten()
    np.savetxt(folder / "rows.csv", listed.numpy(), fmt="%d", header="row", comments="")


def _list_scores(tables: Tables, folder: Path) -> None:
    numbers = np.random.default_rng(6).random(tables.shape.rows, np.float32)
    np.savetxt(folder / "scores.csv", numbers, header="score", comments="")


def _select(reference: str, ipc: int, tables: Tables, folder: Path) -> Facts:
    context = context_of(tables, folder)
    budget = Budget(ipc=_per_class(tables, ipc), classes=tables.shape.classes, size=tables.shape.side)
    if reference == "rows":
        reference = f"rows:path={folder / 'rows.csv'}"
    compressed = context.compress(reference, tables.images, budget)
    assert compressed.rows is not None
    weights = b"" if compressed.weights is None else compressed.weights.numpy().tobytes()
    picks = hashlib.sha256(compressed.rows.numpy().tobytes() + weights).hexdigest()[:12]
    return {"rows": len(compressed), "picks": picks}


def _score(name: str, tables: Tables, folder: Path) -> Facts:
    reference = f"file:path={folder / 'scores.csv'}" if name == "file" else name
    scores = context_of(tables, folder).score(reference)
    return {"rows": len(scores), "scores": hashlib.sha256(scores.numpy().tobytes()).hexdigest()[:12]}


def _per_class(tables: Tables, ipc: int) -> int:
    return min(ipc, tables.shape.per_class // 2)


def registered(kind: str) -> list[str]:
    """The names of the registered methods of a kind."""
    return sorted(row.name for row in Registry().listing() if row.kind == kind)
