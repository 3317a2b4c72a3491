"""Protocols, studies, records and traces, by the readers of their own commands."""

from __future__ import annotations

from pathlib import Path

from rethinkdc.documents import parse_json
from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.inspection.commands import spell
from rethinkdc.inspection.findings import TextFinding, TraceFinding
from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.protocol.reading import STUDY_KEYS, load_protocol
from rethinkdc.protocol.toml_files import read_toml
from rethinkdc.reference import Reference
from rethinkdc.runs.records import MOST_BYTES, Records
from rethinkdc.storage import read_regular
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.reading import load_study
from rethinkdc.training.trace_folder import open_trace, read_source


def find_protocol(around: Surroundings) -> TextFinding:
    """Reads a protocol file."""
    protocol, file = load_protocol(around.path, around.runner.registry.view_ops.find), str(around.call.file)
    data = protocol.data
    return TextFinding(
        kind="protocol",
        command=spell("run", "--compressor", "random", protocol=file, dataset=around.call.dataset),
        about={
            "id": f"{protocol.id} v{protocol.version}",
            "labels": protocol.track,
            "status": protocol.status or "none stated",
            "digest": protocol.digest,
            "data": f"{data.classes} classes, {data.train or 'any'} training and {data.test or 'any'} test images",
            "store": f"{protocol.store.size} px",
            "student": str(protocol.student.model),
        },
    )


def find_study(around: Surroundings) -> TextFinding:
    """Reads a study file; that its runs resolve is what ``sweep --plan`` tells, and so is what does not."""
    study, file = load_study(str(around.path)), str(around.call.file)
    blocks = study.blocks()
    refused = ""
    try:
        changed = study.replaced(dataset=around.call.dataset, protocol=around.call.protocol)
        runs = f"{len(runs_of(changed, file, around.runner.registry, around.runner.cache)):,}"
    except RequestError as error:
        runs, refused = "not known", str(error)
    return TextFinding(
        kind="study",
        command=spell(
            "robust" if study.axes else "sweep", file, dataset=around.call.dataset, protocol=around.call.protocol
        ),
        refused=refused,
        about={
            **({"title": study.title} if study.title else {}),
            "runs": runs,
            **({"settings": str(study.family.design)} if study.family else {}),
            **({"includes": ", ".join(each.name for each in study.include)} if study.include else {}),
            "compressors": ", ".join(dict.fromkeys(str(made) for block in blocks for made in block.compressors)),
            "labelers": ", ".join(dict.fromkeys(name for block in blocks for name in block.labelers)),
        },
    )


def is_study(path: Path) -> bool:
    """Whether a TOML file is written as studies are; what cannot be read is told by whoever reads it."""
    try:
        content = read_toml(path, "file", "").content
    except RequestError:
        return False
    return any(key in content for key in STUDY_KEYS)


def is_record(path: Path) -> bool:
    """Whether a JSON file is written as records are."""
    try:
        content = parse_json(read_regular(path, MOST_BYTES))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"schema_version", "key", "status"} <= content.keys()


def find_record_file(around: Surroundings) -> TextFinding:
    """Reads a record."""
    try:
        record = Records(around.path.parent.parent).read(around.path)
    except RethinkError as error:
        raise RequestError(str(error)) from error
    names = record.names
    return TextFinding(
        kind="record",
        command=spell("show", str(around.call.file)),
        about={
            "run": f"{names.methods} on {names.dataset} ({names.protocol}, ipc {names.ipc})",
            "status": record.status + (f": {record.reason}" if record.reason else ""),
            "created": record.created,
            **{name: f"{value:.4g}" for name, value in record.results.items()},
        },
    )


def find_records(around: Surroundings) -> TextFinding:
    """Counts the records of a folder."""
    listed = list(Records(around.path).readable())
    ends = {status: sum(record.status == status for record in listed) for status in ("ok", "failed", "unsupported")}
    return TextFinding(
        kind="records",
        command=spell("leaderboard", records=str(around.call.file)),
        about={
            "attempts": ", ".join(f"{count:,} {status}" for status, count in ends.items() if count),
            "runs": f"{len({record.key for record in listed}):,}",
            "datasets": ", ".join(sorted({record.names.dataset for record in listed})),
            "protocols": ", ".join(sorted({record.names.protocol for record in listed})),
        },
    )


def find_trace(around: Surroundings) -> TraceFinding:
    """Opens a trace as ``el2n:trace=FOLDER`` does."""
    trace = open_trace(around.path, around.splits.train)
    source = read_source(around.path)
    return TraceFinding(
        taken=tuple(f"{key}: {source[key]}" for key in ("protocol", "dataset", "fingerprint") if source.get(key)),
        command=spell(
            "score",
            "--score",
            str(Reference(name="el2n", values={"trace": str(around.call.file)})),
            "--out",
            "SCORES",
            dataset=around.call.dataset,
        ),
        dataset=around.ground.dataset_name,
        rows=trace.rows,
        epochs=trace.epochs,
        clean_epochs=tuple(trace.clean_epochs),
        accuracy=trace.accuracy,
    )
