"""Commands in forked children that are other users.

One JSON request for each line of stdin, one JSON answer for each line of stdout. The parent is root, imports everything
once and computes nothing, so a child costs no start-up and begins with no threads.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from typing import Any

import datasets  # noqa: F401 - so that no child has to
import torch._dynamo  # noqa: F401 - the optimisers import it when they are first used

import rethinkdc.api
import rethinkdc.cli.tables  # noqa: F401 - so that no child has to
from rethinkdc.cli.main import main


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Runs ``argv`` as a user; says how it ended and what it printed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            _run(request)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    return {"code": code, "out": texts[0], "err": texts[1]}


def _run(request: dict[str, Any]) -> None:
    code: Any = 0
    try:
        os.setgroups(request["groups"])
        os.setgid(request["group"])
        os.setuid(request["number"])
        os.umask(request["umask"])
        os.chdir(request["home"])
        os.environ["HOME"] = request["home"]
        # What files did not move while their parent was root is not this user's.
        tempfile.tempdir = None
        if request["dies"]:
            _die_after_a_checkpoint()
        sys.argv = ["rethinkdc", *request["argv"]]
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_after_a_checkpoint() -> None:
    loop: Any = importlib.import_module("rethinkdc.training.loop")
    save = loop.save_checkpoint

    def save_and_die(*words: Any, **more: Any) -> None:
        save(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    loop.save_checkpoint = save_and_die


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
