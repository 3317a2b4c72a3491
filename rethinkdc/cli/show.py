"""``rethinkdc show``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import Networked, RecordsFolder
from rethinkdc.runs.options import Option


@dataclass(frozen=True)
class ShowCommand(Networked, Printed):
    """What the command takes."""

    name: Annotated[
        str,
        Option(
            "A method, also with parameters as in pca:grid=3, a dataset, a model, a protocol or its .toml file; or a "
            "record: its key, or its .json file.",
            argument="name",
        ),
    ]
    records: RecordsFolder = field(default=None, kw_only=True)
    dataset: Annotated[
        str | None,
        Option(
            "Show the values that a compressor or a labeler, beside its authors', auto-hard or auto-soft would have on "
            "this dataset.",
            short="-d",
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
    """Show a method's parameters, all values of a protocol with their sources, or a record as its run was printed.

    Example: rethinkdc show pca
    """
    from rethinkdc.runs.records import Records

    records = Records(Path(command.records) if command.records else None)
    if record := records.named(command.name):
        from rethinkdc.cli import tables

        if command.as_json:
            tables.print_json(record.model_dump(mode="json"))
        else:
            path = Path(command.name).expanduser()
            tables.print_record(record, Records(path.parent.parent) if path.is_file() else records)
        return
    from rethinkdc.context.cache import Cache
    from rethinkdc.protocol.derived import DERIVED
    from rethinkdc.registry.registry import Registry
    from rethinkdc.runs.deriving import find_protocol

    registry = Registry()
    if command.toml or (command.dataset is not None and command.name in DERIVED):
        protocol = find_protocol(registry, command.name, command.dataset, Cache())
        if command.toml:
            from rethinkdc.protocol.writing import write_toml

            typer.echo(write_toml(protocol), nl=False)
        else:
            from rethinkdc.cli import in_full

            in_full.print_protocol(protocol, as_json=command.as_json)
        return
    if command.dataset is not None:
        from rethinkdc.cli.settings import print_settings

        print_settings(registry, command.name, command.dataset, command.ipc, as_json=command.as_json)
        return
    if command.ipc is not None:
        raise RequestError(
            f"--ipc {command.ipc}: values at an ipc are those on a dataset. Add --dataset NAME, e.g. digits."
        )
    from rethinkdc.cli import in_full

    in_full.print_one(registry, command.name, as_json=command.as_json)
