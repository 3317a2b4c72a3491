"""The commands that use what was inspected, as they are typed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.reference import Reference
from rethinkdc.runs.calls import SetFacts


def spell(*words: str, **options: str | None) -> str:
    """A command line: words, and options that have a value; quoted as a shell needs it."""
    parts = ["rethinkdc", *words]
    for name, value in options.items():
        if value is not None:
            parts += [f"--{name.replace('_', '-')}", value]
    return shlex.join(parts)


def reference_to(around: Surroundings, name: str, **values: Any) -> str:
    """The method that reads the file, with what the user said of it."""
    call = around.call
    given = {key: value for key in ("column", "order", "like") if (value := getattr(call, key)) is not None}
    return str(Reference(name=name, values={"path": str(call.file), **{k: str(v) for k, v in given.items()}, **values}))


def of_set(around: Surroundings, *, dataset: str | None, labeler: str | None) -> str:
    """An evaluation of the set with all that the user said of it."""
    call = around.call
    return spell(
        "evaluate",
        str(call.file),
        **_facts(call),
        labeler=labeler,
        dataset=dataset,
        protocol=call.protocol,
    )


def _facts(call: SetFacts) -> dict[str, str | None]:
    numbers = {
        name: None if values is None else ",".join(f"{value:g}" for value in values)
        for name, values in (("mean", call.mean), ("std", call.std))
    }
    others = {
        name: None if value is None else str(Path(value) if isinstance(value, Path) else value)
        for name, value in (
            ("labels", call.labels),
            ("soft_labels", call.soft_labels),
            ("experiment", call.experiment),
            ("student_lr", call.student_lr),
        )
    }
    return {**others, **numbers}
