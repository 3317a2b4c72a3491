"""From what a user says of processes and engines to where the runs of a sweep are made."""

from __future__ import annotations

from pathlib import Path

from rethinkdc.contracts.engines import Engine
from rethinkdc.cores import AUTO
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.options import part_of
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.calls import Sweeping
from rethinkdc.studies.elsewhere import Elsewhere


def make_place(call: Sweeping) -> tuple[Runner, Elsewhere | None]:
    """The runner of a call that makes many runs, and the engine that makes them in its place; None = it does.

    Raises:
        RequestError: there is no such device, tracker or engine, or a package of it is missing.
    """
    elsewhere = None if call.engine is None else _elsewhere(call, call.engine)
    return make_runner(call, call, here=elsewhere is None), elsewhere


def _elsewhere(call: Sweeping, reference: str) -> Elsewhere | None:
    registry = Registry(cache_folder=Path(call.cache_dir) if call.cache_dir else None)
    registry.check_unambiguous(Engine.kind, reference)
    engine = registry.build(Engine, reference)
    engine.check()
    if not engine.here and call.jobs == AUTO:
        raise RequestError(
            f"--jobs auto counts the cores and devices of this machine, and --engine {engine.name} starts processes "
            "elsewhere. Give a number."
        )
    slots = engine.slots(call.processes)
    return None if engine.here else Elsewhere(engine, slots, part_of(call, Machine), part_of(call, Keeping))


__all__ = ["make_place"]
