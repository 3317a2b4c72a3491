"""What is printed of all methods, protocols and studies: a line or a row of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from rethinkdc.cli.tables import print_json
from rethinkdc.cli.text_table import escape
from rethinkdc.context.checked import Extent, is_empty, kept_extent
from rethinkdc.errors import RequestError, nearest
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry import Listed, Registry
from rethinkdc.studies.study import Study

_console = Console()


def print_plugins(registry: Registry, *, kind: str | None, family: str | None, as_json: bool) -> None:
    """Every method, grouped by kind; of one kind or family where they are named.

    Raises:
        RequestError: there is no such kind or family, or nothing of both.
    """
    rows = _chosen(registry.listing(), kind, family)
    checked = _find_checked(registry, rows)
    if as_json:
        print_json(
            [
                {
                    "kind": row.kind,
                    "name": row.name,
                    "family": row.method.family if row.method else "",
                    "paper": row.method.paper if row.method else "",
                    "summary": row.summary,
                    "parameters": list(row.method.fields()) if row.method else [],
                    "distribution": row.provider.distribution,
                    "version": row.provider.version,
                    "editable": row.provider.editable,
                    "module": row.module,
                    "status": row.status,
                    "reason": row.reason,
                    "checked": checked.get(row),
                }
                for row in rows
            ]
        )
        return
    for group in dict.fromkeys(row.kind for row in rows):
        _console.print(f"[bold]{_TITLES[group]}[/bold]")
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        table.add_column(no_wrap=True)
        table.add_column()
        for row in (row for row in rows if row.kind == group):
            table.add_row(f"[cyan]{escape(row.name)}[/cyan]", _described(row, checked.get(row)))
        _console.print(table)


def _chosen(rows: list[Listed], kind: str | None, family: str | None) -> list[Listed]:
    if kind is not None and kind not in (kinds := {row.kind for row in rows} - {"?"}):
        raise RequestError(f"No plugin is of the kind {kind!r}. {nearest(kind, kinds)}")
    known = {row.method.family for row in rows if row.method and row.method.family and kind in (None, row.kind)}
    if family is not None and family not in known:
        raise RequestError(f"No {kind or 'plugin'} is of the family {family!r}. {nearest(family, known)}")
    return [
        row
        for row in rows
        if kind in (None, row.kind) and (family is None or (row.method is not None and row.method.family == family))
    ]


def print_protocols(protocols: Iterable[Protocol], *, as_json: bool) -> None:
    """Every protocol in a row."""
    if as_json:
        print_json([{**p.model_dump(mode="json"), "digest": p.digest} for p in protocols])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("protocol", no_wrap=True, style="cyan")
    for name in ("labels", "status", "what it is"):
        table.add_column(name)
    for protocol in protocols:
        table.add_row(f"{protocol.id} v{protocol.version}", protocol.track, protocol.status, protocol.summary)
    _console.print(table)
    _console.print("All values of one, and where each comes from: rethinkdc show NAME")


def print_studies(studies: Mapping[str, Study], *, as_json: bool) -> None:
    """Every study in a row, by its name."""
    if as_json:
        print_json([{"name": name, "title": study.title} for name, study in studies.items()])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("study", no_wrap=True, style="cyan")
    table.add_column("what it asks")
    for name, study in studies.items():
        table.add_row(name, study.title)
    _console.print(table)
    _console.print("The runs of one: rethinkdc sweep NAME --plan")


def _find_checked(registry: Registry, rows: list[Listed]) -> dict[Listed, Extent]:
    """How far the code of each method was checked that kept all rules."""
    if is_empty():
        return {}
    codes = {method: plugin.code.digest for plugin in registry.plugins.installed for method in plugin.methods}
    known = {row: kept_extent(row.kind, row.name, codes[row.method]) for row in rows if row.method in codes}
    return {row: extent for row, extent in known.items() if extent}


def _described(row: Listed, checked: Extent | None) -> str:
    """Summary, then what a reader of a table wants to know; or why the plugin cannot be used."""
    method = row.method
    lines = [escape(row.summary)] if row.summary else []
    if row.status == "disabled":
        lines.append(f"disabled: {escape(row.reason)}")
    elif row.status != "ok":
        lines.append(f"[red]{row.status}: {escape(row.reason)}[/red]")
    if method:
        facts = [method.family, method.paper, ", ".join(method.fields())]
        mark = {None: "", "whole": "checked", "quick": "checked in its quick part"}[checked]
        lines.append(f"[dim]{escape('; '.join(fact for fact in [*facts, _owner(row), mark] if fact))}[/dim]")
    else:
        module = f", module {row.module}" if row.status == "broken" else ""
        lines.append(f"[dim]{escape(f'{_owner(row)}{module}')}[/dim]")
    return "\n".join(lines)


def _owner(row: Listed) -> str:
    return f"{row.provider} (editable)" if row.provider.editable else str(row.provider)


_TITLES = {
    "compressor": "Compressors (any score is one too: el2n:direction=easy)",
    "score": "Scores",
    "labeler": "Labelers",
    "teacher": "Teachers",
    "evaluator": "Evaluators",
    "dataset": "Datasets",
    "model": "Models (and any timm/NAME, torchvision/NAME)",
    "tracker": "Trackers (run --tracker NAME, sweep too)",
    "engine": "Engines (sweep --engine NAME)",
    "?": "Not used",
}
