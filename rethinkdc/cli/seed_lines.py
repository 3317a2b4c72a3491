"""What ``rethinkdc run --seeds`` prints: a line for each seed, then what all of them say."""

from __future__ import annotations

from collections.abc import Sequence

from rethinkdc.cli.metric_text import name_metric, write_interval, write_signed, write_value
from rethinkdc.cli.saying import say
from rethinkdc.cli.tables import call_record, print_files_read, write_seconds
from rethinkdc.measurement import Metric
from rethinkdc.runs.comparison import BesideRandom
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import write_seeds
from rethinkdc.statistics import compare_pairs, describe


def write_seed(record: Record, records: Records, beside: BesideRandom | None, *, spent: float | None) -> str:
    """One line: seed, main metric, difference to ``random``, what it cost and took now, where the record is.

    Args:
        record: an ok one.
        records: where it lies.
        beside: it and ``random``; None = nothing to compare with.
        spent: seconds that it took now; None = it existed before.
    """
    metric = record.main_metric
    parts = [
        f"seed {write_seeds(record.definition.seeds)}",
        write_value(record.results[metric.name], metric.unit),
        "" if beside is None else f"{write_signed(beside.difference, metric)} to random",
        beside.mixed if beside else "",
        f"cost {write_seconds(record.cost, spent)}" if record.cost else "",
        f"{call_record(spent)} {records.path(record.key, record.attempt)}",
    ]
    return "  ".join(part for part in parts if part)


def print_seed(record: Record, records: Records, beside: BesideRandom | None, *, spent: float | None) -> None:
    """The line of a seed, and below it what makes its result doubtful."""
    say(write_seed(record, records, beside, spent=spent))
    for doubt in record.told.doubts:
        say(f"  doubtful: {doubt}")


def print_comparison(measured: Sequence[Record], beside: Sequence[BesideRandom | None], command: str) -> None:
    """What several seeds say together: mean and deviation, and the interval of the paired difference to ``random``.

    Args:
        measured: ok records that differ in seeds alone.
        beside: of each, it and ``random``.
        command: makes the runs of ``random`` that are not on record; empty where none are missing.
    """
    metric = measured[0].main_metric
    print_files_read(measured[0].told)
    values = ", ".join(_write_spread(measured, one) for one in measured[0].metrics)
    say(f"{_title(measured[0])}: {values} (mean, standard deviation)")
    pairs = [one.difference for one in beside if one is not None]
    if pairs:
        say(f"{_write_pairs(pairs, metric)} {_counted(measured)}")
    if mixed := list(dict.fromkeys(one.mixed for one in beside if one and one.mixed)):
        say(f"Machines are mixed, so that differences are not of the methods alone: {', or '.join(mixed)}.")
    if command:
        some = f" beside {len(measured) - len(pairs)} of the seeds" if pairs else ""
        say(f"No random is on record{some} under the same conditions. This makes it: {command}")


def _title(record: Record) -> str:
    names = record.names
    return f"{names.methods} on {names.dataset} ({names.protocol}, ipc {names.ipc})"


def _write_spread(measured: Sequence[Record], metric: Metric) -> str:
    spread = describe([record.results[metric.name] for record in measured])
    around = f" ± {write_value(spread.deviation, metric.unit)}" if spread.deviation is not None else ""
    return f"{name_metric(metric.name)} {write_value(spread.mean, metric.unit)}{around}"


def _write_pairs(pairs: list[float], metric: Metric) -> str:
    found = compare_pairs(pairs)
    if found.half_width is None:
        unit = " points" if metric.unit == "fraction" else ""
        why = "n = 1" if found.n == 1 else f"equal differences: n = {found.n}"
        return f"{write_signed(found.mean, metric)}{unit} against random; no interval of {why}"
    between = write_interval(found.mean, found.half_width, metric)
    mean = write_signed(found.mean, metric)
    return f"{between} against random under the same conditions (95 %, mean {mean}): n = {found.n}"


def _counted(measured: Sequence[Record]) -> str:
    """What n counts: of one set, whatever the seeds, the students."""
    fixed = measured[0].definition.compressor.kind == "set" or measured[0].definition.ipc is None
    return "students" if fixed or len({record.definition.seeds.set for record in measured}) == 1 else "sets"
