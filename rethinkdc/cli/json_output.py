"""stdout under ``--json``: it holds one document, whatever else is printed meanwhile. Imports nothing heavy."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_documents: list[TextIO] = []
"""Where documents go once stdout is kept for them; empty before."""


def document() -> TextIO | None:
    """The stream that a document is printed to; None where stdout was closed before the process began."""
    return _documents[-1] if _documents else sys.stdout


@contextmanager
def stdout_kept_for_document() -> Iterator[None]:
    """Lets a body print a document; what else it prints, by whatever way and in child processes too, goes to stderr.

    A process whose stdout it is keeps it so to its end: what plugins left behind, threads and handlers of the end,
    prints after the body.
    """
    if sys.stdout is None:
        # Closed from the beginning, so nobody wants the document.
        _documents[:] = [open(os.devnull, "w")]  # noqa: PTH123, SIM115 - to the end of the process
        sys.stdout = sys.stderr
    if _writes_to_descriptor():
        _documents[:] = [_take_descriptor()]
        sys.stdout = sys.stderr
    if sys.stdout is sys.stderr:
        yield
        return
    # Tests and notebooks have streams of their own.
    stream = sys.stdout
    _documents.append(stream)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = stream
        _documents.remove(stream)


def _writes_to_descriptor() -> bool:
    with suppress(Exception):
        return sys.stdout.fileno() == 1
    return False


def _take_descriptor() -> TextIO:
    """A stream to where stdout goes; from now on that is where stderr goes."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
    try:
        os.dup2(2, 1)
    except OSError:
        # Closed, so nobody wants what goes there.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)
    return stream
