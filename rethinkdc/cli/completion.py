"""``rethinkdc completion``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from typing import Annotated, Literal

from rethinkdc.cli.options import takes_options
from rethinkdc.cli.saying import say
from rethinkdc.completion.shells import PLACES, SCRIPTS
from rethinkdc.errors import RequestError
from rethinkdc.runs.options import Option, Options


@dataclass(frozen=True)
class CompletionCommand(Options):
    """What the command takes."""

    shell: Annotated[Literal["bash", "zsh", "fish"] | None, Option("bash, zsh or fish.", argument="SHELL")] = None


@takes_options(CompletionCommand)
def completion(command: CompletionCommand) -> None:
    """Print the script that completes commands, methods, parameters, protocols and records in a shell.

    Example: rethinkdc completion bash > ~/.local/share/bash-completion/completions/rethinkdc
    """
    if command.shell is None:
        lines = "\n".join(f"  rethinkdc completion {shell} > {place}" for shell, place in PLACES.items())
        raise RequestError(f"Which shell? Give bash, zsh or fish, for example:\n{lines}")
    say(SCRIPTS[command.shell].removesuffix("\n"))
