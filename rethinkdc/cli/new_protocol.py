"""``rethinkdc new-protocol``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import Networked
from rethinkdc.runs.options import Option


@dataclass(frozen=True)
class NewProtocolCommand(Networked, Printed):
    """What the command takes."""

    name: Annotated[str, Option("Name of the new protocol.", argument="name")]
    origin: Annotated[
        str,
        Option(
            "What it begins as: a protocol's name or file; auto (auto-hard) or auto-soft follows from --dataset.",
            flag="--from",
        ),
    ] = field(default="auto", kw_only=True)
    dataset: Annotated[str | None, Option("Name, folder or hub id of the data that it is for.", short="-d")] = field(
        default=None, kw_only=True
    )
    out: Annotated[Path | None, Option("File to write, which must not exist; default: NAME.toml.", short="-o")] = field(
        default=None, kw_only=True
    )
    cache_dir: Annotated[Path | None, Option("Folder of the cache; default: RETHINKDC_CACHE or the platform's.")] = (
        field(default=None, kw_only=True)
    )


@takes_options(NewProtocolCommand)
def new_protocol(command: NewProtocolCommand) -> None:
    """Write a protocol of your own as a commented file.

    Example: rethinkdc new-protocol mine --from auto --dataset FOLDER --out mine.toml
    """
    from rethinkdc.cli import tables
    from rethinkdc.context.cache import Cache
    from rethinkdc.registry.registry import Registry
    from rethinkdc.runs.deriving import write_new_protocol

    out = command.out or Path(f"{command.name}.toml")
    cache = Cache(command.cache_dir)
    protocol = write_new_protocol(Registry(), cache, command.name, command.origin, command.dataset, out)
    if command.as_json:
        tables.print_json({"file": str(out), "id": protocol.id, "digest": protocol.digest})
        return
    data = f" --dataset {command.dataset}" if command.dataset else ""
    say(f"Wrote the protocol {protocol.id} v{protocol.version}, digest {protocol.digest[:12]}, to {out}.")
    say(f"Look at it with: rethinkdc show {out}")
    say(f"Run it with: rethinkdc run --compressor random{data} --protocol {out}")
