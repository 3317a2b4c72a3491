"""Boards as CSV and JSON: all numbers, as fractions."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from rethinkdc.boards import Board, Machine, Row
from rethinkdc.cli.json_output import document
from rethinkdc.runs.cost import order_stages
from rethinkdc.seeds import write_seeds
from rethinkdc.storage import canonical_json
from rethinkdc.texts import escape_cell


def print_json(boards: Sequence[Board]) -> None:
    """Prints boards as JSON data."""
    content = TypeAdapter(list[Board]).dump_python(list(boards), mode="json")
    print(json.dumps(content, indent=1), file=document())


def print_csv(boards: Sequence[Board]) -> None:
    """Prints one line a row, with the same columns on every line; None is an empty field."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    rows = [row for board in boards for row in board.rows]
    stages = {
        "seconds": order_stages(stage for row in rows for stage in row.seconds),
        "memory": order_stages(stage for row in rows for stage in row.memory),
        "images": order_stages(stage for row in rows for stage in row.images_seen),
    }
    others = list(dict.fromkeys(one.name for board in boards for one in board.others))
    for number, line in enumerate(_flatten(board, row, stages, others) for board in boards for row in board.rows):
        if not number:
            writer.writerow(map(escape_cell, line))
        writer.writerow(as_cells(line.values()))


def _flatten(board: Board, row: Row, stages: dict[str, list[str]], others: list[str]) -> dict[str, Any]:
    result, apart, spread = row.result, row.difference, row.components
    image_error = row.image_error.interval if row.image_error else None
    scores = asdict(row.robustness) if row.robustness else dict.fromkeys(("hlr", "ior", "lrs", "ars"))
    published = row.published[0] if row.published else None
    return {
        **flatten_conditions(board),
        "rank": row.rank,
        "band": row.band,
        "full": row.full,
        "compressor": row.compressor,
        "labeler": row.labeler,
        "mean": result.mean if result else None,
        "sd": result.deviation if result else None,
        "n": result.n if result else 0,
        **{f"mean_{name}": row.others.get(name) for name in others},
        "n_counts": row.n_counts,
        "runs": row.runs,
        "attempts": row.attempts,
        "against": board.against or "random",
        "difference": apart.mean if apart else None,
        "difference_sd": apart.deviation if apart else None,
        "difference_half_width_95": apart.half_width if apart else None,
        "difference_simultaneous_95": apart.simultaneous if apart else None,
        "p": apart.p if apart else None,
        "holm_p": apart.holm_p if apart else None,
        "pairs": apart.n if apart else 0,
        "sd_over_sets": spread.over_sets if spread else None,
        "sd_over_students": spread.over_students if spread else None,
        "images_low_95": image_error.low if image_error else None,
        "images_high_95": image_error.high if image_error else None,
        **scores,
        "reported": published.value if published else None,
        "reported_values": len(row.published),
        "reported_sd": published.deviation if published else None,
        "reported_source": published.source if published else None,
        "reported_conditions": published.conditions if published else None,
        "machines": ";".join(_write_machine(one) for one in row.machines),
        "teacher_top1": row.teacher_top1,
        "external": ";".join(row.external),
        **{f"{stage}_seconds": row.seconds.get(stage, 0.0) for stage in stages["seconds"]},
        **{f"{stage}_memory": row.memory.get(stage, 0) for stage in stages["memory"]},
        **{f"{stage}_images_seen": row.images_seen.get(stage) for stage in stages["images"]},
        "images_seen": row.total_images_seen,
        "label_bytes": row.label_bytes,
        "teacher_bytes": row.teacher_bytes,
        "receiver_bytes": row.receiver_bytes,
        "class_bytes": row.class_bytes,
        "label_ratio": row.label_ratio,
        **{f"image_bytes_{form}": value for form, value in row.image_bytes.items()},
        "missing": "; ".join(f"seed {write_seeds(run.seeds)}: {run.status}: {run.reason}" for run in row.missing),
    }


def _write_machine(machine: Machine) -> str:
    """``cpu/1``, and ``cpu/1/2`` of two ranks."""
    ranks = f"/{machine.ranks}" if machine.ranks > 1 else ""
    return f"{machine.device}/{machine.threads or ''}{ranks}"


def as_cells(values: Iterable[Any]) -> list[Any]:
    """Values for a line of CSV: numbers as they are, texts so that no spreadsheet computes them."""
    return [escape_cell(value) if isinstance(value, str) else value for value in values]


def flatten_conditions(board: Board) -> dict[str, Any]:
    """What the rows of a board share."""
    semantics = ";".join(f"{key}={value}" for key, value in sorted(board.semantics.items()))
    return {
        "protocol": board.protocol,
        "protocol_digest": board.protocol_digest,
        "dataset": board.dataset,
        "dataset_fingerprint": board.dataset_fingerprint,
        "track": board.track,
        "evaluator": board.evaluator,
        "student": board.student,
        "ipc": board.ipc,
        "images": board.images,
        "modified": board.modified,
        "overrides": canonical_json(board.overrides) if board.overrides else "",
        "semantics": semantics,
        "metric": board.metric,
        "better": board.better,
        "unit": board.unit,
    }
