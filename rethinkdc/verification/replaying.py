"""A run on record, trained again beside its record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from rethinkdc import interruption
from rethinkdc.errors import DivergedError, RethinkError
from rethinkdc.runs.calls import Machine, VerifyCall
from rethinkdc.runs.definition import Definition
from rethinkdc.runs.kept_files import Beside
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.prediction_files import read_arrays
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run
from rethinkdc.runs.runner import Runner
from rethinkdc.verification.results import Difference, Outcome, Replay, near

TOLERANCE = 0.005
"""What another machine may change of a metric: half a point of a fraction, half a percent of any other number."""
_KEEP = re.compile(r"\bkeep (?P<share>[^ ,)]+)")
_COMPARED = ("device", "device_name", "cpu", "threads", "ranks", "python", "platform")
_SHOWN = 8


@dataclass(frozen=True)
class Replayer:
    """Trains runs again, each into a folder of records that is gone afterwards.

    Attributes:
        call: where data lies and artefacts are kept.
        folder: of what is written meanwhile.
    """

    call: VerifyCall
    folder: Path

    def replay(self, record: Record, place: Path) -> Replay:
        """Trains a run again on the kind of device and with the threads that its record tells of.

        Args:
            record: of the run, which is not changed.
            place: the folder that it lies in.
        """
        if record.status != "ok":
            return _not(f"it has no result ({record.status})")
        try:
            runner = self._runner(record)
            request = _request_of(record, self.call)
            run = resolve_run(request, runner.registry, runner.cache)
            if run.key != record.key:
                differing = _differing(record.definition, run.definition)
                return _not(f"here it would be another run, with another {differing}")
            again, _ = runner.run(request, force="student")
        except DivergedError as error:
            return Replay("different", reason=f"it diverges here: {error}")
        except Exception as error:
            interruption.persist()
            return _not(str(error) if isinstance(error, RethinkError) else f"{type(error).__name__}: {error}")
        return _compare(record, place, again, runner.records.folder / again.key)

    def _runner(self, record: Record) -> Runner:
        machine = Machine(
            cache_dir=self.folder / "cache" if self.call.from_scratch else self.call.cache_dir,
            device=record.environment.get("device") or None,
            workers=self.call.workers,
            threads=record.environment.get("threads") or 1,
            progress=self.call.progress,
        )
        runner = make_runner(machine)
        return replace(runner, records=Records(self.folder / "records"), beside=Beside(predictions=True, sheet=False))


@contextmanager
def replayer(call: VerifyCall) -> Iterator[Replayer]:
    """What trains runs again; all that it writes beside the cache is gone afterwards."""
    with TemporaryDirectory(prefix="rethinkdc-replay-") as folder:
        yield Replayer(call, Path(folder))


def _request_of(record: Record, call: VerifyCall) -> Request:
    """What was asked for, as far as the record tells it: the key says whether that is all."""
    names, definition = record.names, record.definition
    if definition.compressor.kind == "set":
        raise RethinkError(
            f"its set, {names.compressor}, was made elsewhere, and the record does not tell where it lies; evaluate it "
            "again with `rethinkdc evaluate SET --force`"
        )
    keep = _KEEP.search(names.ipc)
    return Request(
        names.compressor,
        labeler=names.labeler,
        evaluator=names.evaluator,
        dataset=call.dataset or names.dataset,
        protocol=call.protocol or names.protocol.rpartition(" v")[0],
        student=names.student,
        ipc=definition.ipc if definition.images is None else None,
        keep=float(keep["share"]) if keep and definition.images is not None else None,
        seed=definition.seeds,
        tune=definition.tune,
        overrides=record.told.overrides,
    )


def _differing(recorded: Definition, resolved: Definition) -> str:
    """The parts of two definitions that are not the same."""
    one, other = (definition.model_dump(mode="json") for definition in (recorded, resolved))
    parts = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    hint = " (name the data with --dataset)" if "dataset" in parts else ""
    return " and ".join(parts) + hint


def _compare(record: Record, place: Path, again: Record, there: Path) -> Replay:
    apart = {
        metric.name: Difference(record.results[metric.name], again.results[metric.name])
        for metric in record.metrics
        if metric.name in again.results
    }
    changed, images = _changed(record, place, again, there)
    outcome: Outcome = "different"
    if record.result_digest == again.result_digest:
        outcome = "bit-equal"
    elif len(apart) == len(record.metrics) and all(near(one, apart[one.name], TOLERANCE) for one in record.metrics):
        outcome = "within tolerance"
    environment = tuple(_apart(record.environment, again.environment))
    plugins = tuple(_apart_versions(record.plugins, again.plugins))
    return Replay(outcome, "", apart, changed, images, environment + plugins)


def _changed(record: Record, place: Path, again: Record, there: Path) -> tuple[int | None, int | None]:
    """Test images for which another class is named, and how many there are."""
    try:
        before, after = (
            read_arrays(kept, folder)["predicted"].astype(np.int64)
            for kept, folder in ((record.predictions, place), (again.predictions, there))
            if kept is not None
        )
    except (RethinkError, ValueError):
        return None, None
    return (int((before != after).sum()), len(before)) if len(before) == len(after) else (None, None)


def _apart(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for name in _COMPARED:
        # Before ranks trained together, records did not say how many there were.
        before, now = (one.get(name, 1 if name == "ranks" else "unknown") for one in (recorded, here))
        if before != now:
            yield f"{name} {now} for {before}"
    yield from _apart_versions(recorded.get("versions"), here.get("versions"))
    commits = ((one.get("git") or {}) if isinstance(one.get("git"), dict) else {} for one in (recorded, here))
    made, found = (str(one.get("commit") or "none")[:_SHOWN] for one in commits)
    if made != found:
        yield f"commit {found} for {made}"


def _apart_versions(recorded: Any, here: Any) -> Iterator[str]:
    before, now = (one if isinstance(one, dict) else {} for one in (recorded, here))
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield f"{name} {now.get(name, 'none')} for {before.get(name, 'none')}"


def _not(reason: str) -> Replay:
    return Replay("not replayed", reason=reason)
