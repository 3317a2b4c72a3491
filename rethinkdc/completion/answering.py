"""Answers a shell: from the index in the cache, which another process makes anew where it is out of date."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from rethinkdc.completion.candidates import find_candidates
from rethinkdc.completion.index import Index, index_file, installed_stamp, read_index
from rethinkdc.completion.line import split_line
from rethinkdc.completion.shells import ENVIRONMENT, SCRIPTS, write_reply

MAKER = "rethinkdc.cli.completion_index"
"""The module that makes an index, run as a program."""
_DAY = 86400.0


def is_asked() -> bool:
    """Whether a shell asks in place of somebody who runs a command."""
    return os.environ.get(ENVIRONMENT) in SCRIPTS


def answer(text: str) -> None:
    """Prints what fits at the end of a line; the first time it makes the index, which takes some seconds."""
    file = index_file()
    index = read_index(file)
    if index is None:
        _make_index(waits=True)
        index = read_index(file)
    elif _is_old(file, index):
        _make_index(waits=False)
    if index is not None:
        line = split_line(text)
        sys.stdout.write(write_reply(os.environ[ENVIRONMENT], line, find_candidates(index, line)))


def _is_old(file: Path, index: Index) -> bool:
    """Whether other things may be installed now; parameters of a method that is being written change unseen."""
    try:
        return index.stamp != installed_stamp() or time.time() - file.stat().st_mtime > _DAY
    except OSError:
        return True


def _make_index(*, waits: bool) -> None:
    import subprocess

    environment = {key: value for key, value in os.environ.items() if key != ENVIRONMENT}
    silent = subprocess.DEVNULL
    maker = subprocess.Popen(
        [sys.executable, "-m", MAKER],
        stdin=silent,
        stdout=silent,
        stderr=silent,
        env=environment,
        start_new_session=True,
    )
    if waits:
        maker.wait()
