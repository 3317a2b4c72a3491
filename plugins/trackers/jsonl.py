"""Writes the events of runs to a file, one line of JSON for each: for a plot, a dashboard, or ``tail -f``.

The file is the one that the environment variable ``RETHINKDC_JSONL`` names, else ``rethinkdc-events.jsonl`` in the
current folder. A line has the keys ``event``, ``time`` (UTC, ISO 8601), ``process`` (its number, as several may write
to one file), and what the event tells: ``key``, ``names`` and ``definition``, or ``epoch`` (from 0) and ``loss``, or
``record``.
"""

from __future__ import annotations

import json
import math
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rethinkdc.contracts import hookimpl

PATH_VARIABLE = "RETHINKDC_JSONL"
DEFAULT_PATH = "rethinkdc-events.jsonl"


@hookimpl
def run_started(definition: dict[str, Any], names: dict[str, str], key: str) -> None:
    """Writes what is run."""
    append_event("run_started", {"key": key, "names": names, "definition": definition})


@hookimpl
def epoch_ended(epoch: int, loss: float) -> None:
    """Writes the mean loss of an epoch; JSON has no number for one that is not finite: null."""
    append_event("epoch_ended", {"epoch": epoch, "loss": loss if math.isfinite(loss) else None})


@hookimpl
def run_finished(record: dict[str, Any]) -> None:
    """Writes the record."""
    append_event("run_finished", {"record": record})


def append_event(event: str, told: dict[str, Any]) -> None:
    """Appends one whole line, also while other processes write to the file.

    Raises:
        OSError: the file cannot be written, or the line only in part.
    """
    path = Path(os.environ.get(PATH_VARIABLE) or DEFAULT_PATH).expanduser()
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    content = {"event": event, "time": now, "process": os.getpid(), **told}
    line = (json.dumps(content, allow_nan=False) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    # One write to a file opened for appending: the lines of several processes never mix.
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if os.write(file, line) != len(line):
            raise OSError(f"{path} holds a line only in part: is the disk full?")
    finally:
        os.close(file)
