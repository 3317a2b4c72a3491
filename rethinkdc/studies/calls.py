"""What ``sweep`` takes: a study, the machine, and what becomes of the results. Imports nothing heavy."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rethinkdc.choices import Backing
from rethinkdc.cores import count_jobs, read_count
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.options import Option, Options

if TYPE_CHECKING:
    from rethinkdc.studies.study import Study


@dataclass(frozen=True)
class StudyRequest(Options):
    """A study, and what takes the place of its own values."""

    study: Annotated[
        "str | Path | Study",
        Option("A study file (.toml), or the name of a shipped study.", argument="study", typed=str),
    ]
    dataset: Annotated[str | None, Option("Name, folder or hub id in place of the study's.", short="-d")] = field(
        default=None, kw_only=True
    )
    protocol: Annotated[str | None, Option("Protocol id or TOML file in place of the study's.", short="-p")] = field(
        default=None, kw_only=True
    )
    backing: Annotated[
        Backing | None, Option("How images are held, in place of the study's: auto, decoded or encoded.")
    ] = field(default=None, kw_only=True)
    seeds: Annotated[
        str | None, Option("In place of the study's: 0,1,2 moves all axes, student=0,1,2 one of them.")
    ] = field(default=None, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class Sweeping(Keeping, Machine):
    """What every call takes that makes many runs: the machine, what becomes of results, and which processes."""

    jobs: Annotated[
        int | str,
        Option(
            "Processes side by side; results do not depend on it. auto: as many as cores and memory carry, on CUDA one "
            "for each device.",
            short="-j",
            typed=str,
            read=partial(read_count, "--jobs"),
        ),
    ] = 1
    engine: Annotated[
        str | None,
        Option(
            "Engine whose processes make the runs, e.g. ray or submitit:partition=gpu,minutes=240,gpus=1; default: "
            "local, processes of this one. Results do not depend on it."
        ),
    ] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "jobs", read_count("--jobs", self.jobs))
        super().__post_init__()

    @property
    def processes(self) -> int:
        """How many processes work side by side."""
        if isinstance(self.jobs, int):
            return self.jobs
        return count_jobs(self.device, self.threads if isinstance(self.threads, int) else 1)


@dataclass(frozen=True, kw_only=True)
class SweepCall(Sweeping, StudyRequest):
    """What ``sweep`` takes."""

    shard: Annotated[
        str | None,
        Option(
            "Make one part of so many, counted from 0, on machines that know nothing of each other, as in a job array: "
            "--shard $SLURM_ARRAY_TASK_ID/16."
        ),
    ] = None
    retry_unsupported: Annotated[bool, Option("Also try again what was unsupported.")] = False
