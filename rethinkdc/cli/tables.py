"""What commands print."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from rethinkdc.cli.json_output import document
from rethinkdc.cli.metric_text import name_metric, write_difference, write_value
from rethinkdc.cli.saying import say
from rethinkdc.cli.text_table import escape
from rethinkdc.notes import Notes, PixelsNote
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.registry import Registry
from rethinkdc.runs.comparison import difference_to_random
from rethinkdc.runs.cost import Cost, order_stages
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.runs.schemas import KEEPS_PREDICTIONS
from rethinkdc.seeds import write_seeds

_console = Console()


def print_json(value: Any) -> None:
    """Prints JSON to stdout, and nothing else."""
    print(json.dumps(value, indent=1), file=document())


def print_record(record: Record, records: Records) -> None:
    """A record as its run was printed; one without a result with the reason."""
    if record.results:
        print_run(record, records, spent=None)
        return
    names = record.names
    title = f"{names.methods} on {names.dataset} ({names.protocol}, ipc {names.ipc})"
    say(f"{title}: {record.status}: {record.reason}")


def print_run(record: Record, records: Records, *, spent: float | None) -> None:
    """The result of one run: its metrics, what each stage cost, bytes, where the record is.

    Args:
        record: of the run.
        records: where it lies.
        spent: seconds that it took now; None = it existed before.
    """
    cost, names, notes = record.cost, record.names, record.told
    if not record.results or cost is None:
        return
    # Above the table, whose width would fold it.
    say(f"{names.methods} on {names.dataset} ({names.protocol}, ipc {names.ipc})")
    table = Table(show_header=False)
    marks = [mark for mark, on in (("modified protocol", record.modified), ("tuning split", record.tune)) if on]
    for name, value in [
        *((name_metric(one.name), write_value(record.results[one.name], one.unit)) for one in record.metrics),
        ("seeds", write_seeds(record.definition.seeds)),
        ("cost", _by_stage(cost, spent)),
        ("image bytes", _image_bytes(cost)),
        ("label bytes", _label_bytes(cost, record.track)),
        ("teacher", _teacher(cost, notes)),
        ("weights read", _teacher_weights(notes)),
        ("receiver bytes", _receiver_bytes(cost, len(record.histogram))),
        ("source", notes.source),
        ("read", "\n".join(notes.reading)),
        ("learned", "\n".join(notes.learned)),
        ("classes", notes.classes),
        ("pixels", write_pixels(notes.pixels) if notes.pixels else ""),
        ("files", notes.files.tell()),
        ("external data", ", ".join(notes.external_data)),
        ("predictions", "" if record.predictions else _tell_unkept(record)),
        ("marks", ", ".join(marks)),
    ]:
        if value:
            table.add_row(name, escape(value))
    _console.print(table)
    print_files_read(notes)
    derived = notes.derived_protocol
    # A file that began as a derived protocol may have been changed since.
    if derived and derived.id in DERIVED:
        say(
            f"The protocol {derived.id} was derived from the data: {derived.size} px, "
            f"{derived.model}. `rethinkdc new-protocol NAME --from {derived.id} --dataset D "
            "--out FILE` writes it, each value with its rule."
        )
    for doubt in notes.doubts:
        say(f"Doubtful: {doubt}")
    # Outside the table, where no column cuts it short.
    say(f"{call_record(spent)}: {records.path(record.key, record.attempt)}")


def print_files_read(notes: Notes) -> None:
    """What files of rows and scores were taken for, and what makes that doubtful."""
    for read in notes.files_read:
        say(f"read {read.file}: {'; '.join(read.taken)}; order: {read.order}")
        for warning in read.warnings:
            say(f"warning: {read.file}: {warning}.")


def print_beside_random(record: Record, records: Records, registry: Registry) -> None:
    """How much better than ``random`` a run is, where that is on record under the same conditions."""
    beside = difference_to_random(record, records, registry)
    if beside is not None:
        told = write_difference(beside.difference, record.main_metric)
        mixed = f", but for the machine: {beside.mixed}" if beside.mixed else ""
        _console.print(f"{told} than random under the same conditions{mixed}")


def write_seconds(cost: Cost, spent: float | None) -> str:
    """``41.0 s (12.0 s now)``: shared parts cost what their making took, whenever that was."""
    now = "" if spent is None else f" ({spent:.1f} s now)"
    return f"{sum(cost.seconds.values()):.1f} s{now}"


def call_record(spent: float | None) -> str:
    """What the place of a record is headed by."""
    return "existing record" if spent is None else "record"


def _by_stage(cost: Cost, spent: float | None) -> str:
    """``41.0 s (12.0 s now): teacher 30.0, training 11.0``."""
    stages = [stage for stage in order_stages(cost.seconds) if cost.seconds[stage] >= 0.05]
    told = ", ".join(f"{stage} {cost.seconds[stage]:.1f}" for stage in stages)
    return write_seconds(cost, spent) + (f": {told}" if told else "")


def _image_bytes(cost: Cost) -> str:
    names = {"stored": "PNG", "lossy": "JPEG q75", "recipe": "as a recipe"}
    return ", ".join(f"{names[key]} {value:,}" for key, value in cost.image_bytes.items() if value is not None)


def _label_bytes(cost: Cost, track: str) -> str:
    ratio = cost.label_ratio
    beside = f" ({ratio:.3g} times the JPEG images)" if ratio and track != "hard" else ""
    return f"{cost.label_bytes:,}{beside}"


def _teacher(cost: Cost, notes: Notes) -> str:
    """Every teacher that was asked, how good it is, and whether the receiver needs it."""
    facts = [
        name if about.top1 is None else f"{name}, top-1 {about.top1:.2%}" for name, about in notes.teachers.items()
    ]
    if cost.teacher_at_training:
        facts.append(f"asked while training: {cost.teacher_bytes:,} bytes")
    return "; ".join(facts)


def _tell_unkept(record: Record) -> str:
    """Why no predictions lie beside a record; nothing of those that are written today without."""
    if record.written_as >= KEEPS_PREDICTIONS:
        return "none kept"
    return f"none: written under schema {record.written_as}"


def write_pixels(loss: PixelsNote) -> str:
    """What storing float images as bytes did to them."""
    taken = "taken as 0..1"
    if loss.mean is not None and loss.std is not None:
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (loss.mean, loss.std))
        taken = f"times std {std} plus mean {mean}"
    clamped = f"{loss.clamped:.1%} clamped, by up to {loss.clamp_error:.3g} of 1"
    return f"{taken}; {clamped}; rounded by up to {loss.rounding_error:.2g}"


def _teacher_weights(notes: Notes) -> str:
    """What was chosen, renamed and left out when weights were read from files."""
    told = {name: about.weights for name, about in notes.teachers.items() if about.weights}
    return "\n".join(
        f"{name}: {'; '.join(lines)}" if len(told) > 1 else "; ".join(lines) for name, lines in told.items()
    )


def _receiver_bytes(cost: Cost, classes: int) -> str:
    if cost.receiver_bytes is None:
        return ""
    parts = "JPEG, labels and teacher" if cost.teacher_bytes else "JPEG and labels"
    each = f"; {cost.receiver_bytes / classes:,.0f} per class" if classes else ""
    return f"{cost.receiver_bytes:,} ({parts}{each})"
