"""What commands print."""

from __future__ import annotations

import json
import statistics
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rethinkdc.cli.metric_text import name_metric, write_difference, write_value
from rethinkdc.errors import RequestError, nearest
from rethinkdc.reference import print_value
from rethinkdc.registry import Listed, Registry
from rethinkdc.runs.comparison import difference_to_random
from rethinkdc.runs.cost import Cost, order_stages
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import Seeds

_console = Console()


def print_json(value: Any) -> None:
    """Prints JSON to stdout, and nothing else."""
    print(json.dumps(value, indent=1))


def print_run(record: Record, records: Records, *, existed: bool) -> None:
    """The result of one run: its metrics, seconds of each stage, bytes, where the record is."""
    cost, names = record.cost, record.names
    if not record.results or cost is None:
        return
    title = f"{names.methods} on {names.dataset} ({names.protocol}, ipc {names.ipc})"
    table = Table(title=escape(title), title_justify="left", show_header=False)
    marks = [mark for mark, on in (("modified protocol", record.modified), ("tuning split", record.tune)) if on]
    for name, value in [
        *((name_metric(one.name), write_value(record.results[one.name], one.unit)) for one in record.metrics),
        ("seeds", write_seeds(record.definition.seeds)),
        ("seconds", _seconds(cost)),
        ("image bytes", _image_bytes(cost)),
        ("label bytes", _label_bytes(cost, record.track)),
        ("teacher", _teacher(cost, record.notes)),
        ("receiver bytes", _receiver_bytes(cost)),
        ("external data", ", ".join(record.notes.get("external_data", ()))),
        ("marks", ", ".join(marks)),
    ]:
        if value:
            table.add_row(name, escape(value))
    _console.print(table)
    for doubt in record.notes.get("doubts", ()):
        print(f"Doubtful: {doubt}")
    # Outside the table, where no column cuts it short.
    print(f"{'existing record' if existed else 'record'}: {records.path(record.key, record.attempt)}")


def print_summary(runs: list[Record], records: Records, registry: Registry) -> None:
    """Mean and standard deviation of the main metric over several runs, and how much better than random they are."""
    measured = [record for record in runs if record.results]
    if not measured:
        return
    metric = measured[0].main_metric
    values = [record.results[metric.name] for record in measured]
    if len(values) > 1:
        mean, spread = (
            write_value(value, metric.unit) for value in (statistics.mean(values), statistics.stdev(values))
        )
        _console.print(
            f"{name_metric(metric.name)} over {len(values)} seeds: {mean} ± {spread} (mean, standard deviation)"
        )
    compared = (difference_to_random(record, records, registry) for record in measured)
    differences = [difference for difference in compared if difference is not None]
    if not differences:
        return
    several = len(differences) > 1
    gap = write_difference(statistics.mean(differences), metric, statistics.stdev(differences) if several else None)
    over = f", over {len(differences)} paired seeds" if several else ""
    _console.print(f"{gap} than random under the same conditions{over}")


def print_plugins(registry: Registry, *, as_json: bool) -> None:
    """Every method, grouped by kind."""
    rows = registry.listing()
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
                    "status": row.status,
                    "reason": row.reason,
                }
                for row in rows
            ]
        )
        return
    for kind in dict.fromkeys(row.kind for row in rows):
        _console.print(f"[bold]{_TITLES[kind]}[/bold]")
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        table.add_column(no_wrap=True)
        table.add_column()
        for row in (row for row in rows if row.kind == kind):
            table.add_row(f"[cyan]{row.name}[/cyan]", _described(row))
        _console.print(table)


def print_protocols(registry: Registry, *, as_json: bool) -> None:
    """Every protocol in a row."""
    protocols = registry.protocols.all().values()
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


def print_one(registry: Registry, name: str, *, as_json: bool) -> None:
    """A method of any kind (all kinds that have the name), a tracker, or a protocol.

    Raises:
        RequestError: nothing has this name; names the nearest.
    """
    protocols = registry.protocols.all()
    rows = [row for row in registry.listing() if name in (row.name, f"{row.provider.distribution}/{row.name}")]
    usable = [row for row in rows if row.status != "broken"]
    if name not in protocols and not usable:
        if rows:
            raise RequestError(f"The plugin {name!r} of {rows[0].provider} is broken: {rows[0].reason}")
        known = {row.name for row in registry.listing()} | set(protocols)
        raise RequestError(f"Nothing is named {name!r}. {nearest(name, known)}")
    shown: list[Any] = []
    if name in protocols:
        protocol = protocols[name]
        shown.append({**protocol.model_dump(mode="json"), "digest": protocol.digest})
        if not as_json:
            _print_protocol(protocol, protocol.digest)
    for row in usable:
        schema = row.method.model_json_schema() if row.method else {}
        shown.append({"kind": row.kind, "name": row.name, "from": str(row.provider), "parameters": schema})
        if as_json:
            continue
        if row.method:
            _print_method(row.method, str(row.provider))
        else:
            _console.print(f"[bold]{row.name}[/bold] ({row.kind}), from {row.provider}\n{escape(row.summary)}")
    if as_json:
        print_json(shown)


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
        lines.append(f"[dim]{row.provider}[/dim]")
    return "\n".join(lines)


def _print_method(method: Any, provider: str) -> None:
    paper = f", {method.paper}" if method.paper else ""
    _console.print(
        f"[bold]{method.name}[/bold] ({method.kind}, {method.family or 'no family'}{paper}), from {provider}"
    )
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
        table.add_row(key, kind_text, escape(default), escape(info.description or ""))
    _console.print(table)


def _print_protocol(protocol: BaseModel, digest: str) -> None:
    content = protocol.model_dump(mode="json", exclude={"overrides"})
    sources: dict[str, str] = content.pop("sources")
    table = Table(title=f"{content['id']} v{content['version']}, digest {digest[:12]}", title_justify="left")
    # A name that is cut short cannot be typed after --set.
    table.add_column("value", overflow="fold")
    table.add_column("is", overflow="fold")
    table.add_column("source")
    before = ""
    for key, value in _flat(content):
        source = max((name for name in sources if key == name or key.startswith(f"{name}.")), key=len, default="")
        # What many values share is said at the first of them.
        table.add_row(key, escape(str(value)), escape(sources.get(source, "")) if source != before else "")
        before = source
    _console.print(table)


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
    "tracker": "Trackers (run --tracker NAME)",
    "?": "Broken",
}
_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def write_seeds(seeds: Seeds) -> str:
    """The set's seed, then the axes that have another one: ``0, student=1``."""
    others = (f"{axis}={seed}" for axis, seed in seeds.model_dump().items() if seed != seeds.set)
    return ", ".join([str(seeds.set), *others])


def _seconds(cost: Cost) -> str:
    return ", ".join(
        f"{stage} {cost.seconds[stage]:.1f}" for stage in order_stages(cost.seconds) if cost.seconds[stage] >= 0.05
    )


def _image_bytes(cost: Cost) -> str:
    names = {"stored": "PNG", "lossy": "JPEG q75", "recipe": "as a recipe"}
    return ", ".join(f"{names[key]} {value:,}" for key, value in cost.image_bytes.items() if value is not None)


def _label_bytes(cost: Cost, track: str) -> str:
    ratio = cost.label_ratio
    beside = f" ({ratio:.3g} times the JPEG images)" if ratio and track != "hard" else ""
    return f"{cost.label_bytes:,}{beside}"


def _teacher(cost: Cost, notes: dict[str, Any]) -> str:
    """Every teacher that was asked, how good it is, and whether the receiver needs it."""
    known: dict[str, dict[str, Any]] = notes.get("teachers", {})
    facts = [
        f"{name}, top-1 {about['top1']:.2%}" if about["top1"] is not None else name for name, about in known.items()
    ]
    if cost.teacher_at_training:
        facts.append(f"asked while training: {cost.teacher_bytes:,} bytes")
    return "; ".join(facts)


def _receiver_bytes(cost: Cost) -> str:
    parts = "JPEG, labels and teacher" if cost.teacher_bytes else "JPEG and labels"
    return "" if cost.receiver_bytes is None else f"{cost.receiver_bytes:,} ({parts})"
