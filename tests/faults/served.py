"""Commands in forked children, which a fault may await: ``python served.py``, one JSON request a line, as one answer.

The parent imports everything once and computes nothing, so that a child costs no start-up. A child begins with the
faults that its request names (functions of ``shims.py``) and runs the command line.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

# So that no child has to; the optimisers import torch._dynamo when they are first used.
import datasets  # noqa: E402, F401
import torch._dynamo  # noqa: E402, F401

import rethinkdc.api  # noqa: E402
import rethinkdc.cli.board_tables  # noqa: E402
import rethinkdc.cli.tables  # noqa: E402, F401
from rethinkdc.cli.main import main  # noqa: E402
from tests.faults import shims  # noqa: E402

HANG = 300
"""Seconds after which a child that does not end counts as hanging: killed by SIGALRM."""


def answer(request: dict[str, Any]) -> dict[str, Any] | None:
    """Runs ``argv`` in a child; how it ended and what it printed. None = this is the child, at its end."""
    out, err = Path(request["out"]), Path(request["err"])
    child = os.fork()
    if not child:
        _run(request, out, err)
    _, status, used = os.wait4(child, 0)
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1,
        "out": out.read_text(errors="backslashreplace"),
        "err": err.read_text(errors="backslashreplace"),
        "seconds": used.ru_utime + used.ru_stime,
    }


def _run(request: dict[str, Any], out: Path, err: Path) -> NoReturn:
    signal.alarm(HANG)
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.chdir(request["cwd"])
    for name, values in request["shims"]:
        getattr(shims, name)(**values)
    sys.argv = ["rethinkdc", *request["argv"]]
    code = _call()
    if request["ends"]:
        sys.exit(code)
    # As an interpreter ends, but for the second that it takes to clear away its modules.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _call() -> int:
    """The exit code of the command; what nobody caught is printed as the interpreter prints it."""
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def serve() -> None:
    """Answers until stdin ends."""
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    serve()
