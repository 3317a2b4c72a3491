"""What a method's open parameters would be for one dataset, and where each value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rethinkdc.cli.tables import print_json
from rethinkdc.cli.text_table import escape
from rethinkdc.context.cache import Cache
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema
from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import print_value
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.deriving import derived_protocol
from rethinkdc.runs.request import DEFAULT_IPC

_console = Console()


def print_settings(
    registry: Registry, name: str, dataset: str, ipc: int | None, *, as_json: bool, cache_dir: Path | None = None
) -> None:
    """Prints every parameter of a compressor as a run on a dataset would have it.

    Args:
        registry: finds the method, the dataset and its protocol.
        name: reference of the compressor; what it gives is kept.
        dataset: name, folder or hub id.
        ipc: images per class; None = the protocol's.
        as_json: print JSON instead of a table.
        cache_dir: knows the layout of folders seen before; None = the default one.

    Raises:
        RequestError: no such compressor or dataset, or an ipc for what has no budget.
    """
    method = registry.build(Compressor, name)
    if ipc is not None and not method.budgeted:
        raise RequestError(f"{method.name} uses the whole training set: leave --ipc out.")
    protocol = _protocol(registry, dataset, cache_dir)
    if method.budgeted:
        ipc = ipc or protocol.default_ipc or DEFAULT_IPC
    settings = method.settings(protocol, ipc)
    if as_json:
        values = {key: {"value": _plain(one.value), "source": one.source} for key, one in settings.items()}
        print_json({"name": registry.label(method), "protocol": protocol.id, "ipc": ipc, "settings": values})
        return
    budget = f" at ipc {ipc}" if ipc else ""
    title = f"{registry.label(method)} on {dataset}{budget} ({protocol.id}: {protocol.store.size} px)"
    table = Table("parameter", "value", "source", title=escape(title), title_justify="left")
    for key, one in settings.items():
        table.add_row(key, escape(print_value(one.value)), escape(one.source))
    _console.print(table)


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
