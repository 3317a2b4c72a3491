"""Lines that are said while work goes on. Imports nothing heavy."""

import sys

import typer


def say(text: str, *, err: bool = False, colour: str | None = None) -> None:
    """Prints a line above what a display draws.

    By way of ``sys.stdout`` and ``sys.stderr``, in whose place a display puts itself; ``typer.echo`` writes past it.
    """
    stream = sys.stderr if err else sys.stdout
    print(typer.style(text, fg=colour) if colour and stream.isatty() else text, file=stream, flush=True)
