"""Tasks of Ray, on a cluster that is there or one that is started here: https://docs.ray.io."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from rethinkdc.contracts import STOPS, Command, Crew, Engine, Method, RequestError, hookimpl, last_words

_LOCAL = "local"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PASSED = ("RETHINKDC_", "PYTHON", "HF_", "TORCH_", "OMP_", "MKL_", "CUBLAS_")
"""Beginnings of the variables of the environment that tasks on other hosts get."""


class Ray(Engine):
    """Tasks of Ray, each a process that makes one run after another; they end with the sweep.

    Without an address a Ray is started here for the sweep, with room for what --jobs says.
    """

    name: ClassVar[str] = "ray"

    address: str = Field(default=_LOCAL, description="Of a cluster, as HOST:PORT or auto; local = one is started here.")
    cpus: float = Field(default=1.0, gt=0, description="CPU cores that a task asks for.")
    gpus: float = Field(default=0.0, ge=0, description="GPUs that a task asks for; 0.5 = two tasks share one.")
    grows: bool = Field(
        default=False, description="Whether the cluster adds nodes when tasks ask for more than it has."
    )
    retries: int = Field(default=10, ge=0, description="How often Ray starts a task again whose process or node died.")

    _ours: bool = PrivateAttr(default=False)

    def check(self) -> None:
        if find_spec("ray") is None:
            raise RequestError(
                "The engine ray needs the package ray, which is not installed: pip install 'rethinkdc[ray]'."
            )
        if os.environ.get("RETHINKDC_OFFLINE", "0") not in ("", "0"):
            raise RequestError(
                "Ray speaks over sockets, and --offline opens none. HF_HUB_OFFLINE=1 in the environment keeps this "
                "sweep from the hub; or use --shard, or --engine submitit."
            )

    def start(self, command: Sequence[str], count: int, folder: Path) -> Crew:
        import ray

        self._connect(count)
        try:
            self._check_room(ray.cluster_resources(), count)
            task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries)(carry_out)
            passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED)}
            words = json.dumps({"command": list(command), "folder": str(folder), "environment": passed})
            return _RayCrew([task.remote(words) for _ in range(count)], folder, ends_ray=self._ours)
        except RequestError:
            if self._ours:
                ray.shutdown()
            raise

    def _connect(self, count: int) -> None:
        import ray

        if ray.is_initialized():
            return
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        # Ray's own handlers end a process at once, where the sweep's let it keep its work.
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            if self.address == _LOCAL:
                ray.init(address=_LOCAL, num_cpus=math.ceil(count * self.cpus), include_dashboard=False, **quiet)
            else:
                ray.init(address=self.address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RequestError(
                f"No Ray can be had at {self.address}: {str(error).strip().splitlines()[0]} `ray status` on a host of "
                "the cluster tells whether it runs; without an address one is started here."
            ) from None
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        self._ours = True

    def _check_room(self, found: dict[str, float], count: int) -> None:
        if self.grows:
            return
        for name, each in (("GPU", self.gpus), ("CPU", self.cpus)):
            if count * each > found.get(name, 0.0):
                raise RequestError(
                    f"ray:{name.lower()}s={each:g} with --jobs {count} needs {count * each:g} {name}s, and the Ray at "
                    f"{self.address} has {found.get(name, 0.0):g}. Ask for fewer, or say ray:grows=true if it adds "
                    "nodes."
                )


def carry_out(words: str) -> int:
    """What a task does: it runs a command line, given as JSON, until it ends; returns its exit code."""
    asked = json.loads(words)
    with Command(asked["command"], Path(asked["folder"]), asked["environment"]) as running:
        code = running.wait()
    assert code is not None
    return code


class _RayCrew(Crew):
    def __init__(self, tasks: list[Any], folder: Path, *, ends_ray: bool) -> None:
        self._tasks, self._folder, self._ends_ray = tasks, folder, ends_ray

    def running(self) -> int:
        return len(self._going())

    def said(self) -> str:
        import ray

        if told := last_words(self._folder):
            return told
        going = self._going()
        try:
            ray.get([task for task in self._tasks if task not in going])
        except ray.exceptions.RayError as error:
            return str(error).strip().splitlines()[-1]
        return ""

    def stop(self) -> None:
        import ray

        until = time.monotonic() + STOPS
        while self._going() and time.monotonic() < until:
            time.sleep(0.1)
        for task in self._going():
            ray.cancel(task, force=True)
        if self._ends_ray:
            ray.shutdown()

    def _going(self) -> list[Any]:
        import ray

        if not ray.is_initialized():
            return []
        return list(ray.wait(self._tasks, num_returns=len(self._tasks), timeout=0)[1])


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the engine ``ray``."""
    return [Ray]
