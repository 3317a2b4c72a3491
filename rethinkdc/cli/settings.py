"""What a method's open parameters would be for one dataset, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rethinkdc.cli.tables import print_json
from rethinkdc.cli.text_table import escape
from rethinkdc.context.cache import Cache
from rethinkdc.contracts.kinds import Adjustable, Compressor, Deviation, Labeler, Setting
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema
from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import parse_reference, print_value
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.deriving import derived_protocol
from rethinkdc.runs.request import DEFAULT_IPC

_console = Console()
_SHORT = ("default", "given")
_ELSEWHERE = " are taken as "
"""In the source of values that are for a dataset like this one."""


def print_settings(
    registry: Registry, name: str, dataset: str, ipc: int | None, *, as_json: bool, cache_dir: Path | None = None
) -> None:
    """Prints every parameter of a compressor or labeler as a run on a dataset would have it, and as its authors ran it.

    Args:
        registry: finds the method, the dataset and its protocol.
        name: reference of the method; what it gives is kept.
        dataset: name, folder or hub id.
        ipc: images per class; None = the protocol's.
        as_json: print JSON instead of a table.
        cache_dir: knows the layout of folders seen before; None = the default one.

    Raises:
        RequestError: no such method or dataset, or an ipc for what has no budget.
    """
    method = _adjustable(registry, name)
    budgeted = not isinstance(method, Compressor) or method.budgeted
    if ipc is not None and not budgeted:
        raise RequestError(f"{method.name} uses the whole training set: leave --ipc out.")
    protocol = _protocol(registry, dataset, cache_dir)
    if budgeted:
        ipc = ipc or protocol.default_ipc or DEFAULT_IPC
    here, there = method.settings(protocol, ipc), method.published(protocol, ipc)
    apart = method.deviations(protocol, ipc)
    if as_json:
        print_json(
            {
                "name": registry.label(method),
                "protocol": protocol.id,
                "ipc": ipc,
                "settings": _plain_settings(here),
                "authors": _plain_settings(there),
                "deviations": {key: one._asdict() for key, one in apart.items()},
            }
        )
        return
    budget = f" at ipc {ipc}" if ipc else ""
    title = f"{registry.label(method)} on {dataset}{budget} ({protocol.id}: {protocol.store.size} px)"
    _print_beside(title, here, there, apart)


def _print_beside(
    title: str, here: Mapping[str, Setting], there: Mapping[str, Setting], apart: Mapping[str, Deviation]
) -> None:
    """A table of what a run would have beside what the authors ran; sources are numbered, and said below."""
    numbers: dict[str, int] = {}

    def numbered(source: str) -> str:
        return source if source in _SHORT else f"({numbers.setdefault(source, len(numbers) + 1)})"

    table = Table("parameter", "here", "authors", "source", title=escape(title), title_justify="left")
    for column in table.columns:
        column.overflow = "fold"
    differing = {key for key, one in here.items() if _plain(there.get(key, one).value) != _plain(one.value)}
    for key, one in here.items():
        theirs = there.get(key, one)
        if key not in differing:
            elsewhere = theirs.source.startswith("untuned") or _ELSEWHERE in theirs.source
            said = "same elsewhere" if elsewhere else "the same"
            table.add_row(key, escape(print_value(one.value)), said, numbered(theirs.source))
        else:
            both = f"{numbered(one.source)}, authors {numbered(theirs.source)}"
            table.add_row(f"{key} *", escape(print_value(one.value)), escape(print_value(theirs.value)), both)
    for key, deviation in apart.items():
        table.add_row(f"{key} *", escape(deviation.here), escape(deviation.authors), numbered(deviation.why))
    _console.print(table)
    for source, number in numbers.items():
        _console.print(f"({number}) {escape(source)}")
    if differing or apart:
        _console.print("* differs from what the authors ran.")


def _adjustable(registry: Registry, name: str) -> Adjustable:
    """The compressor of this name, or the labeler where no compressor has it.

    Raises:
        RequestError: no such method, or a parameter is wrong.
    """
    try:
        return registry.build(Compressor, name)
    except RequestError as unknown:
        try:
            registry.find(Labeler.kind, parse_reference(name).name)
        except RequestError:
            raise unknown from None
        return registry.build(Labeler, name)


def _plain_settings(settings: Mapping[str, Setting]) -> dict[str, Any]:
    return {key: {"value": _plain(one.value), "source": one.source} for key, one in settings.items()}


def _protocol(registry: Registry, name: str, cache_dir: Path | None) -> Protocol:
    """The default protocol of a dataset, without reading one that states its layout; else the derived one."""
    dataset = registry.build(Dataset, name)
    root = Cache(cache_dir).root
    if dataset.schema and (declared := _declared(registry, dataset, dataset.schema)):
        return declared
    fingerprint, schema = dataset.identify(root)
    return _declared(registry, dataset, schema) or derived_protocol(dataset, fingerprint, "auto-soft", root)


def _declared(registry: Registry, dataset: Dataset, schema: Schema) -> Protocol | None:
    # Both tracks of a dataset store images alike, which is what values depend on.
    return registry.protocols.default(dataset, schema, "online") or registry.protocols.default(dataset, schema, "hard")


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
