"""Runs of the command line in forked children, which may be told to kill themselves at a planned point.

One JSON request for each line of stdin, one JSON answer for each line of stdout. The parent imports everything once
and computes nothing, so a child costs no start-up and begins with no threads.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))

import datasets  # noqa: F401 - so that no child has to
import torch._dynamo  # noqa: F401 - the optimisers import it when they are first used

import rethinkdc.api
import rethinkdc.cli.tables  # noqa: F401 - so that no child has to
from rethinkdc.cli.main import main
from tests.faults.shims import kill


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Runs ``argv`` in a child; says how it ended and what it printed."""
    out = Path(request["out"])
    child = os.fork()
    if child == 0:
        _run(request, out)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    printed, errors = (path.read_text() if path.exists() else "" for path in (out, out.with_suffix(".err")))
    return {
        "killed": killed,
        "code": None if killed else os.waitstatus_to_exitcode(status),
        "out": printed,
        "err": errors,
    }


def _run(request: dict[str, Any], out: Path) -> None:
    code: Any = 0
    with out.open("w") as printed, out.with_suffix(".err").open("w") as errors:
        try:
            if request["every"] is not None:
                # Otherwise a run as short as this one would only save its end.
                loop = importlib.import_module("rethinkdc.training.loop")
                loop.train_network.__kwdefaults__["checkpoint_every"] = request["every"]
            # So that the labels of a run as short as this one take two shards.
            importlib.import_module("rethinkdc.labels.shards").SHARD_BYTES = 4000  # type: ignore[attr-defined]
            if request["stop"]:
                kill(**request["stop"])
            sys.argv = ["rethinkdc", *request["argv"]]
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
                main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            errors.write(traceback.format_exc())
            code = 70
    os._exit(code)


def serve(lines: io.TextIOBase) -> None:
    """Answers until stdin ends."""
    for line in lines:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    serve(sys.stdin)  # type: ignore[arg-type]
