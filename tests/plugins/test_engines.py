"""Engines before anything is started: what they need, what they ask a cluster for, and what they refuse."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rethinkdc.contracts import Command, Engine, last_words
from rethinkdc.errors import RequestError
from rethinkdc.plugins.engines import ray as ray_module
from rethinkdc.plugins.engines import submitit as submitit_module
from rethinkdc.plugins.engines.local import Local
from rethinkdc.plugins.engines.ray import Ray
from rethinkdc.plugins.engines.submitit import Submitit
from tests.plugins import slurm

COMMAND = [sys.executable, "-c", "pass"]


@pytest.mark.parametrize(
    ("engine", "line"),
    [(Submitit(), r"package submitit.*pip install 'rethinkdc\[slurm\]'"), (Ray(), r"pip install 'rethinkdc\[ray\]'")],
)
def test_an_engine_without_its_extra_prints_the_line_that_installs_it(
    engine: Engine, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (submitit_module, ray_module):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=line):
        engine.check()


def test_the_local_engine_has_as_many_slots_as_jobs() -> None:
    assert Local().here
    assert Local().slots(3) == 3


def test_an_array_says_how_many_slots_there_are() -> None:
    assert Submitit().slots(4) == 4
    assert Submitit(array=16).slots(1) == Submitit(array=16).slots(16) == 16
    with pytest.raises(RequestError, match="--jobs 4 and submitit:array=16 both say how many jobs"):
        Submitit(array=16).slots(4)


# -- SLURM ---------------------------------------------------------------------------------------------------------

needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="submitit is not installed: pip install 'rethinkdc[slurm]'"
)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a SLURM whose programs come first."""
    folder = slurm.install(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "state"


@needs_submitit
def test_where_there_is_no_slurm_the_engine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError, match=r"no SLURM here: sbatch is not found.*submitit:cluster=local"):
        Submitit().start(COMMAND, 1, tmp_path)


@needs_submitit
def test_jobs_ask_for_what_the_engine_is_given(cluster: Path, tmp_path: Path) -> None:
    engine = Submitit(
        partition="gpu",
        minutes=89.5,
        gpus=1,
        cpus=8,
        memory=1.5,
        account="lab",
        qos="long",
        constraint="h200",
        warning=60,
    )
    crew = engine.start(COMMAND, 3, tmp_path)
    (script,) = cluster.glob("*.sh")
    asked = {line.removeprefix("#SBATCH --") for line in script.read_text().splitlines() if line.startswith("#SBATCH")}
    assert asked >= {
        "array=0-2%3",
        "partition=gpu",
        "time=90",
        "gpus-per-node=1",
        "cpus-per-task=8",
        "mem=1536MB",
        "account=lab",
        "qos=long",
        "constraint=h200",
        "signal=USR2@60",
        "job-name=rethinkdc",
    }
    assert crew.leave() == (
        "3 jobs of SLURM are left as they are, waiting or running: `squeue -j 100` shows them, `scancel 100` ends them."
    )
    crew.stop()


@needs_submitit
def test_what_slurm_refuses_is_told_in_its_words(cluster: Path, tmp_path: Path) -> None:
    (cluster / "refusal").write_text("Requested node configuration is not available")
    with pytest.raises(RequestError, match=r"SLURM refused the jobs: .*configuration is not available.*`sinfo"):
        Submitit(gpus=8).start(COMMAND, 1, tmp_path)


@needs_submitit
def test_gpus_that_this_machine_has_not_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(RequestError, match="gpus=1 with 2 jobs needs 2 GPUs, and this machine has 1"):
        Submitit(cluster="local", gpus=1).start(COMMAND, 2, tmp_path)


@needs_submitit
def test_a_job_that_takes_the_place_of_another_gets_the_device_that_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    given: list[tuple[int, ...]] = []
    ended: list[bool] = []

    class Executor:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def update_parameters(self, *, visible_gpus: tuple[int, ...], **_: object) -> None:
            given.append(visible_gpus)

        def submit(self, _: object) -> Any:
            number = len(ended)
            ended.append(False)
            return SimpleNamespace(done=lambda: ended[number])

    monkeypatch.setattr("submitit.LocalExecutor", Executor)
    engine = Submitit(cluster="local", gpus=1)
    engine.start(COMMAND, 3, tmp_path)
    with pytest.raises(RequestError, match="needs 1 GPUs, and this machine has 3, 3 of them taken by jobs that go on"):
        engine.start(COMMAND, 1, tmp_path)
    ended[1] = True
    engine.start(COMMAND, 1, tmp_path)
    assert given == [(0,), (1,), (2,), (1,)]


# -- Ray -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "found", "said"),
    [
        (Ray(gpus=1), {"CPU": 8.0}, "ray:gpus=1 with --jobs 2 needs 2 GPUs, and the Ray at local has 0"),
        (Ray(cpus=4), {"CPU": 6.0}, "ray:cpus=4 with --jobs 2 needs 8 CPUs, and the Ray at local has 6"),
        (Ray(gpus=0.75), {"CPU": 2.0, "GPU": 1.0}, r"gpus=0\.75 with --jobs 2 needs 1\.5 GPUs.*has 1\."),
    ],
)
def test_a_cluster_that_has_less_than_is_asked_for_is_refused(engine: Ray, found: dict[str, float], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        engine._check_room(found, 2)
    engine.model_copy(update={"grows": True})._check_room(found, 2)


# -- commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[str], Command]:
    """Runs a line of Python as an engine's command."""
    return lambda line: Command([sys.executable, "-S", "-u", "-c", line], tmp_path)


def test_a_command_ends_where_its_block_ends_and_leaves_its_last_words(
    asked: Callable[[str], Command], tmp_path: Path
) -> None:
    with asked("print('ready', flush=True); import time; time.sleep(600)") as running:
        while not last_words(tmp_path):
            assert running.wait(0.01) is None
    assert running.wait() == -15
    assert last_words(tmp_path) == "ready"


def test_the_last_words_are_those_of_whoever_said_something(tmp_path: Path) -> None:
    for place, (name, text) in enumerate({"a": "first\n\n", "b": "no room\nhere\n\n\n\n", "c": "", "d": "\n"}.items()):
        log = tmp_path / f"{name}.log"
        log.write_text(text)
        os.utime(log, (place, place))
    assert last_words(tmp_path) == "no room here"


def test_a_command_says_how_it_ended(asked: Callable[[str], Command], tmp_path: Path) -> None:
    with asked("import sys; print('one'); sys.exit(3)") as running:
        assert running.wait() == 3
    with asked("import os; print(os.getsid(0) == os.getpid())") as running:
        assert running.wait() == 0
    assert last_words(tmp_path) == "one True"
