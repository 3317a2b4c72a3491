"""Rules of work that is killed, and of work that two ranks do together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from safetensors.torch import save_file

from rethinkdc.registry.stamps import is_in_memory
from rethinkdc.testing.case import Case
from rethinkdc.testing.child import ANSWER, DATA, JOB, Answer, Job
from rethinkdc.testing.child import RANKS as TWO
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.verdicts import BrokenError, NotApplicableError, require

_PATIENCE = 1800.0
"""Seconds after which a child hangs."""
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from rethinkdc.testing.child import main; from "
_PROGRAM += "pathlib import Path; main(Path(sys.argv[1]))"
_NEVER = frozenset({"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"})


def _kills(case: Case) -> str:
    if not case.first.watch.asked:
        raise NotApplicableError("it keeps no work in parts, chunks or states: a kill begins it anew, alike")
    if not hasattr(os, "fork"):
        raise NotApplicableError("this system forks no processes")
    if any(is_in_memory(plugin.entry_point) for plugin in case.bench.registry.plugins.installed if plugin.methods):
        raise NotApplicableError("its module lies in no file, and no other process can import it")
    answer = _ask(case, ranks=False)
    require(not answer.error, f"after a kill it fails: {answer.error}", differs="resume")
    if not answer.moments:
        raise NotApplicableError("no work was kept while it was tried")
    places = ", ".join(str(kill + 1) for kill in answer.kills)
    told = f"killed at the moments {places} of {answer.moments} and begun again"
    said = f"it differs in {', '.join(answer.differs)}; a state holds all that the next step needs, optimisers too"
    require(not answer.differs, f"{told}, {said}", differs=_names(answer))
    return told


def _ranks(case: Case) -> str:
    answer = _ask(case, ranks=True)
    require(not answer.error, f"as {TWO} ranks it fails: {answer.error}", differs="ranks")
    require(
        not answer.differs,
        f"{TWO} ranks make another {', '.join(answer.differs)} than one process",
        differs=_names(answer),
    )
    return f"shared: {', '.join(answer.asked)}"


def _names(answer: Answer) -> str:
    return ", ".join(answer.differs)


def _ask(case: Case, *, ranks: bool) -> Answer:
    """What the child answers that tries the method again and again."""
    place = case.bench.new_folder()
    place.mkdir(parents=True)
    _write_job(case, place, ranks=ranks)
    environment = {key: value for key, value in os.environ.items() if key not in _NEVER} | {"OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(place), json.dumps(sys.path)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise BrokenError(f"it hangs: it had not ended after {_PATIENCE:g} s", differs="hangs") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if not (place / ANSWER).is_file():
        told = said.strip().splitlines() or [f"exit code {child.returncode}"]
        raise NotApplicableError(f"the process that tries it could not begin: {told[-1]}")
    return Answer.model_validate_json((place / ANSWER).read_text(encoding="utf-8"))


def _write_job(case: Case, place: Path, *, ranks: bool) -> None:
    data, registry = case.data, case.bench.registry
    job = Job(
        modules=tuple(plugin.module for plugin in registry.plugins.installed if plugin.entry_point.dist is None),
        kind=case.kind,
        reference=case.label,
        ipc=case.bench.ipc,
        protocol=case.bench.protocol.model_dump(mode="json"),
        class_names=data.class_names,
        fingerprint=data.fingerprint,
        ranks=ranks,
    )
    pixels = data.pixels.permute(0, 2, 3, 1).contiguous()
    save_file({"pixels": pixels, "targets": data.targets}, place / DATA)
    (place / JOB).write_text(job.model_dump_json(), encoding="utf-8")


KILLS: Rule[Case] = Rule(
    "kills",
    "Killed at any moment and begun again it makes what it makes undisturbed.",
    _kills,
    ("works", "repeats"),
    long=True,
)
RANKS: Rule[Case] = Rule(
    "ranks", "Two ranks make what one process makes.", _ranks, ("works", "repeats", "kills"), long=True
)
