"""``rethinkdc show``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, field
from typing import Annotated

import typer

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.errors import RequestError
from rethinkdc.runs.options import Option


@dataclass(frozen=True)
class ShowCommand(Printed):
    """What the command takes."""

    name: Annotated[
        str,
        Option(
            "A method, a dataset, a model, a protocol or its .toml file, or a record: its file or key.", argument="name"
        ),
    ]
    dataset: Annotated[
        str | None,
        Option(
            "Show the values that a compressor, or auto-hard and auto-soft, would have on this dataset.", short="-d"
        ),
    ] = field(default=None, kw_only=True)
    ipc: Annotated[
        int | None,
        Option("With --dataset: and at this number of images per class; default: the protocol's.", minimum=1),
    ] = field(default=None, kw_only=True)
    toml: Annotated[bool, Option("Print a protocol as the file that it is read from.")] = field(
        default=False, kw_only=True
    )


@takes_options(ShowCommand)
def show(command: ShowCommand) -> None:
    """Show a method's parameters, all values of a protocol with their sources, or a record with what it assumed.

    Example: rethinkdc show pca

    Example: rethinkdc show records/7b4df44c1f117fc748a3aca9/0001.json
    """
    from rethinkdc.context.cache import Cache
    from rethinkdc.protocol.derived import DERIVED
    from rethinkdc.registry.registry import Registry
    from rethinkdc.runs.deriving import find_protocol
    from rethinkdc.runs.finding import find_record

    registry = Registry()
    if found := find_record(command.name):
        from rethinkdc.cli import tables

        record, records = found
        if command.as_json:
            tables.print_json([record.model_dump(mode="json")])
        else:
            tables.print_record(record, records)
        return
    if command.toml or (command.dataset is not None and command.name in DERIVED):
        protocol = find_protocol(registry, command.name, command.dataset, Cache())
        if command.toml:
            from rethinkdc.protocol.writing import write_toml

            typer.echo(write_toml(protocol), nl=False)
        else:
            from rethinkdc.cli import catalogue

            catalogue.print_protocol(protocol, as_json=command.as_json)
        return
    if command.dataset is not None:
        from rethinkdc.cli.settings import print_settings

        print_settings(registry, command.name, command.dataset, command.ipc, as_json=command.as_json)
        return
    if command.ipc is not None:
        raise RequestError(
            f"--ipc {command.ipc}: values at an ipc are those on a dataset. Add --dataset NAME, e.g. digits."
        )
    from rethinkdc.cli import catalogue

    catalogue.print_one(registry, command.name, as_json=command.as_json)
