"""What is printed of one method or protocol: all of its values."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from rethinkdc.cli.tables import print_json
from rethinkdc.cli.text_table import escape
from rethinkdc.errors import RequestError, nearest
from rethinkdc.method import Method
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.unused import leave_out_unused
from rethinkdc.protocol.writing import spelled
from rethinkdc.reference import parse_reference, print_value
from rethinkdc.registry import Listed, Registry
from rethinkdc.registry.networks import check_networks

_console = Console()
_NAME_WIDTH = 23
"""Characters of a dotted name, its last dot among them, that a third of 80 columns holds."""


def print_protocol(protocol: Protocol, *, as_json: bool) -> None:
    """All values of a protocol that something uses, with their sources."""
    if as_json:
        print_json([_whole(protocol)])
    else:
        _print_protocol(protocol)


def print_one(registry: Registry, name: str, *, as_json: bool) -> None:
    """A method of any kind (all kinds that have the name), with its values where it is given some, or a protocol.

    Raises:
        RequestError: nothing has this name, which names the nearest; or a value does not fit.
    """
    named = registry.plugins.load_named(name)
    protocol = _find_protocol(registry, name)
    found = _find_methods(registry, name, as_reference=protocol is None)
    if not protocol and not found:
        if broken := next((plugin for plugin in named if plugin.error), None):
            raise broken.broken(name)
        known = {row.name for row in registry.listing()} | set(registry.protocols.all())
        raise RequestError(
            f"Nothing is named {name!r}. {nearest(name.partition(':')[0], known)} See `rethinkdc list-plugins` and "
            "`rethinkdc list-protocols`; a protocol's .toml file has its path as its name."
        )
    if as_json:
        print_json([*([_whole(protocol)] if protocol else []), *(_describe(row, given) for row, given in found)])
        return
    if protocol:
        _print_protocol(protocol)
    for row, given in found:
        _print_method(row, given)


def _find_methods(registry: Registry, name: str, *, as_reference: bool) -> list[tuple[Listed, Method | None]]:
    """What has this name; or else what it builds as a reference with parameters, of each kind that takes them."""
    rows = [row for row in registry.listing() if row.status != "broken"]

    def are_named(wanted: str) -> list[Listed]:
        return [row for row in rows if wanted in (row.name, f"{row.provider.distribution}/{row.name}")]

    if (found := are_named(name)) or ":" not in name or not as_reference:
        return [(row, None) for row in found]
    kinds = {row.kind for row in are_named(parse_reference(name).name) if row.method}
    # A score is a compressor too.
    kinds |= {"compressor"} if "score" in kinds else set()
    tried = [_build(registry, kind, name) for kind in sorted(kinds)]
    built = [each for each in tried if isinstance(each, Method)]
    if tried and not built:
        raise next(each for each in tried if isinstance(each, RequestError))
    return [(row, method) for method in built for row in rows if row.method is type(method)]


def _build(registry: Registry, kind: str, name: str) -> Method | RequestError:
    try:
        return registry.build(kind, name)
    except RequestError as error:
        return error


def _describe(row: Listed, given: Method | None) -> dict[str, Any]:
    schema = row.method.model_json_schema() if row.method else {}
    values = {"values": given.model_dump(mode="json")} if given else {}
    return {"kind": row.kind, "name": row.name, "from": str(row.provider), "parameters": schema, **values}


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


def _print_method(row: Listed, given: Method | None) -> None:
    """Summary and parameters; with those that a reference gives in a column of their own."""
    method = row.method
    if method is None:
        _console.print(f"[bold]{escape(row.name)}[/bold] ({row.kind}), from {escape(str(row.provider))}")
        _console.print(escape(row.summary))
        return
    paper = f", {method.paper}" if method.paper else ""
    about = f"({method.kind}, {method.family or 'no family'}{paper}), from {row.provider}"
    _console.print(f"[bold]{method.name}[/bold] {escape(about)}")
    _console.print(escape(method.summary()))
    if wants := getattr(method, "wants", None):
        _console.print(f"Proxy of its paper: {escape(wants.text)}.")
    if not method.model_fields:
        _console.print("No parameters.\n")
        return
    changed = given.changed() if given else {}
    table = Table("parameter", "type", "default", *["given"] * bool(given), "what it is")
    for key, info in method.fields().items():
        kind_text = type_text(method.model_json_schema()["properties"][key])
        default = "(required)" if info.is_required() else print_value(info.default)
        told = [kind_text, default, *[print_value(changed[key]) if key in changed else ""] * bool(given)]
        table.add_row(key, *map(escape, told), escape(info.description or ""))
    _console.print(table)


def _print_protocol(protocol: Protocol) -> None:
    content = spelled(leave_out_unused(protocol.model_dump(mode="json", exclude={"overrides", "sources"})))
    sources = protocol.sources
    title = f"{protocol.id} v{protocol.version}, digest {protocol.digest[:12]}"
    table = Table(title=title, title_justify="left")
    # Names are broken at their dots alone: one that is cut within a word cannot be typed after --set.
    table.add_column("value", overflow="fold")
    table.add_column("is", overflow="fold")
    table.add_column("source", overflow="fold")
    before = ""
    for key, value in _flat(content):
        holding = (name for name in sources if key == name or key.startswith((f"{name}.", f"{name}[")))
        source = max(holding, key=len, default="")
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
        if isinstance(value, dict) and value:
            rows.extend(_flat(value, f"{prefix}{key}."))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, item in enumerate(value):
                rows.append((f"{prefix}{key}[{index}]", ", ".join(f"{k}={v}" for k, v in item.items())))
        elif value not in (None, {}, []):
            rows.append((prefix + key, value))
    return rows


def type_text(schema: dict[str, Any]) -> str:
    """What a field may hold, in words, of its JSON schema."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(type_text(item) for item in schema["anyOf"])
    if "$ref" in schema or "allOf" in schema:
        return "reference"
    limits = [f"{sign} {schema[key]}" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([{"null": "none", "array": "list"}.get(schema.get("type", ""), schema.get("type", "any")), *limits])


_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
