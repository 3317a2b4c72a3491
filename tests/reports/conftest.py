"""Records that nobody ran, shaped as real ones: several protocols, tracks, budgets and seeds, and hostile names."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.boards import rank_folder
from rethinkdc.measurement import Metric
from rethinkdc.reports.material import Material
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import AXES, derive_seed
from rethinkdc.storage import digest

HOSTILE = (
    "<img src=x onerror=window.harmed=1>",
    "</script><script>window.harmed=2</script>",
    "quote\" onmouseover=\"window.harmed=3' x='",
    "<b>bold</b> {{7*7}} %{x} $x^2$ &amp; \u2028\u2029",
    "reversed\u202etxt.exe",
)
METRICS = (
    Metric("top1", "higher", "fraction"),
    Metric("top5", "higher", "fraction"),
    Metric("loss", "lower", "number"),
)
LEVELS = {"random": 0.5, "pca": 0.62, "el2n:direction=easy": 0.58, "noise": 0.12, "full": 0.95}


def draw(*names: str | int) -> float:
    """A number in -1..1 that depends on names alone."""
    return derive_seed(0, *names) / 2**62 - 1


def make_record(
    name: str, *, track: str = "hard", labeler: str = "hard", ipc: int | None = 10, seed: int = 0, **changes: Any
) -> Record:
    """An ok record of a made-up run; labels help, more images help, and seeds differ."""
    classes = int(changes.pop("classes", 10))
    level = LEVELS.get(name, 0.4) + (0.2 if track != "hard" else 0) + 0.05 * math.log(ipc or 100) / math.log(10)
    top1 = min(0.99, max(0.01, level + 0.03 * draw(name, labeler, ipc or 0, seed) + 0.02 * draw(seed)))
    parameters: dict[str, Any] = {}
    definition = {
        "dataset": digest("digits"),
        "compressor": {"kind": "compressor", "name": name, "revision": 1, "parameters": parameters},
        "labeler": {"kind": "labeler", "name": labeler, "revision": 1, "parameters": {}},
        "evaluator": {"kind": "evaluator", "name": "standard", "revision": 1, "parameters": {}},
        "protocol": digest(f"digits-{track}"),
        "student": {"kind": "model", "name": "convnet", "revision": 1, "parameters": {}},
        "ipc": ipc,
        "seeds": dict.fromkeys(AXES, seed),
        "tune": False,
        # As runs have them: soft labels bring semantics of their own.
        "semantics": {
            "views": 1,
            "loop": 1,
            "trace": 1,
            "set": 1,
            **({} if "hard" in (labeler, track) else {"labels": 1}),
        },
    }
    content: dict[str, Any] = {
        "key": digest(definition)[:24],
        "status": "ok",
        "created": "2025-01-01T00:00:00+00:00",
        "names": {
            "compressor": name,
            "labeler": labeler,
            "evaluator": "standard",
            "dataset": "digits",
            "protocol": f"digits-{'hard' if track == 'hard' else 'soft'} v1",
            "student": "convnet",
            "ipc": str(ipc or "full"),
        },
        "definition": definition,
        "protocol_digest": definition["protocol"],
        "dataset_fingerprint": definition["dataset"],
        "modified": False,
        "tune": False,
        "track": track,
        "metrics": METRICS,
        "evaluation": {
            "metrics": {"top1": top1, "top5": min(1.0, top1 + 0.3), "loss": 2 * (1 - top1)},
            "per_class": [min(1.0, max(0.0, top1 + 0.2 * draw("class", place))) for place in range(classes)],
            "predicted": [30] * classes,
            "curve": [{"epoch": float(epoch), "train_loss": 2.3 / (1 + 0.2 * epoch)} for epoch in range(1, 41)]
            + [{"epoch": 41.0, "train_loss": 0.2, "top1": top1}],
            "views": 1000,
            "steps": 100,
            "seconds": 2.0,
            "peak_memory": 0,
            "result_digest": "r",
        },
        "cost": Cost(
            seconds={"proxy": 9.8, "training": 2.0 + (ipc or 100) / 10},
            image_bytes={"stored": 700 * (ipc or 100), "lossy": 660 * (ipc or 100), "recipe": 24 * (ipc or 100)},
            images_seen={"proxy": 40_000, "training": 1000 * (ipc or 100)},
            total_images_seen=40_000 + 1000 * (ipc or 100),
            label_bytes=10 * (ipc or 100) * (1 if track == "hard" else 400),
        ),
        "environment": {
            "device": "cpu",
            "device_name": "x86_64",
            "threads": 1,
            "python": "3.11.7",
            "platform": "linux",
        },
        **changes,
    }
    if content["status"] != "ok":
        content |= {"evaluation": None, "cost": None}
    return Record(**content)


def study() -> list[Record]:
    """Two protocols, three budgets, five seeds; one method failed, and others have names that attack the page."""
    made = [
        make_record(name, track=track, labeler=labeler, ipc=ipc, seed=seed)
        for track, labeler in (("hard", "hard"), ("online", "soft"))
        for name in ("random", "pca", "el2n:direction=easy", "noise")
        for ipc in ((1, 10, 50) if track == "hard" else (1, 10))
        for seed in range(5)
    ]
    made += [make_record("full", ipc=None, seed=seed) for seed in range(2)]
    made += [make_record(name, seed=seed) for name in HOSTILE for seed in range(2)]
    made.append(make_record("cal", seed=3, status="failed", reason="loss is <b>NaN</b>\u202e at step 7"))
    return made


@pytest.fixture(scope="session")
def hostile() -> tuple[str, ...]:
    """Names of methods that attack the page."""
    return HOSTILE


@pytest.fixture(scope="session")
def make() -> Callable[..., Record]:
    """Makes one record of a run that never was."""
    return make_record


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records of :func:`study`."""
    records = Records(tmp_path_factory.mktemp("studied") / "records")
    for record in study():
        records.add(record)
    return records.folder


@pytest.fixture(scope="session")
def page(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of these records."""
    return rdc.report(studied, out=tmp_path_factory.mktemp("page") / "report.html").path


@pytest.fixture
def material(tmp_path: Path) -> Callable[..., Material]:
    """The material of a report of some records."""

    def made(*records: Record) -> Material:
        folder = Records(tmp_path / "records")
        for record in records:
            folder.add(record)
        return Material(tuple(rank_folder(folder).boards), folder)

    return made
