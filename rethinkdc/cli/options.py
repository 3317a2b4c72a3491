"""Commands whose options are the fields of a dataclass. Imports nothing heavy."""

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar

import typer
from typer.core import TyperCommand

from rethinkdc import ranks
from rethinkdc.cli.json_output import stdout_kept_for_document
from rethinkdc.errors import RequestError
from rethinkdc.offline import connection
from rethinkdc.runs.calls import Machine
from rethinkdc.runs.options import Option, OptionField, Options, option_fields
from rethinkdc.runs.request import Seeded, parse_seeds

if TYPE_CHECKING:
    from rethinkdc.seeds import Seeds

C = TypeVar("C", bound=Options)
M = TypeVar("M", bound=Machine)


@dataclass(frozen=True, kw_only=True)
class Printed(Options):
    """How a command prints."""

    as_json: Annotated[bool, Option("Print JSON instead of tables.", flag="--json")] = False


@dataclass(frozen=True, kw_only=True)
class NewFiles(Options):
    """Where a command writes what the Python function returns."""

    out: Annotated[Path, Option("File to write: FILE.safetensors and FILE.json.", short="-o")]


@dataclass(frozen=True, kw_only=True)
class SeveralSeeds(Seeded):
    """One seed, or several runs that differ in it."""

    seeds_text: Annotated[
        str | None,
        Option("Several runs: 0,1,2 moves all axes, student=0,1,2 one of them.", flag="--seeds"),
    ] = None

    @property
    def all_seeds(self) -> "list[Seeds]":
        """The seeds of each run.

        Raises:
            RequestError: they are no list of seeds, or one seed is given for all of them too.
        """
        assert isinstance(self.seed, int)
        axis = (self.seeds_text or "").rpartition("=")[0]
        if self.seed and self.seeds_text and not axis:
            raise RequestError(
                f"--seed {self.seed} and --seeds {self.seeds_text} both say what every axis is seeded with. Give one; "
                f"one axis alone moves with --seeds student={self.seeds_text} beside --seed {self.seed}."
            )
        return parse_seeds(self.seeds_text, self.seed)


def takes_options(command: type[C]) -> Callable[[Callable[[C], None]], Callable[..., None]]:
    """Makes a function of a dataclass of options a command, which typer reads as if each were a parameter.

    Args:
        command: the dataclass; fields that the command line does not have keep their defaults.
    """
    listed = [one for one in option_fields(command) if not one.option.python_only]
    parameters = [_parameter(one) for one in listed]

    def decorate(function: Callable[[C], None]) -> Callable[..., None]:
        def invoked(**words: Any) -> None:
            made = command(**{one.name: _read(one, words[one.name]) for one in listed if words[one.name] is not None})
            printing = stdout_kept_for_document() if getattr(made, "as_json", False) else nullcontext()
            with connection(getattr(made, "offline", False)), printing:
                function(made)

        invoked.__name__, invoked.__doc__ = function.__name__, function.__doc__
        invoked.__annotations__ = {one.name: one.annotation for one in parameters}
        invoked.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        invoked.__dict__["options"] = listed  # what completion and BareFlags read
        return invoked

    return decorate


class BareFlags(TyperCommand):
    """A command some of whose options take a value that may be left out: a flag alone stands for one of them.

    ``--flag VALUE`` gives none, since the word after a flag may be an argument; ``--flag=VALUE`` does.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        listed: list[OptionField] = getattr(self.callback, "options", [])
        bare = {one.flag: one.option.bare for one in listed}
        return super().parse_args(ctx, [f"{word}={bare[word]}" if bare.get(word) else word for word in args])


def with_bars(command: M) -> M:
    """The command with bars that show how long work goes on; of several ranks the first shows them."""
    from rethinkdc.cli.progress import Bars

    return replace(command, progress=Bars() if ranks.leads() else None)


def _parameter(one: OptionField) -> inspect.Parameter:
    """The field as typer wants to read it."""
    option, required = one.option, one.default is inspect.Parameter.empty
    bounds: dict[str, Any] = {} if option.minimum is None else {"min": option.minimum}
    # Whoever reads or writes a path says what cannot be done with it, and what to do.
    bounds |= {"readable": False}
    if option.argument:
        info = typer.Argument(metavar=option.argument, help=option.help, **bounds)
    else:
        if option.bare:
            bounds |= {"metavar": f"[={'|'.join(one.choices)}]"}
        info = typer.Option(*filter(None, (one.flag, option.short)), help=option.help, **bounds)
    # What is no word of the command line, such as an empty table, has nothing to show in help.
    default = one.default if isinstance(one.default, str | int) or required else None
    kind = one.typed if required or default is not None else Optional[one.typed]  # noqa: UP045 - for Python 3.10
    return inspect.Parameter(
        one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _read(one: OptionField, word: Any) -> Any:
    return one.option.read(word) if one.option.read else word


__all__ = ["BareFlags", "NewFiles", "Printed", "SeveralSeeds", "takes_options", "with_bars"]
