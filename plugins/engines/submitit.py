"""Jobs of SLURM, submitted as an array: https://github.com/facebookincubator/submitit."""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from rethinkdc.contracts import STOPS, Command, Crew, Engine, Method, RequestError, hookimpl, last_words

if TYPE_CHECKING:
    from submitit import Job
    from submitit.helpers import DelayedSubmission

_WARNED = 60.0
"""Seconds within which SLURM asks a job to go on elsewhere after it has warned its processes."""


class Submitit(Engine):
    """Jobs of SLURM, as an array; one whose time is up, or that is preempted, is queued again and goes on.

    When the sweep is interrupted they are left: their runs end on record. With cluster=local the jobs are processes of
    this machine under the same rules, which end with the sweep.
    """

    name: ClassVar[str] = "submitit"

    cluster: Literal["slurm", "local"] = Field(default="slurm", description="slurm, or local to try the same here.")
    partition: str | None = Field(default=None, description="Partition of the jobs; none = the cluster's default.")
    minutes: float = Field(default=60.0, gt=0, description="Time of a job, after which it is queued again.")
    array: int | None = Field(default=None, ge=1, description="Jobs of the array; none = what --jobs says.")
    gpus: int = Field(default=0, ge=0, description="GPUs of a job; a run uses one.")
    cpus: int = Field(default=1, ge=1, description="CPU cores of a job.")
    memory: float | None = Field(default=None, gt=0, description="Memory of a job in GB; none = the cluster's default.")
    account: str | None = Field(default=None, description="Account that pays; none = yours.")
    qos: str | None = Field(default=None, description="Quality of service; none = the cluster's default.")
    constraint: str | None = Field(default=None, description="Features that the nodes must have; none = any.")
    warning: int = Field(default=90, ge=1, description="Seconds before its end at which a job begins to keep its work.")
    requeues: int = Field(default=100, ge=0, description="How often a job goes on whose time was up.")

    _taken: list[tuple[Any, tuple[int, ...]]] = PrivateAttr(default_factory=list)

    def check(self) -> None:
        if find_spec("submitit") is None:
            raise RequestError(
                "The engine submitit needs the package submitit, which is not installed: "
                "pip install 'rethinkdc[slurm]'."
            )

    def slots(self, jobs: int) -> int:
        if self.array is not None and jobs not in (1, self.array):
            raise RequestError(f"--jobs {jobs} and submitit:array={self.array} both say how many jobs. Give one.")
        return self.array or jobs

    def start(self, command: Sequence[str], count: int, folder: Path) -> Crew:
        function = Resumed(tuple(command), str(folder))
        here = self.cluster == "local"
        jobs = self._start_here(function, count, folder) if here else self._submit(function, count, folder)
        return _SubmititCrew(jobs, folder, here=here)

    def _submit(self, function: Resumed, count: int, folder: Path) -> list[Job[int]]:
        import submitit

        if lacking := [program for program in ("sbatch", "srun", "scontrol") if shutil.which(program) is None]:
            raise RequestError(
                f"There is no SLURM here: {lacking[0]} is not found. Start the sweep on a login node of the cluster, "
                "or try it on this machine with submitit:cluster=local."
            )
        executor = submitit.SlurmExecutor(folder, max_num_timeout=self.requeues)
        wanted = {
            "partition": self.partition,
            "gpus_per_node": self.gpus or None,
            "mem": None if self.memory is None else f"{math.ceil(self.memory * 1024)}MB",
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
        }
        executor.update_parameters(
            job_name="rethinkdc",
            time=math.ceil(self.minutes),
            cpus_per_task=self.cpus,
            signal_delay_s=self.warning,
            array_parallelism=count,
            **{name: value for name, value in wanted.items() if value is not None},
        )
        try:
            with executor.batch():
                jobs = [executor.submit(function) for _ in range(count)]
        except submitit.core.utils.FailedJobError as error:
            raise RequestError(
                f"SLURM refused the jobs: {' '.join(str(error).split())}. Ask for what the cluster has: "
                f"`sinfo -o '%P %l %c %m %G'` lists its partitions with their times, cores, memory and GPUs."
            ) from None
        return jobs

    def _start_here(self, function: Resumed, count: int, folder: Path) -> list[Job[int]]:
        import submitit

        free = self._free_gpus(count)
        jobs = []
        for number in range(count):
            own = tuple(free[number * self.gpus : (number + 1) * self.gpus])
            executor = submitit.LocalExecutor(folder, max_num_timeout=self.requeues)
            executor.update_parameters(
                timeout_min=self.minutes,
                signal_delay_s=self.warning,
                gpus_per_node=self.gpus,
                visible_gpus=own,
            )
            jobs.append(executor.submit(function))
            self._taken.append((jobs[-1], own))
        return jobs

    def _free_gpus(self, count: int) -> list[int]:
        """The GPUs of this machine that no job of the sweep has which goes on."""
        import torch

        taken = {gpu for job, own in self._taken if own and not job.done() for gpu in own}
        found, needed = torch.cuda.device_count(), count * self.gpus
        free = [gpu for gpu in range(found) if gpu not in taken]
        if needed > len(free):
            others = f", {len(taken)} of them taken by jobs that go on" if taken else ""
            raise RequestError(
                f"submitit:gpus={self.gpus} with {count} jobs needs {needed} GPUs, and this machine has "
                f"{found}{others}. Ask for fewer, or leave gpus out."
            )
        return free


class Resumed:
    """A command line as a job, strings alone: when it must make room it keeps its work, and starts again later.

    Args:
        command: program and arguments.
        folder: for its log.
    """

    def __init__(self, command: tuple[str, ...], folder: str) -> None:
        self.command, self.folder = command, folder

    def __call__(self) -> int:
        with Command(self.command, Path(self.folder)) as running:
            _running.append(running)
            code = running.wait()
        assert code is not None
        if code in (-signal.SIGTERM, 128 + signal.SIGTERM):
            # SLURM warns all processes of a job; the signal that asks this one to go on elsewhere comes later.
            time.sleep(_WARNED)
        return code

    def checkpoint(self) -> DelayedSubmission:
        """Ends the command with its work kept; returns what the job is when it is queued again."""
        from submitit.helpers import DelayedSubmission

        for running in _running:
            running.end()
        return DelayedSubmission(Resumed(self.command, self.folder))


_running: list[Command] = []
"""What this process runs; no part of a job as it is written."""


class _SubmititCrew(Crew):
    """Jobs, which outlive whoever submitted them to a cluster."""

    def __init__(self, jobs: list[Job[int]], folder: Path, *, here: bool) -> None:
        self._jobs, self._folder, self._here = jobs, folder, here

    def running(self) -> int:
        return len(self._going())

    def said(self) -> str:
        if told := last_words(self._folder):
            return told
        going = self._going()
        return next((told for job in self._jobs if job not in going and (told := _last_line(job.stderr()))), "")

    def leave(self) -> str:
        if self._here:
            return ""
        going = self._going()
        numbers = sorted({job.job_id.partition("_")[0] for job in going})
        return (
            f"{len(going)} jobs of SLURM are left as they are, waiting or running: `squeue -j {','.join(numbers)}` "
            f"shows them, `scancel {' '.join(numbers)}` ends them."
        )

    def stop(self) -> None:
        until = time.monotonic() + STOPS
        while self._going() and time.monotonic() < until:
            time.sleep(0.1)
        for job in self._going():
            job.cancel(check=False)

    def _going(self) -> list[Job[int]]:
        return [job for job in self._jobs if not job.done()]


def _last_line(text: Any) -> str:
    lines = (text or "").strip().splitlines()
    return lines[-1] if lines else ""


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the engine ``submitit``."""
    return [Submitit]
