"""What commands print."""

from __future__ import annotations

import json
import statistics
import warnings
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RequestError, RethinkError, nearest
from rethinkdc.reference import print_value
from rethinkdc.registry import Listed, Registry
from rethinkdc.runs.records import Record, Records
from rethinkdc.runs.resolving import KEY_LENGTH
from rethinkdc.storage import digest

_console = Console()


def print_json(value: Any) -> None:
    """Prints JSON to stdout, and nothing else."""
    print(json.dumps(value, indent=1))


def print_run(record: Record, records: Records, *, existed: bool) -> None:
    """The result of one run: accuracies, seconds of each stage, bytes, where the record is."""
    evaluation, cost, labels = record.evaluation, record.cost, record.labels
    if evaluation is None or cost is None:
        return
    methods, under = f"{labels['compressor']} + {labels['labeler']}", f"{labels['protocol']}, ipc {labels['ipc']}"
    title = f"{methods} on {labels['dataset']} ({under})"
    table = Table(title=escape(title), title_justify="left", show_header=False)
    marks = [mark for mark, on in (("modified protocol", record.modified), ("tuning split", record.tune)) if on]
    for name, value in [
        ("top-1", f"{evaluation.metrics['top1']:.2%}"),
        ("top-5", f"{evaluation.metrics['top5']:.2%}"),
        ("seeds", seeds_text(record.definition["seeds"])),
        ("seconds", _seconds(record)),
        ("image bytes", _image_bytes(record)),
        ("label bytes", _label_bytes(record)),
        ("teacher", _teacher(record)),
        ("receiver bytes", _receiver_bytes(record)),
        ("external data", ", ".join(record.notes.get("external_data", ()))),
        ("marks", ", ".join(marks)),
    ]:
        if value:
            table.add_row(name, escape(value))
    _console.print(table)
    # Outside the table, where no column cuts it short.
    print(f"{'existing record' if existed else 'record'}: {records.path(record.key, record.attempt)}")


def print_summary(found: list[Record], records: Records, registry: Registry) -> None:
    """Mean and standard deviation over several runs, and the difference to random under the same conditions."""
    values = [record.evaluation.metrics["top1"] for record in found if record.evaluation]
    if len(values) > 1:
        spread = statistics.stdev(values)
        _console.print(
            f"top-1 over {len(values)} seeds: {statistics.mean(values):.2%} ± {spread:.2%} (mean, standard deviation)"
        )
    differences = [
        difference for record in found if (difference := difference_to_random(record, records, registry)) is not None
    ]
    if not differences:
        return
    mean = statistics.mean(differences)
    where = "above" if mean >= 0 else "below"
    spread_text = (
        f" ± {100 * statistics.stdev(differences):.2f} over {len(differences)} paired seeds"
        if len(differences) > 1
        else ""
    )
    _console.print(f"{abs(100 * mean):.2f} points {where} random under the same conditions{spread_text}")


def difference_to_random(record: Record, records: Records, registry: Registry) -> float | None:
    """Top-1 minus that of ``random`` with equal dataset, protocol, labels, ipc and seeds; None when not on record."""
    if record.evaluation is None:
        return None
    random = registry.definition(registry.build(Compressor, "random"))
    # It asks no teacher, whatever this run's compressor does.
    others = {key: value for key, value in record.definition.items() if key != "compressor_teachers"}
    key = digest({**others, "compressor": random})[:KEY_LENGTH]
    if key == record.key:
        return None
    try:
        baseline = records.find(key)
    except RethinkError as error:
        warnings.warn(f"No comparison with random: {error}", stacklevel=2)
        return None
    if baseline is None or baseline.evaluation is None:
        return None
    return record.evaluation.metrics["top1"] - baseline.evaluation.metrics["top1"]


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


def seeds_text(seeds: dict[str, int]) -> str:
    """The set's seed, then the axes that have another one: ``0, student=1``."""
    others = (f"{axis}={seed}" for axis, seed in seeds.items() if seed != seeds["set"])
    return ", ".join([str(seeds["set"]), *others])


def _seconds(record: Record) -> str:
    cost = record.cost
    assert cost is not None
    stages = {
        "proxy": cost.proxy_seconds,
        "teacher": cost.teacher_seconds,
        "selection": cost.selection_seconds,
        "synthesis": cost.synthesis_seconds,
        "labels": cost.label_seconds,
        "training": cost.training_seconds,
    }
    return ", ".join(f"{name} {value:.1f}" for name, value in stages.items() if value >= 0.05)


def _image_bytes(record: Record) -> str:
    cost = record.cost
    assert cost is not None
    names = {"stored": "PNG", "lossy": "JPEG q75", "recipe": "as a recipe"}
    return ", ".join(f"{names[key]} {value:,}" for key, value in cost.image_bytes.items() if value is not None)


def _label_bytes(record: Record) -> str:
    cost = record.cost
    assert cost is not None
    ratio = cost.label_ratio
    told = f" ({ratio:.3g} times the JPEG images)" if ratio and record.track != "hard" else ""
    return f"{cost.label_bytes:,}{told}"


def _teacher(record: Record) -> str:
    """Every teacher that was asked, how good it is, and whether the receiver needs it."""
    cost = record.cost
    assert cost is not None
    known: dict[str, dict[str, Any]] = record.notes.get("teachers", {})
    told = [
        f"{name}, top-1 {about['top1']:.2%}" if about["top1"] is not None else name for name, about in known.items()
    ]
    if cost.teacher_at_training:
        told.append(f"asked while training: {cost.teacher_bytes:,} bytes")
    return "; ".join(told)


def _receiver_bytes(record: Record) -> str:
    cost = record.cost
    assert cost is not None
    parts = "JPEG, labels and teacher" if cost.teacher_bytes else "JPEG and labels"
    return "" if cost.receiver_bytes is None else f"{cost.receiver_bytes:,} ({parts})"
