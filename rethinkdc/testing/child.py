"""A process that tries one method again and again in children of its own: killed at any moment, or as two ranks.

It imports everything, computes nothing, and forks: so a child costs no import, and its threads are its own. It is
started with the job's file, and writes its answer beside it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from rethinkdc import ranks
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.runs.device import deterministic
from rethinkdc.seeds import Seeds
from rethinkdc.storage import load_tensors, write_atomic
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.case import Case
from rethinkdc.testing.comparing import digest_result
from rethinkdc.testing.making import MAKERS, comparable
from rethinkdc.testing.surroundings import registry_with

ANSWER = "answer.json"
JOB = "job.json"
DATA = "data.safetensors"
ROUNDS = 3
"""Tries that are killed."""
RANKS = 2
_MADE = "tries"
"""Kind of what a compressor makes in a try."""


class Job(BaseModel):
    """What is tried.

    Attributes:
        modules: of plugins that are not installed.
        kind: of the method.
        reference: of the method.
        ipc: images per class.
        protocol: the shortened one, as JSON data.
        class_names: of the data, which lies beside the job.
        fingerprint: of the data.
        ranks: whether two ranks do it, rather than one process that is killed.
    """

    model_config = ConfigDict(frozen=True)

    modules: tuple[str, ...]
    kind: str
    reference: str
    ipc: int
    protocol: dict[str, Any]
    class_names: tuple[str, ...]
    fingerprint: str
    ranks: bool


class Answer(BaseModel):
    """What came of it.

    Attributes:
        asked: what keeps work over kills that the method asked for.
        moments: at which it may be killed.
        kills: at which moments it was.
        differs: fields that are others than those of one process that nobody killed.
        error: what a child raised.
    """

    asked: tuple[str, ...] = ()
    moments: int = 0
    kills: tuple[int, ...] = ()
    differs: tuple[str, ...] = ()
    error: str = ""


class _Told(BaseModel):
    """What one child says at its end: a digest of each field."""

    fields: dict[str, str] = {}
    asked: tuple[str, ...] = ()
    moments: int = 0
    error: str = ""


def main(place: Path) -> None:
    """Does the job that lies in a folder."""
    job = Job.model_validate_json((place / JOB).read_text(encoding="utf-8"))
    case = _open(job, place)
    answer = _as_ranks(case, place) if job.ranks else _killed(case, place)
    write_atomic(place / ANSWER, answer.model_dump_json().encode())


def _open(job: Job, place: Path) -> Case:
    registry, held = registry_with(*job.modules), load_tensors(place / DATA)
    data = DecodedImages(held["pixels"].permute(0, 3, 1, 2), held["targets"], job.class_names, job.fingerprint)
    bench = Bench(registry, place, data, Protocol.model_validate(job.protocol), job.ipc, "cpu")
    return Case(registry.build(job.kind, job.reference), bench)


def _killed(case: Case, place: Path) -> Answer:
    whole = _wait(_begin(case, place / "whole"), place / "whole")
    if whole.error or not whole.moments:
        return Answer(asked=whole.asked, error=whole.error)
    draws, kills = random.Random(case.label), list[int]()
    for at in sorted(draws.sample(range(whole.moments), min(ROUNDS, whole.moments))):
        folder = place / f"killed-{at}"
        kills.append(at)
        _wait(_begin(case, folder, at), folder)
        again = _wait(_begin(case, folder), folder)
        if again.error or again.fields != whole.fields:
            return Answer(
                asked=whole.asked,
                moments=whole.moments,
                kills=tuple(kills),
                differs=_differing(whole, again),
                error=again.error,
            )
    return Answer(asked=whole.asked, moments=whole.moments, kills=tuple(kills))


def _as_ranks(case: Case, place: Path) -> Answer:
    whole = _wait(_begin(case, place / "whole"), place / "whole")
    if whole.error:
        return Answer(error=whole.error)
    # What all share is trained once: two processes train it alike but for the order of sums.
    shutil.copytree(place / "whole" / "cache", place / "ranks" / "cache", ignore=lambda *_: [_MADE, "work", "locks"])
    shared = {"WORLD_SIZE": str(RANKS), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    folders = [place / "ranks" / f"rank-{rank}" for rank in range(RANKS)]
    begun = [
        _begin(case, place / "ranks", environment={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, out=folder)
        for rank, folder in enumerate(folders)
    ]
    told = [_wait(process, folder) for process, folder in zip(begun, folders, strict=True)]
    if errors := [one.error for one in told if one.error]:
        return Answer(asked=whole.asked, error=errors[0])
    wrong = next((one for one in told if one.fields != whole.fields), None)
    return Answer(asked=whole.asked, differs=_differing(whole, wrong) if wrong else ())


def _differing(one: _Told, other: _Told) -> tuple[str, ...]:
    return tuple(key for key in one.fields | other.fields if one.fields.get(key) != other.fields.get(key))


def _begin(
    case: Case,
    folder: Path,
    at: int | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    out: Path | None = None,
) -> int:
    """Forks a child that tries the method in ``folder``, and is killed at a moment; gives its process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process:
        return process
    os.environ.update(environment or {})
    told = _Told()
    try:
        told = _try(case, folder, at)
        ranks.leave()
    except BaseException:
        told = _Told(error=traceback.format_exc(limit=-3).strip().splitlines()[-1])
    finally:
        write_atomic((out or folder) / ANSWER, told.model_dump_json().encode())
        os._exit(0)


def _try(case: Case, folder: Path, at: int | None) -> _Told:
    passed = 0

    def moment() -> None:
        nonlocal passed
        if passed == at:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    asked = case.ask(folder, case.data, Seeds())
    asked.context.watch.moment = moment
    with deterministic(torch.device("cpu")):
        fields = comparable(MAKERS[case.kind](asked), asked)
    digests = {key: digest_result(value) for key, value in fields.items()}
    return _Told(fields=digests, asked=tuple(sorted(asked.context.watch.asked)), moments=passed)


def _wait(process: int, folder: Path) -> _Told:
    _, status = os.waitpid(process, 0)
    answer = folder / ANSWER
    if os.waitstatus_to_exitcode(status) == 0 and answer.is_file():
        return _Told.model_validate_json(answer.read_text(encoding="utf-8"))
    return _Told(error=f"its process ended with {os.waitstatus_to_exitcode(status)}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
