"""Lines that are said. Imports nothing heavy."""

import sys
from contextlib import nullcontext, suppress

import typer

from rethinkdc.texts import visible_lines


def say(text: object = "", *, err: bool = False, colour: str | None = None) -> None:
    """Prints a text, above what a display draws; of what strangers wrote in it nothing acts on the terminal.

    By way of ``sys.stdout`` and ``sys.stderr``, in whose place a display puts itself; ``typer.echo`` writes past it.
    """
    stream, seen = sys.stderr if err else sys.stdout, visible_lines(str(text))
    # What stderr does not take nobody can be told of, and no work ends for it.
    with suppress(OSError) if err else nullcontext():
        print(typer.style(seen, fg=colour) if colour and stream.isatty() else seen, file=stream, flush=True)
