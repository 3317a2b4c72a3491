"""What becomes of stdout: closed by whoever read it, on a full disk, or of few letters. Imports nothing heavy."""

import io
import os
import sys
import traceback
from contextlib import suppress

from rethinkdc.cli.json_output import document

_PRINTING = ("rethinkdc.cli", "rich", "typer", "click")
"""Packages that print, and write no files."""


def is_of_output(error: OSError) -> bool:
    """Whether stdout raised it: files have names, and what prints was at it."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module: str = frames[-1].f_globals.get("__name__", "") if frames else ""
    return error.filename is None and any(module == name or module.startswith(f"{name}.") for name in _PRINTING)


def spell_strange_letters() -> None:
    """Lets stdout and stderr print a code in place of letters that their encoding has not, as under the locale C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish_output() -> OSError | None:
    """Hands on what was printed and not yet written; returns what keeps stdout from taking it, or None.

    A stdout that takes nothing more is silenced, so that the interpreter does not meet it again when it ends.
    """
    stream = document()
    if stream is None:
        return None
    try:
        stream.flush()
    except OSError as error:
        silence_output()
        return error
    return None


def silence_output() -> None:
    """Sends what is still to be printed nowhere."""
    # A stream in place of stdout may have no file.
    with suppress(OSError, ValueError):
        nowhere, stream = os.open(os.devnull, os.O_WRONLY), document()
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
