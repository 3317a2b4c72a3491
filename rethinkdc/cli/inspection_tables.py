"""What is printed of an inspection: what is in a file, and then each thing that it can be used as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from rethinkdc.cli.saying import say
from rethinkdc.cli.tables import write_pixels
from rethinkdc.cli.text_table import escape
from rethinkdc.inspection.findings import (
    DatasetFinding,
    Finding,
    Inspection,
    Part,
    RowsFinding,
    ScoresFinding,
    SetFinding,
    TextFinding,
    TraceFinding,
    WeightsFinding,
)
from rethinkdc.inspection.sets import DOUBTFUL
from rethinkdc.inspection.triage import Triage
from rethinkdc.inspection.weighing import Evidence

_console = Console()
_PARTS = 12
_NAMES = 10
_TRIED = 5

_TITLES = {
    "dataset": "a dataset",
    "set": "a finished set",
    "rows": "a list of rows",
    "scores": "scores",
    "trace": "the trace of a proxy",
    "weights": "weights of a network",
    "protocol": "a protocol",
    "study": "a study",
    "record": "a record",
    "records": "a folder of records",
}


def print_inspection(found: Inspection) -> None:
    """Prints what was found; commands stand on lines of their own, where nothing cuts them short."""
    size = "a folder" if found.bytes is None else f"{found.bytes:,} bytes"
    kinds = " or ".join(_TITLES[each.kind] for each in found.findings)
    say(f"{found.file}: {kinds} ({size})")
    if found.parts:
        _print_parts(found.parts)
    for each in found.findings:
        _print_finding(each)
    if len(found.findings) > 1:
        say("Which it is, the command that uses it says; --as KIND tells of one alone.")
    for kind, reason in found.refused.items():
        # Of tensors it is plain what they are not.
        plain = found.parts and kind in ("weights", "set")
        why = f"; --as {kind} says why" if plain else f": {reason.removeprefix(f'{found.file}: ')}"
        say(f"not {_TITLES[kind]}{why}")
    if found.preview:
        say(f"picture: {found.preview}")


def _print_parts(parts: Sequence[Part]) -> None:
    table = Table("part", "type", "shape", "range", box=None, padding=(0, 2, 0, 0))
    for part in parts[:_PARTS]:
        shape = " x ".join(map(str, part.shape))
        table.add_row(escape(part.name or "(alone)"), part.dtype, shape, escape(_range(part)))
    _console.print(table)
    if len(parts) > _PARTS:
        say(f"and {len(parts) - _PARTS:,} more parts (--json lists all)")


def _range(part: Part) -> str:
    known = part.value if part.low is None or part.high is None else f"{part.low:g} to {part.high:g}"
    missing = f"{part.missing:,} empty or not finite" if part.missing else ""
    return "; ".join(each for each in (known, missing) if each)


def _print_finding(found: Finding) -> None:
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (*_rows(found), ("taken", _taken(found)), ("ignored", "\n".join(found.ignored))):
        if value:
            table.add_row(name, escape(value))
    say(f"As {_TITLES[found.kind]}")
    if table.row_count:
        _console.print(table)
    for warning in found.warnings:
        say(f"warning: {warning.rstrip('.')}.")
    if found.refused:
        say(f"refused: {found.refused}")
    if isinstance(found, SetFinding) and found.triage:
        _print_triage(found.triage)
    say(f"use: {found.command}")


def _taken(found: Finding) -> str:
    """What its parts were taken for; what readers warn of stands below the table."""
    return "\n".join(each for each in found.taken if not each.startswith(DOUBTFUL))


def _rows(found: Finding) -> Iterator[tuple[str, str]]:
    if isinstance(found, DatasetFinding):
        yield "images", f"{found.train:,} training, {found.test:,} test"
        yield "classes", _classes(found.class_names, found.per_class)
        yield "sizes", _sizes(found)
        yield "order of rows", found.order
        yield "protocol", found.protocol
        yield "fingerprint", found.fingerprint[:12]
    elif isinstance(found, SetFinding):
        yield from _rows_of_set(found)
    elif isinstance(found, RowsFinding):
        yield "rows", f"{found.rows:,} of {found.dataset}, {_spread(found.per_class)} of each class"
        yield "weights", "" if found.weights is None else f"{found.weights[0]:g} to {found.weights[1]:g}"
        yield "order", found.order
    elif isinstance(found, ScoresFinding):
        yield (
            "scores",
            f"{found.rows:,} of {found.dataset}, {found.low:g} to {found.high:g}, {found.distinct:,} different",
        )
        yield "order", found.order
    elif isinstance(found, TraceFinding):
        yield "trace", f"{found.epochs} epochs of {found.rows:,} rows of {found.dataset}"
        yield "clean epochs", ", ".join(map(str, found.clean_epochs))
        yield "proxy", f"top-1 {found.accuracy:.2%} on training rows"
    elif isinstance(found, WeightsFinding):
        yield "weights", f"{found.parameters:,} numbers in {found.tensors} tensors of {', '.join(found.dtypes)}"
        yield "classes", "" if found.classes is None else f"{found.classes}, by its last matrix"
        yield "fits", "\n".join(found.models)
    elif isinstance(found, TextFinding):
        yield from found.about.items()


def _sizes(found: DatasetFinding) -> str:
    """Height x width of the images that were decoded, the most frequent first; of many sizes the least and largest."""
    decoded, kinds = sum(found.sizes.values()), list(found.sizes.items())
    of = "" if decoded == found.train else f"; {decoded:,} of {found.train:,} were decoded"
    if len(kinds) <= _NAMES:
        return ", ".join(f"{size} px ({count:,})" for size, count in kinds) + of
    heights, widths = zip(*(map(int, size.split(" x ")) for size, _ in kinds), strict=True)
    ranges = f"{min(heights):,} to {max(heights):,} px high, {min(widths):,} to {max(widths):,} px wide"
    return f"{len(kinds):,}: {ranges}{of}"


def _rows_of_set(found: SetFinding) -> Iterator[tuple[str, str]]:
    yield "method", found.method
    yield "source", found.source
    if found.images is not None:
        yield "images", f"{found.images:,} of {found.size} px, {_spread(found.per_class)} of each class"
        yield "classes", _classes(found.class_names, found.per_class)
    yield "class order", found.classes
    yield "pixels", write_pixels(found.pixels) if found.pixels else ""
    yield "labels", "learned soft labels" if found.soft_labels else ""
    yield "student lr", "" if found.student_lr is None else f"{found.student_lr:g}"
    yield "fits", f"{found.dataset} under {found.protocol}" if found.dataset else ""


def _print_triage(triage: Triage) -> None:
    known = "" if triage.teacher_top1 is None else f", top-1 {triage.teacher_top1:.2%} on test images"
    say(f"teacher: {triage.teacher}{known}; shown {triage.images:,} images or cells of the set")
    table = Table("if it is", "top-1", "95 %", "loss", "p", box=None, padding=(0, 2, 0, 0))
    for each in (triage.stated, *triage.tried[:_TRIED]):
        table.add_row(escape(each.name), *_figures(each))
    _console.print(table)
    if len(triage.tried) > _TRIED:
        say(f"and {len(triage.tried) - _TRIED} more that fit less (--json lists all)")
    if triage.declared_order is not None and triage.fitted_order is not None:
        say(
            f"class order, on {triage.judged:,} images that it was not fitted to: as assumed "
            f"{triage.declared_order:.1%}, fitted {triage.fitted_order:.1%} (p = {triage.order_chance:.2g})"
        )
    say(triage.told)


def _figures(each: Evidence) -> tuple[str, str, str, str]:
    chance = "" if each.chance is None else f"{each.chance:.2g}"
    return f"{each.top1:.1%}", f"{each.low:.0%} to {each.high:.0%}", f"{each.loss:.3g}", chance


def _classes(names: Sequence[str], counts: Sequence[int]) -> str:
    empty = sum(not count for count in counts)
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    none = f"; {empty:,} without an image" if empty else ""
    return f"{len(names):,}: {', '.join(names[:_NAMES])}{more}{none}"


def _spread(counts: Sequence[int]) -> str:
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
