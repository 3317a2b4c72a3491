"""The command that makes what a method is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from rethinkdc.cli.command_text import spell_command
from rethinkdc.cli.options import SeveralSeeds
from rethinkdc.runs.calls import RunCall
from rethinkdc.runs.ground import resolve_ground, training_layout
from rethinkdc.runs.options import part_of
from rethinkdc.runs.record import Record
from rethinkdc.runs.request import Request
from rethinkdc.runs.runner import Runner


@dataclass(frozen=True)
class _Random(RunCall, SeveralSeeds):
    """A run of ``random``, as it is typed."""


def command_of_random(command: SeveralSeeds, missing: list[Record], runner: Runner) -> str:
    """What makes the runs of ``random`` beside these records; empty where nothing is to be compared with them.

    Args:
        command: what asked for them.
        missing: records of one method that have no ``random`` beside them.
        runner: knows the dataset.
    """
    if not missing or missing[0].definition.ipc is None or missing[0].definition.compressor.is_random:
        return ""
    definition = missing[0].definition
    axis = (command.seeds_text or "").rpartition("=")[0]
    seeds = ",".join(str(getattr(record.definition.seeds, axis or "set")) for record in missing)
    random = part_of(
        command,
        _Random,
        compressor="random",
        # A finished set brings the protocol that it was made under.
        protocol=command.protocol if isinstance(command, Request) else missing[0].names.protocol.rpartition(" v")[0],
        ipc=definition.ipc if definition.images is None else None,
        keep=None if definition.images is None else _share(command, definition.images, runner),
        seeds_text=f"{axis}={seeds}" if axis else seeds,
        preview=None,
        force=None,
    )
    return spell_command("run", random)


def _share(command: SeveralSeeds, images: int, runner: Runner) -> float:
    """The share of the training set that so many images are."""
    ground = resolve_ground(
        runner.registry,
        runner.cache,
        dataset=command.dataset,
        protocol=command.protocol,
        seeds=command.all_seeds[0],
        backing=command.backing,
        tune=isinstance(command, Request) and command.tune,
    )
    return images / (training_layout(ground).train or images)
