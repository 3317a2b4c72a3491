"""The reference of the command line, made of what it parses."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from docs.generating.docstrings import as_markdown
from docs.generating.markdown import code, plain, table
from rethinkdc.cli.main import app


def command_page() -> str:
    """All commands with their arguments and options."""
    lead = (
        "Exit codes: 0 ok, 1 the run failed, 2 the request was wrong, 130 interrupted. `--json` prints data where a "
        "result is printed; `--help` of each command tells what stands here.\n"
    )
    root: Any = typer.main.get_command(app)
    lines = ["# Commands\n", lead, "## rethinkdc\n", "Options before the command:\n", _options(root)]
    return "\n".join([*lines, *(_section(name, command) for name, command in commands())])


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by the words that call it."""
    yield from _below("rethinkdc", typer.main.get_command(app))


def _below(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _below(f"{prefix} {name}", command)
        elif not command.hidden:
            yield f"{prefix} {name}", command


def _section(name: str, command: Any) -> str:
    told = as_markdown(inspect.cleandoc(command.help or ""))
    heading = name.removeprefix("rethinkdc ")
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    words = " ".join(str(one.metavar or one.name).upper() for one in arguments)
    usage = f"```text\n{' '.join(filter(None, [name, words, '[OPTIONS]']))}\n```\n"
    rows = [[code(str(one.metavar or one.name).upper()), plain(one.help or "")] for one in arguments]
    return "\n".join(
        [f"## {heading}\n", told, usage, table(["argument", "what it is"], rows) if rows else "", _options(command)]
    )


def _options(command: Any) -> str:
    rows = [
        [
            ", ".join(map(code, [*one.opts, *one.secondary_opts])),
            "" if one.is_flag else code(str(one.metavar or _type_name(one))),
            _default(one),
            plain(one.help or ""),
        ]
        for one in command.params
        if one.param_type_name == "option" and not one.hidden
    ]
    return table(["option", "value", "default", "what it is"], rows)


def _type_name(option: Any) -> str:
    """What a value is, as help calls it; typer told it by another attribute in its earlier versions."""
    name = str(option.type.name if hasattr(option, "type") else option.bare_type()).strip("<>").lower()
    return {"str": "text", "int": "integer"}.get(name, name)


def _default(option: Any) -> str:
    if option.required:
        return "needed"
    shown = option.default if isinstance(option.default, str | int | float) and not option.is_flag else ""
    return code(str(shown))
