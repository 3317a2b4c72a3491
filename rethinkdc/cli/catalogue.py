"""What is printed of methods and protocols: listings, and one of them whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from rethinkdc.cli.tables import print_json
from rethinkdc.cli.text_table import escape
from rethinkdc.errors import RequestError, nearest
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.unused import leave_out_unused
from rethinkdc.reference import print_value
from rethinkdc.registry import Listed, Registry
from rethinkdc.registry.networks import check_networks
from rethinkdc.studies.study import Study

_console = Console()
_NAME_WIDTH = 23
"""Characters of a dotted name, its last dot among them, that a third of 80 columns holds."""


def print_plugins(registry: Registry, *, kind: str | None, family: str | None, as_json: bool) -> None:
    """Every method, grouped by kind; of one kind or family where they are named.

    Raises:
        RequestError: there is no such kind or family, or nothing of both.
    """
    rows = _chosen(registry.listing(), kind, family)
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
                    "module": row.module,
                    "status": row.status,
                    "reason": row.reason,
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
            table.add_row(f"[cyan]{escape(row.name)}[/cyan]", _described(row))
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


def print_protocol(protocol: Protocol, *, as_json: bool) -> None:
    """All values of a protocol that something uses, with their sources."""
    if as_json:
        print_json([_whole(protocol)])
    else:
        _print_protocol(protocol)


def print_one(registry: Registry, name: str, *, as_json: bool) -> None:
    """A method of any kind (all kinds that have the name), a tracker, or a protocol.

    Raises:
        RequestError: nothing has this name; names the nearest.
    """
    named = registry.plugins.load_named(name)
    protocol = _find_protocol(registry, name)
    rows = [row for row in registry.listing() if name in (row.name, f"{row.provider.distribution}/{row.name}")]
    usable = [row for row in rows if row.status != "broken"]
    if not protocol and not usable:
        if broken := next((plugin for plugin in named if plugin.error), None):
            raise broken.broken(name)
        known = {row.name for row in registry.listing()} | set(registry.protocols.all())
        raise RequestError(
            f"Nothing is named {name!r}. {nearest(name, known)} See `rethinkdc list-plugins` and "
            "`rethinkdc list-protocols`; a protocol's .toml file has its path as its name."
        )
    shown: list[Any] = [_whole(protocol)] if protocol else []
    if protocol and not as_json:
        _print_protocol(protocol)
    for row in usable:
        schema = row.method.model_json_schema() if row.method else {}
        shown.append({"kind": row.kind, "name": row.name, "from": str(row.provider), "parameters": schema})
        if as_json:
            continue
        if row.method:
            _print_method(row.method, str(row.provider))
        else:
            _console.print(
                f"[bold]{escape(row.name)}[/bold] ({row.kind}), from {escape(str(row.provider))}\n{escape(row.summary)}"
            )
    if as_json:
        print_json(shown)


def _find_protocol(registry: Registry, name: str) -> Protocol | None:
    """The protocol of a file, or the one of this name; None where a method may have it."""
    if name.endswith(".toml"):
        protocol = registry.protocols.find(name)
        check_networks(protocol, registry.build, name)
        return protocol
    if name in DERIVED:
        return registry.protocols.find(name)
    return registry.protocols.all().get(name)


def _whole(protocol: Protocol) -> dict[str, Any]:
    return {**protocol.model_dump(mode="json"), "digest": protocol.digest}


def _described(row: Listed) -> str:
    """Summary, then what a reader of a table wants to know; or why the plugin cannot be used."""
    method = row.method
    lines = [escape(row.summary)] if row.summary else []
    if row.status != "ok":
        lines.append(f"[red]{row.status}: {escape(row.reason)}[/red]")
    if method:
        facts = [method.family, method.paper, ", ".join(method.fields())]
        lines.append(f"[dim]{escape('; '.join(fact for fact in [*facts, str(row.provider)] if fact))}[/dim]")
    else:
        module = f", module {row.module}" if row.status == "broken" else ""
        lines.append(f"[dim]{escape(f'{row.provider}{module}')}[/dim]")
    return "\n".join(lines)


def _print_method(method: Any, provider: str) -> None:
    paper = f", {method.paper}" if method.paper else ""
    about = f"({method.kind}, {method.family or 'no family'}{paper}), from {provider}"
    _console.print(f"[bold]{method.name}[/bold] {escape(about)}")
    _console.print(escape(method.summary()))
    if wants := getattr(method, "wants", None):
        _console.print(f"Proxy of its paper: {escape(wants.text)}.")
    if not method.model_fields:
        _console.print("No parameters.\n")
        return
    table = Table("parameter", "type", "default", "what it is")
    for key, info in method.fields().items():
        kind_text = _type_text(method.model_json_schema()["properties"][key])
        default = "(required)" if info.is_required() else print_value(info.default)
        table.add_row(key, escape(kind_text), escape(default), escape(info.description or ""))
    _console.print(table)


def _print_protocol(protocol: Protocol) -> None:
    content = leave_out_unused(protocol.model_dump(mode="json", exclude={"overrides", "sources"}))
    sources = protocol.sources
    title = f"{protocol.id} v{protocol.version}, digest {protocol.digest[:12]}"
    table = Table(title=title, title_justify="left")
    # Names are broken at their dots alone: one that is cut within a word cannot be typed after --set.
    table.add_column("value", overflow="fold")
    table.add_column("is", overflow="fold")
    table.add_column("source")
    before = ""
    for key, value in _flat(content):
        source = max((name for name in sources if key == name or key.startswith(f"{name}.")), key=len, default="")
        # What many values share is said at the first of them.
        table.add_row(
            "\n".join(_broken(key)), escape(str(value)), escape(sources.get(source, "")) if source != before else ""
        )
        before = source
    _console.print(table)


def _broken(key: str) -> list[str]:
    """A dotted name in lines of at most so many characters, where its parts allow it."""
    lines = [""]
    for part in key.split("."):
        if lines[-1] and len(lines[-1]) + len(part) >= _NAME_WIDTH:
            lines.append("")
        lines[-1] += f"{part}."
    return [*lines[:-1], lines[-1].removesuffix(".")]


def _flat(content: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in content.items():
        if isinstance(value, dict) and value and set(value) == {"name", "values"}:
            rows.append((prefix + key, value["name"] + (f" {value['values']}" if value["values"] else "")))
        elif isinstance(value, dict) and value:
            rows.extend(_flat(value, f"{prefix}{key}."))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, item in enumerate(value):
                rows.append((f"{prefix}{key}[{index}]", ", ".join(f"{k}={v}" for k, v in item.items())))
        elif value not in (None, {}, []):
            rows.append((prefix + key, value))
    return rows


def _type_text(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_type_text(item) for item in schema["anyOf"])
    if "$ref" in schema or "allOf" in schema:
        return "reference"
    limits = [f"{sign} {schema[key]}" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([{"null": "none", "array": "list"}.get(schema.get("type", ""), schema.get("type", "any")), *limits])


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
    "?": "Broken",
}
_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
