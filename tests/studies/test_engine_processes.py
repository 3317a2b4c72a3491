"""Sweeps over real engines, whose processes are warned, run out of time, are killed or are left: the same records."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rethinkdc.runs.records import Records
from tests.plugins import slurm

pytestmark = pytest.mark.slow

COUNTING = """
import os
import time
from typing import ClassVar

import torch
from pydantic import Field

from rethinkdc.contracts import CompressedSet, Compressor, Method, hookimpl


class Counting(Compressor):
    '''Canvases whose grey is counted up, with a line in a file for each step; one waits until its process must end.'''

    name: ClassVar[str] = "counting"

    steps: int = Field(default=8, description="Steps of a part.")

    def compress(self, data, budget, context):
        def make(index):
            kept = context.resumable("steps", every=0.0)
            step = (kept.restore() or {"step": 0})["step"]
            while step < self.steps:
                time.sleep(float(os.environ["SECONDS_OF_A_STEP"]))
                step += 1
                with open(os.environ["STEPS"], "a") as file:
                    file.write(f"{context.seeds.set} {index} {step}\\n")
                kept.keep(lambda: {"step": step}, done=step)
                if step == int(os.environ["WAITS_AT"]) and not os.path.exists(os.environ["STEPS"] + ".waited"):
                    open(os.environ["STEPS"] + ".waited", "x")
                    while True:
                        time.sleep(0.01)
                        kept.keep(lambda: {"step": step}, done=step)
            images = torch.full((budget.ipc, 3, budget.size, budget.size), step * 9 + index, dtype=torch.uint8)
            return {"canvases": images, "targets": torch.full((budget.ipc,), index)}

        return CompressedSet.of_canvases(context.parts(budget.classes, make), data.class_names)


@hookimpl
def register_methods() -> list[type[Method]]:
    return [Counting]
"""
STUDY = """
dataset = "digits"
compressors = ["counting", "random"]
seeds = [0, 1]
[overrides]
training.steps = 5
"""
needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="submitit is not installed: pip install 'rethinkdc[slurm]'"
)
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install 'rethinkdc[ray]'"
)
Sweep = Callable[..., "subprocess.Popen[str]"]
Digests = dict[str, list[str | None]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the method that counts, as it is installed."""
    site = tmp_path_factory.mktemp("site")
    about = site / "counting-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rethinkdc]\ncounting = counting_plugin\n")
    (site / "counting_plugin.py").write_text(COUNTING)
    return site


def start_sweep(home: Path, site: Path, *words: str, seconds: float, waits_at: int = 0) -> subprocess.Popen[str]:
    """Starts a sweep of the study, with steps of so many seconds; the first to come so far waits to be interrupted."""
    (home / "study.toml").write_text(STUDY)
    (home / "steps").touch()
    own = {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH")))),
        "STEPS": str(home / "steps"),
        "SECONDS_OF_A_STEP": str(seconds),
        "WAITS_AT": str(waits_at),
        # What a machine that others use leaves of its memory is no matter of these tests.
        "RAY_memory_monitor_refresh_ms": "0",
    }
    common = ["study.toml", "--device", "cpu", "--cache-dir", "cache", "--records", "records"]
    return subprocess.Popen(
        [sys.executable, "-m", "rethinkdc", "sweep", *common, *words],
        cwd=home,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def sweep(tmp_path: Path, site: Path) -> Iterator[Sweep]:
    """Starts a sweep in a folder of the test; what still runs at its end is killed."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: str, seconds: float = 0.05, waits_at: int = 0) -> subprocess.Popen[str]:
        begun.append(start_sweep(tmp_path, site, *words, seconds=seconds, waits_at=waits_at))
        return begun[-1]

    yield start
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def alone(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Digests:
    """The result digests of one process."""
    home = tmp_path_factory.mktemp("alone")
    ended(start_sweep(home, site, "--jobs", "1", seconds=0.0))
    made = digests(home / "records")
    assert len(made) == 4
    return made


def ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=540)
    assert process.returncode == 0, said
    return said


def digests(records: Path) -> Digests:
    """The result digests of all attempts, by run."""
    kept = Records(records)
    return {folder.name: [one.result_digest for one in kept.attempts(folder.name)] for folder in records.iterdir()}


def wait_until(found: Callable[[], object], process: subprocess.Popen[str]) -> None:
    while not found():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def counted(home: Path) -> Counter[str]:
    """How often each step was made."""
    return Counter((home / "steps").read_text().splitlines())


def workers(home: Path) -> list[int]:
    """The processes that take units, by their journals."""
    return [int(file.stem.split("-")[-2]) for file in (home / "cache").glob("sweeps/*/journals/*.jsonl")]


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def busy(home: Path) -> int:
    """The process that makes a set, once it has made some steps."""
    return workers(home)[0] if len(counted(home)) > 3 and workers(home) else 0


# -- submitit ------------------------------------------------------------------------------------------------------


@needs_submitit
def test_a_job_that_is_preempted_goes_on_from_where_it_was(tmp_path: Path, sweep: Sweep, alone: Digests) -> None:
    running = sweep("--jobs", "1", "--engine", "submitit:cluster=local")
    wait_until(lambda: busy(tmp_path), running)
    os.kill(parent_of(busy(tmp_path)), signal.SIGUSR2)
    said = ended(running)
    assert "4 ok" in said
    # Another process took up what the first left, at the step that was kept.
    assert len(workers(tmp_path)) == 0
    assert max(counted(tmp_path).values()) == 1
    assert digests(tmp_path / "records") == alone


@needs_submitit
def test_a_job_whose_time_is_up_goes_on_in_its_next(tmp_path: Path, sweep: Sweep, alone: Digests) -> None:
    """One run waits until its job is warned."""
    said = ended(sweep("--jobs", "2", "--engine", "submitit:cluster=local,minutes=2,warning=60", waits_at=5))
    assert "4 ok" in said
    assert (tmp_path / "steps.waited").exists()
    assert max(counted(tmp_path).values()) == 1
    assert digests(tmp_path / "records") == alone


@needs_submitit
def test_jobs_of_a_cluster_are_left_on_an_interruption_and_joined_afterwards(
    tmp_path: Path, sweep: Sweep, alone: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = slurm.install(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    words = ("--engine", "submitit:array=2", "--jobs", "2")
    first = sweep(*words, seconds=0.2)
    wait_until(lambda: busy(tmp_path), first)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 130, said
    assert "2 jobs of SLURM are left as they are, waiting or running: `squeue -j 100` shows them" in said
    assert "`scancel 100` ends them" in said
    assert "4 ok" in ended(sweep(*words, seconds=0.2))
    assert max(counted(tmp_path).values()) == 1
    assert digests(tmp_path / "records") == alone


@needs_submitit
def test_a_preempted_job_of_a_cluster_is_queued_again(
    tmp_path: Path, sweep: Sweep, alone: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = slurm.install(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    running = sweep("--engine", "submitit", "--jobs", "1")
    wait_until(lambda: busy(tmp_path), running)
    worker = busy(tmp_path)
    # As SLURM does: every process of the step hears it.
    for process in (parent_of(worker), worker):
        os.kill(process, signal.SIGUSR2)
    assert "4 ok" in ended(running)
    assert len(list((programs / "state").glob("*.queued-again"))) == 1
    assert max(counted(tmp_path).values()) == 1
    assert digests(tmp_path / "records") == alone


# -- Ray -----------------------------------------------------------------------------------------------------------


@needs_ray
@pytest.mark.parametrize("victim", ["the worker of Ray", "the process of the run"])
def test_a_process_that_is_killed_under_ray_is_replaced(
    tmp_path: Path, sweep: Sweep, alone: Digests, victim: str
) -> None:
    running = sweep("--jobs", "2", "--engine", "ray")
    wait_until(lambda: busy(tmp_path), running)
    worker = busy(tmp_path)
    os.kill(parent_of(worker) if "Ray" in victim else worker, signal.SIGKILL)
    assert "4 ok" in ended(running)
    # A step may be made whose state a kill takes.
    assert sum(counted(tmp_path).values()) <= 2 * 10 * 8 + 1
    assert digests(tmp_path / "records") == alone


@needs_ray
def test_gpus_of_a_ray_that_has_none_are_refused(sweep: Sweep) -> None:
    running = sweep("--jobs", "2", "--engine", "ray:gpus=1")
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 2
    assert "ray:gpus=1 with --jobs 2 needs 2 GPUs, and the Ray at local has 0." in said
    assert "Traceback" not in said


@needs_ray
def test_an_interrupted_sweep_ends_the_ray_that_it_started(tmp_path: Path, sweep: Sweep) -> None:
    running = sweep("--jobs", "2", "--engine", "ray", seconds=0.5)
    wait_until(lambda: busy(tmp_path), running)
    worker = busy(tmp_path)
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 143, said
    assert "Kept: " in said
    assert not Path(f"/proc/{worker}").exists()
    assert not list((tmp_path / "records").glob("*/*.json"))
    assert list((tmp_path / "cache" / "sweeps").iterdir()) == []


# -- a sweep that is killed ----------------------------------------------------------------------------------------


@needs_submitit
def test_jobs_go_on_when_the_sweep_is_killed(tmp_path: Path, sweep: Sweep, alone: Digests) -> None:
    running = sweep("--jobs", "2", "--engine", "submitit:cluster=local")
    wait_until(lambda: busy(tmp_path), running)
    running.kill()
    running.wait()
    until = time.monotonic() + 540
    while len(list((tmp_path / "records").glob("*/*.json"))) < 4:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert digests(tmp_path / "records") == alone
    assert max(counted(tmp_path).values()) == 1


@needs_ray
def test_tasks_of_ray_end_with_their_work_kept_when_the_sweep_is_killed(
    tmp_path: Path, sweep: Sweep, alone: Digests
) -> None:
    running = sweep("--jobs", "2", "--engine", "ray", seconds=0.5)
    wait_until(lambda: busy(tmp_path), running)
    begun = workers(tmp_path)
    running.kill()
    running.wait()
    until = time.monotonic() + 120
    while any(Path(f"/proc/{worker}").exists() for worker in begun):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "4 ok" in ended(sweep("--jobs", "1"))
    assert max(counted(tmp_path).values()) == 1
    assert digests(tmp_path / "records") == alone


# -- shards --------------------------------------------------------------------------------------------------------


def test_four_shards_at_one_time_make_the_records_of_one_process(tmp_path: Path, sweep: Sweep, alone: Digests) -> None:
    shards = [sweep("--shard", f"{number}/4") for number in range(4)]
    for shard in shards:
        assert "1 ok" in ended(shard)
    assert digests(tmp_path / "records") == alone


def test_a_shard_that_is_killed_harms_no_other(tmp_path: Path, sweep: Sweep, alone: Digests) -> None:
    shards = [sweep("--shard", f"{number}/2", seconds=0.2) for number in range(2)]
    wait_until(lambda: len({line.split()[0] for line in counted(tmp_path)}) == 2, shards[0])
    os.killpg(shards[0].pid, signal.SIGKILL)
    assert "2 ok" in ended(shards[1])
    assert "2 ok" in ended(sweep("--shard", "0/2", seconds=0.2))
    assert digests(tmp_path / "records") == alone
