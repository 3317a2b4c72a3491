"""``list-plugins``, ``list-protocols`` and ``list-studies``. Imports nothing heavy before a command is called."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import RecordsFolder
from rethinkdc.runs.options import Option
from rethinkdc.storage import show_path


@dataclass(frozen=True, kw_only=True)
class PluginsCommand(Printed):
    """What ``list-plugins`` takes."""

    kind: Annotated[
        str | None,
        Option("Only of this kind, e.g. compressor, score, labeler, dataset or model."),
    ] = None
    family: Annotated[str | None, Option("Only of this family, e.g. pruning, combination or distillation.")] = None
    requirements: Annotated[
        str | None,
        Option(
            "In place of the list: the lines for `pip install -r` that rebuild the environment of this record (key or "
            "file)."
        ),
    ] = None
    records: RecordsFolder = None


@dataclass(frozen=True)
class ProtocolsCommand(Printed):
    """What ``list-protocols`` takes."""

    place: Annotated[
        str | None,
        Option("A protocol file, or a folder of them; default: those that are installed.", argument="place"),
    ] = None


@takes_options(PluginsCommand)
def list_plugins(command: PluginsCommand) -> None:
    """List every installed method with its kind, paper and distribution; broken ones with the reason.

    Example: rethinkdc list-plugins --requirements RECORD > requirements.txt
    """
    if command.requirements is not None:
        _print_requirements(command, command.requirements)
        return
    from rethinkdc.cli import catalogue
    from rethinkdc.registry.registry import Registry

    catalogue.print_plugins(Registry(), kind=command.kind, family=command.family, as_json=command.as_json)


def _print_requirements(command: PluginsCommand, name: str) -> None:
    from rethinkdc.cli.tables import print_json
    from rethinkdc.runs.records import Records
    from rethinkdc.runs.requirements import requirements_of

    records = Records(Path(command.records) if command.records else None)
    record = records.named(name)
    if record is None:
        raise RequestError(
            f"There is no record {name} in {show_path(records.folder)}. Give its key, or its .json file; `rethinkdc "
            "leaderboard` lists what is there."
        )
    lines = requirements_of(record)
    if command.as_json:
        print_json({"requirements": lines})
    else:
        say("\n".join(lines))


@takes_options(ProtocolsCommand)
def list_protocols(command: ProtocolsCommand) -> None:
    """List every protocol with its labels, data, student and digest."""
    from rethinkdc.cli import catalogue
    from rethinkdc.protocol.reading import load_protocols
    from rethinkdc.registry.registry import Registry

    registry = Registry()
    place = command.place and Path(command.place).expanduser()
    protocols = load_protocols(place, registry.view_ops.find) if place else registry.protocols.all()
    catalogue.print_protocols(protocols.values(), as_json=command.as_json)


@takes_options(Printed)
def list_studies(command: Printed) -> None:
    """List every study: paper/NAME is a table of the paper, small/NAME its twin, DISTRIBUTION/NAME a package's."""
    from rethinkdc.cli import catalogue
    from rethinkdc.studies.packaged import packaged_studies
    from rethinkdc.studies.reading import load_study
    from rethinkdc.studies.shipped import shipped_studies

    studies = {name: load_study(name) for name in shipped_studies()}
    for name, path in packaged_studies().items():
        try:
            studies[name] = load_study(path)
        except RequestError as error:  # noqa: PERF203 - one bad file hides no other
            warnings.warn(f"The study {name} is left out: {error}", stacklevel=1)
    catalogue.print_studies(studies, as_json=command.as_json)
