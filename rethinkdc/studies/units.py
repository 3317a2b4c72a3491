"""Units of work: the runs of a sweep as one JSON file, off which any process that sees it can carry them out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rethinkdc.documents import parse_json
from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import AnyRequest, Keeping, Machine
from rethinkdc.runs.runner import Runner
from rethinkdc.runs.written import read_options, read_request, write_options, write_request
from rethinkdc.storage import read_regular, show_path, write_atomic
from rethinkdc.studies.needs import Need, needs_of
from rethinkdc.studies.standing import Standing

FORMAT = 1
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Unit:
    """One run, to be carried out by whoever comes.

    Attributes:
        key: of the run where it was planned; None where its set is still to be fetched.
        asked: what is to be run.
        needs: what it shares with other units.
    """

    key: str | None
    asked: AnyRequest
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class Workload:
    """Runs, and all that a process needs to carry them out.

    Attributes:
        units: the runs, in the order in which they are begun.
        machine: what computes, as the user says it; its device is looked for where a run is made.
        keeping: where results go, and what of them is kept.
        folder: what relative paths begin at.
        version: of rethinkdc, where it was planned.
        watched: whether somebody looks at what goes on inside runs.
    """

    units: tuple[Unit, ...]
    machine: Machine
    keeping: Keeping
    folder: Path
    version: str
    watched: bool = False


def plan_workload(
    standings: Sequence[Standing], runner: Runner, machine: Machine, keeping: Keeping, *, watched: bool = False
) -> Workload:
    """The workload of a sweep.

    Args:
        standings: what is to be run.
        runner: knows where cache and records are, and what the runs share.
        machine: what computes.
        keeping: what of the results is kept.
        watched: whether somebody looks at what goes on inside runs.
    """
    units = [
        Unit(
            None if standing.run.awaits_set else standing.run.key,
            standing.run.asked,
            needs_of(standing.run, runner.registry, runner.cache),
        )
        for standing in standings
    ]
    # Read again by whoever planned it, and by nobody else; nobody elsewhere watches.
    machine = replace(machine, cache_dir=runner.cache.root, rehash=False, progress=None)
    keeping = replace(keeping, records=Path(os.path.abspath(runner.records.folder)))  # noqa: PTH100 - links stay
    return Workload(tuple(units), machine, keeping, Path.cwd(), version("rethinkdc"), watched)


def write_workload(path: Path, workload: Workload) -> None:
    """Writes a workload as JSON; a unit takes a line.

    Raises:
        RequestError: a run holds what no file can hold.
        StorageError: it cannot be written.
    """
    head = {
        "format": FORMAT,
        "version": workload.version,
        "folder": str(workload.folder),
        "watched": workload.watched,
        "machine": write_options(workload.machine),
        "keeping": write_options(workload.keeping),
    }
    units = [json.dumps(_write_unit(unit)) for unit in workload.units]
    listed = ",\n".join(units)
    write_atomic(path, f'{json.dumps(head)[:-1]}, "units": [\n{listed}\n]}}\n'.encode(), "the units of the sweep")


def read_workload(path: Path) -> Workload:
    """Reads what :func:`write_workload` wrote.

    Raises:
        RequestError: there is no such file, or it is none that this version reads.
    """
    try:
        content = parse_json(read_regular(path, MOST_BYTES))
        found = content["format"]
        if found != FORMAT:
            raise RequestError(
                f"{show_path(path)} has units of the format {found}, and this version of rethinkdc reads {FORMAT}: "
                "install the same version on all hosts."
            )
        return Workload(
            units=tuple(map(_read_unit, content["units"])),
            machine=read_options(Machine, content["machine"]),
            keeping=read_options(Keeping, content["keeping"]),
            folder=Path(content["folder"]),
            version=str(content["version"]),
            watched=bool(content.get("watched")),
        )
    except OSError as error:
        raise RequestError(
            f"{show_path(path)} cannot be read: {error.strerror}. A sweep that has ended removes its units."
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(
            f"{show_path(path)} has no units of a sweep: {type(error).__name__}: {error}. `rethinkdc sweep STUDY "
            "--engine NAME` writes such files."
        ) from None


def _write_unit(unit: Unit) -> dict[str, Any]:
    return {"key": unit.key, **write_request(unit.asked), "needs": [asdict(need) for need in unit.needs]}


def _read_unit(content: Mapping[str, Any]) -> Unit:
    return Unit(content["key"], read_request(content), tuple(Need(**need) for need in content.get("needs", ())))


__all__ = ["Unit", "Workload", "plan_workload", "read_workload", "write_workload"]
