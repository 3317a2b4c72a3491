"""``rethinkdc plot``: one figure as a picture. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from typing import Annotated

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import PlotCall
from rethinkdc.runs.options import Option


@dataclass(frozen=True, kw_only=True)
class PlotCommand(Printed, PlotCall):
    """What the command takes beside what the function does."""

    listed: Annotated[bool, Option("List the figures of the chosen records, and draw none.", flag="--list")] = False


@takes_options(PlotCommand)
def plot(command: PlotCommand) -> None:
    """Draw one figure of the report into a picture, with matplotlib (the extra "plots").

    Example: rethinkdc plot bytes --out bytes.pdf
    """
    from rethinkdc.cli import tables
    from rethinkdc.reports import list_figures, write_plot

    if command.listed:
        figures = [(figure.label.name, figure.label.title) for figure in list_figures(command)]
        if command.as_json:
            tables.print_json([{"name": name, "title": title} for name, title in figures])
        else:
            say("\n".join(f"{name}\n    {title}" for name, title in figures))
        return
    if not command.figure:
        raise RequestError("rethinkdc plot needs the name of a figure: `rethinkdc plot --list` shows them.")
    path = write_plot(command)
    if command.as_json:
        tables.print_json({"path": str(path)})
    else:
        say(path)
