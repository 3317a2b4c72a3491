"""The command line. Nothing heavy is imported before a command needs it: ``--help`` must answer at once."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from rethinkdc import interruption, ranks
from rethinkdc.cli.cache import app as cache
from rethinkdc.cli.carry_out import carry_out
from rethinkdc.cli.check_plugin import check_plugin
from rethinkdc.cli.compare import compare
from rethinkdc.cli.completion import completion
from rethinkdc.cli.compress import compress
from rethinkdc.cli.docs import docs
from rethinkdc.cli.doctor import doctor
from rethinkdc.cli.evaluate import evaluate
from rethinkdc.cli.explain import explain
from rethinkdc.cli.export import export
from rethinkdc.cli.inspect import inspect
from rethinkdc.cli.leaderboard import leaderboard
from rethinkdc.cli.listing import list_plugins, list_protocols, list_studies
from rethinkdc.cli.new_plugin import new_plugin
from rethinkdc.cli.new_protocol import new_protocol
from rethinkdc.cli.options import BareFlags
from rethinkdc.cli.output import finish_output, is_of_output, silence_output, spell_strange_letters
from rethinkdc.cli.parity import parity
from rethinkdc.cli.plot import plot
from rethinkdc.cli.prepare import prepare
from rethinkdc.cli.report import report
from rethinkdc.cli.robust import robust
from rethinkdc.cli.rows import rows
from rethinkdc.cli.run import run
from rethinkdc.cli.saying import say
from rethinkdc.cli.score import score
from rethinkdc.cli.show import show
from rethinkdc.cli.sweep import sweep
from rethinkdc.cli.trace import trace
from rethinkdc.cli.verify import verify
from rethinkdc.doctor.installation import check_installation
from rethinkdc.errors import MethodError, RequestError, RethinkError, refusing_exit
from rethinkdc.storage import fault_of_machine, show_path

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
    "new-plugin": new_plugin,
    "new-protocol": new_protocol,
    "prepare": prepare,
    "rows": rows,
    "trace": trace,
    "sweep": sweep,
    "carry-out": carry_out,
    "compare": compare,
    "explain": explain,
    "robust": robust,
    "leaderboard": leaderboard,
    "parity": parity,
    "report": report,
    "plot": plot,
    "verify": verify,
    "check-plugin": check_plugin,
    "doctor": doctor,
    "completion": completion,
    "docs": docs,
}

app = typer.Typer(
    help="Benchmark dataset compression: make compressed sets, label them, evaluate them, compare them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    app.command(_name, cls=BareFlags)(refusing_exit()(_command))
app.add_typer(cache, name="cache")

_TOGETHER = ("run", "compress", "evaluate", "rows", "score", "trace", "sweep")
"""Commands that ranks do together; a sweep refuses them."""
_state = {"debug": False}
_INTERRUPTED = 130
"""What typer ends with on a keyboard interrupt, whichever signal it was."""
_CLOSED = 141
"""What a shell reports of a program that SIGPIPE ended: whoever read stdout has closed it."""
_UNPRINTED = (
    "Cannot print to stdout: {}. Send it to a place that has room; what was finished before is kept, and the same "
    "command prints it again."
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"rethinkdc {version('rethinkdc')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error.")] = False,
    plugins: Annotated[
        str | None,
        typer.Option(
            "--plugins",
            help="Third parties' distributions whose plugins are used, separated by commas; empty: none. Default: "
            "RETHINKDC_PLUGINS or all.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""
    _state["debug"] = debug
    if plugins is not None:
        # Processes that this one starts heed it too.
        os.environ["RETHINKDC_PLUGINS"] = plugins
    # Of ranks that torchrun starts, all do what trains or makes something; all else is one process's work.
    if context.invoked_subcommand not in _TOGETHER:
        if not ranks.leads():
            raise typer.Exit
        ranks.stand_alone()


def main() -> None:
    """Runs the command line: exit code 0 ok, 1 the run failed, 2 the request was wrong, 128 + n ended by signal n.

    Whoever closes stdout, as ``head`` does, ends it as signal SIGPIPE would.
    """
    # Torch warns with a page of frames of what a sentence says when another rank ended; it reads this when it loads.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    spell_strange_letters()
    warnings.showwarning = _printer_of_warnings()
    code = _finish(_carry_out())
    if not interruption.heard():
        ranks.leave()
    sys.exit(code)


def _carry_out() -> int:
    """Carries out the command and says what went wrong; returns the exit code."""
    try:
        with interruption.listening():
            check_installation()
            app()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            silence_output()
            return _CLOSED
        if end.code == _INTERRUPTED:
            return _say_interrupted()
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        # Outside a command, where typer does not see it.
        return _say_interrupted()
    except Exception as error:
        if interruption.heard():
            return _say_interrupted()
        told = error if isinstance(error, RethinkError) else _tell_refusal(error)
        if told is None or _state["debug"]:
            raise
        _say_error(f"{told}{_where(told)}")
        return told.exit_code
    return 0


def _where(error: RethinkError) -> str:
    """How to see where a method failed, which the framework cannot know."""
    shown = isinstance(error, MethodError) and error.__cause__ is not None
    return " The option --debug, before the command, shows where." if shown else ""


def _say_interrupted() -> int:
    say(interruption.told(), err=True)
    return 128 + (interruption.heard() or signal.SIGINT)


def _finish(code: int) -> int:
    """Hands on what was printed; returns the exit code, which tells if that could not be done."""
    unsaid = finish_output()
    if isinstance(unsaid, BrokenPipeError):
        return code or _CLOSED
    if unsaid and not code:
        _say_error(_UNPRINTED.format(unsaid.strerror))
    return code or int(unsaid is not None)


def _tell_refusal(error: Exception) -> RethinkError | None:
    """What the operating system refused, where nobody nearer to it has said so; None where it refused nothing."""
    if isinstance(error, OSError) and is_of_output(error):
        return RethinkError(_UNPRINTED.format(error.strerror))
    if isinstance(error, MemoryError) or any(words in str(error) for words in _SHORT_OF_MEMORY):
        return RethinkError(
            "Memory does not suffice: the operating system gave no more. Close other programs, give fewer --workers or "
            "--jobs, or keep images as files with --backing encoded; what was finished before is kept, and the same "
            "command goes on from there."
        )
    if fault := fault_of_machine(error):
        return fault
    if not isinstance(error, OSError):
        return None
    named = "A file" if error.filename is None else show_path(os.fsdecode(error.filename))
    if isinstance(error, PermissionError):
        # Others' folders are met in too many places to be refused in each.
        return RethinkError(f"{named}: {error.strerror}. Ask its owner, or name another place.")
    return RethinkError(
        f"{named}: {error.strerror or error}. Look at what is there; what was finished "
        "before is kept, and the same command goes on from there. --debug shows where this was met."
    )


_SHORT_OF_MEMORY = ("can't allocate memory", "out of memory")
"""What torch says of a CPU and of a GPU."""


def _say_error(text: str) -> None:
    say(f"Error{_of_rank()}: {text}", err=True, colour=typer.colors.RED)


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
