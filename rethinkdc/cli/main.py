"""The command line. Nothing heavy is imported before a command needs it: ``--help`` must answer at once."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from rethinkdc import interruption
from rethinkdc.cli.compare import compare
from rethinkdc.cli.compress import compress
from rethinkdc.cli.evaluate import evaluate
from rethinkdc.cli.explain import explain
from rethinkdc.cli.export import export
from rethinkdc.cli.inspect import inspect
from rethinkdc.cli.installation import check_installation
from rethinkdc.cli.leaderboard import leaderboard
from rethinkdc.cli.listing import list_plugins, list_protocols, list_studies
from rethinkdc.cli.new_protocol import new_protocol
from rethinkdc.cli.plot import plot
from rethinkdc.cli.report import report
from rethinkdc.cli.rows import rows
from rethinkdc.cli.run import run
from rethinkdc.cli.saying import say
from rethinkdc.cli.score import score
from rethinkdc.cli.show import show
from rethinkdc.cli.sweep import sweep
from rethinkdc.cli.trace import trace
from rethinkdc.context import ranks
from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.storage import show_path

COMMANDS = {
    "run": run,
    "compress": compress,
    "evaluate": evaluate,
    "export": export,
    "score": score,
    "list-plugins": list_plugins,
    "list-protocols": list_protocols,
    "list-studies": list_studies,
    "show": show,
    "inspect": inspect,
    "new-protocol": new_protocol,
    "rows": rows,
    "trace": trace,
    "sweep": sweep,
    "compare": compare,
    "explain": explain,
    "leaderboard": leaderboard,
    "report": report,
    "plot": plot,
}

app = typer.Typer(
    help="Benchmark dataset compression: make compressed sets, label them, evaluate them, compare them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)

_state = {"debug": False}
_INTERRUPTED = 130
"""What typer ends with on a keyboard interrupt, whichever signal it was."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"rethinkdc {version('rethinkdc')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""
    _state["debug"] = debug
    # Of ranks that torchrun starts, all make sets; of everything else there is one process's work.
    if context.invoked_subcommand not in ("run", "compress", "rows", "sweep") and not ranks.leads():
        raise typer.Exit


def main() -> None:
    """Runs the command line: exit code 0 ok, 1 the run failed, 2 the request was wrong, 128 + n ended by signal n."""
    warnings.showwarning = _printer_of_warnings()
    try:
        with interruption.listening():
            check_installation()
            app()
    except RethinkError as error:
        if _state["debug"]:
            raise
        say(f"Error{_of_rank()}: {error}", err=True, colour=typer.colors.RED)
        sys.exit(error.exit_code)
    except PermissionError as error:
        if _state["debug"] or error.filename is None:
            raise
        # Of what a user names and nobody has refused before: others' folders are met in too many places.
        path = show_path(os.fsdecode(error.filename))
        say(
            f"Error{_of_rank()}: {path}: {error.strerror}. Ask its owner, or name another place.",
            err=True,
            colour=typer.colors.RED,
        )
        sys.exit(1)
    except SystemExit as end:
        if end.code != _INTERRUPTED:
            raise
        say(interruption.told(), err=True)
        sys.exit(128 + (interruption.heard() or signal.SIGINT))


def _of_rank() -> str:
    try:
        return "" if ranks.world() == 1 else f" of rank {ranks.rank()}"
    except RequestError:
        return ""


def _printer_of_warnings() -> Callable[..., None]:
    """Prints each warning once: what a sweep finds at each of its runs is said at the first."""
    printed: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if issubclass(category, UserWarning) and ranks.leads() and str(message) not in printed:
            printed.add(str(message))
            say(f"Warning: {message}", err=True, colour=typer.colors.YELLOW)

    return show
