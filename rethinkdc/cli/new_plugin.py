"""``rethinkdc new-plugin``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.runs.options import Option

KindName = Literal[
    "compressor",
    "score",
    "selector",
    "distillation",
    "labeler",
    "evaluator",
    "dataset",
    "model",
    "teacher",
    "protocol",
    "tracker",
    "engine",
    "view-op",
]


@dataclass(frozen=True)
class NewPluginCommand(Printed):
    """What the command takes."""

    name: Annotated[str, Option("Name of the new method, such as nearest-mean.", argument="name")]
    kind: Annotated[KindName, Option(f"What it begins as: {', '.join(get_args(KindName))}.", short="-k")] = field(
        kw_only=True
    )
    out: Annotated[Path | None, Option("Folder to write, which must not exist; default: NAME.", short="-o")] = field(
        default=None, kw_only=True
    )
    author: Annotated[str, Option("Whom the licence names.")] = field(default="[your name]", kw_only=True)


@takes_options(NewPluginCommand)
def new_plugin(command: NewPluginCommand) -> None:
    """Write a package of your own with a method that works, its tests and all that publishing it needs.

    Example: rethinkdc new-plugin nearest-mean --kind score
    """
    from rethinkdc.cli import tables
    from rethinkdc.templates import KINDS, name_package, write_package

    naming, kind = name_package(command.name), KINDS[command.kind]
    written = write_package(naming, kind, command.out or Path(command.name), command.author)
    if command.as_json:
        about = {"folder": str(written.folder), "distribution": naming.distribution, "kind": kind.name}
        tables.print_json({**about, "files": list(written.files), "commands": list(written.commands)})
        return
    say(f"Wrote the {kind.noun} {naming.name} as the package {naming.distribution} to {written.folder}:")
    say("\n".join(f"  {file}" for file in written.files))
    say("It works as it is. Next:")
    say("\n".join(f"  {line}" for line in written.commands))
    say(f"Then make it yours: {written.folder}/{naming.package}/__init__.py holds the {kind.noun}.")
