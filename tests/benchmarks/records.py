"""Records as runs would write them, of random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import AXES
from rethinkdc.storage import digest


def method(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "revision": 1, "parameters": {}}


def write_records(
    folder: Path, methods: int, *, seeds: int = 5, methods_of_board: int = 100, classes: int = 1000
) -> None:
    """Writes methods of several seeds each, so many on a board, with all that a record of so many classes holds."""
    draws = np.random.default_rng(0)
    records = Records(folder)
    environment = {"device": "cpu", "threads": 1, "versions": {"torch": "2.14.1", "numpy": "2.4.6"}}
    for number in range(methods):
        board, place = divmod(number, methods_of_board)
        name = "random" if place == 0 else f"method-{place}"
        for seed in range(seeds):
            definition = {
                "dataset": "d" * 64,
                "compressor": method("compressor", name),
                "labeler": method("labeler", "hard"),
                "evaluator": method("evaluator", "standard"),
                "protocol": digest(board // 4),
                "student": method("model", "resnet18"),
                "ipc": (1, 10, 50, 100)[board % 4],
                "seeds": dict.fromkeys(AXES, seed),
                "tune": False,
                "semantics": {"views": 1, "loop": 1},
            }
            per_class = draws.uniform(0, 1, classes).tolist()
            top1 = min(0.99, float(np.mean(per_class)) + 0.3 * place / methods_of_board)
            evaluation = Evaluation(
                metrics={"top1": top1, "top5": 0.9, "loss": 1.0},
                per_class=per_class,
                predicted=draws.integers(0, 100, classes).tolist(),
                curve=[{"epoch": float(epoch), "train_loss": float(draws.uniform())} for epoch in range(300)],
                views=1,
                steps=1,
                seconds=1.0,
                peak_memory=0,
                result_digest="r",
            )
            records.add(
                Record(
                    key=digest(definition)[:24],
                    status="ok",
                    created="2025-01-01T00:00:00+00:00",
                    names={
                        "compressor": name,
                        "labeler": "hard",
                        "evaluator": "standard",
                        "dataset": "imagenet-1k",
                        "protocol": f"protocol-{board // 4} v1",
                        "student": "resnet18",
                        "ipc": str(definition["ipc"]),
                    },
                    definition=definition,
                    protocol_digest=definition["protocol"],
                    dataset_fingerprint=definition["dataset"],
                    modified=False,
                    tune=False,
                    track="hard",
                    metrics=(
                        Metric("top1", "higher", "fraction"),
                        Metric("top5", "higher", "fraction"),
                        Metric("loss", "lower", "number"),
                    ),
                    evaluation=evaluation,
                    cost=Cost(
                        seconds={"proxy": 1.0, "training": 2.0},
                        memory={"selection": 1000},
                        image_bytes={"stored": 100, "lossy": 50, "recipe": 10},
                    ),
                    histogram=[10] * classes,
                    sources_per_class=[10] * classes,
                    environment=environment,
                )
            )
