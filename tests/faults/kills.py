"""Kills and interrupts commands at random moments, lets later ones finish, and compares with undisturbed runs.

``python tests/faults/kills.py --rounds 1000 --ledger kills.jsonl`` begins a series, or goes on with it: each round
follows from the seed and its number alone, and the ledger says which are done. This process imports everything,
computes nothing and forks each command, so that a round costs a second or two. Every process runs in a group of its
own, which is killed whole; the moments lie in the length of the undisturbed command, so that most kills hit.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import datasets  # noqa: F401 - so that no child has to
import torch._dynamo  # noqa: F401 - the optimisers import it when they are first used

import rethinkdc.api
import rethinkdc.cli.tables
import rethinkdc.studies.sweep  # noqa: F401 - so that no child has to
from rethinkdc.cli.main import main as rethinkdc_main
from rethinkdc.registry.registry import Registry
from rethinkdc.runs import machine  # noqa: F401 - so that no child has to

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from tests.faults.shims import keep_chunks, shorten  # noqa: E402
from tests.ranks.launching import free_port  # noqa: E402
from tests.small import write_digits, write_short_protocol  # noqa: E402

PATIENCE = 60.0
"""Seconds after which a command that should have finished hangs."""
STOPS = 7.0
"""Seconds within which a command that is asked to end does."""
SENT = (*[signal.SIGKILL] * 4, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What a strike is drawn from."""
LATEST = 0.9
"""Share of the undisturbed length up to which commands are killed: later most have ended."""
UNEQUAL = ("about.json", "manifest.json")
"""Files of an artefact that hold seconds and memory, or digests of such a file."""
TRACES = (".making-*", ".damaged-*", "*.incomplete", "rethinkdc-*", "checkpoint.pt", "part-*.sealed")
"""What no ended command may leave behind below its place; what a killed one was writing goes an hour later."""


OF_STUDENTS = (": metrics", ": predictions", ": result_digest")
"""Facts of a record that come of a training."""


class Scene(NamedTuple):
    """A command, or several for ranks, that is killed.

    ``way``: ``run`` in one process, ``sweep`` with two workers, ``ranks`` of which there are two.
    """

    way: str
    protocol: str
    argv: tuple[str, ...]


DM, DC, SRE2L = "dm:iterations=4,batch=16", "dc:iterations=4,batch=16", "sre2l:iterations=6"
SCENES = {
    "pca": Scene("run", "hard", ("run", "-c", "pca")),
    "tdds": Scene("run", "hard", ("run", "-c", "tdds:direction=hard")),
    "dm": Scene("run", "hard", ("run", "-c", DM)),
    "dc": Scene("run", "hard", ("run", "-c", DC)),
    "rded": Scene("run", "soft", ("run", "-c", "rded", "--labeler", "soft-static")),
    "sre2l": Scene("run", "soft", ("run", "-c", SRE2L, "--labeler", "soft")),
    "edc": Scene("run", "soft", ("run", "-c", "edc:iterations=4,teachers=[trained]", "--labeler", "soft-mse-gt")),
    "stored": Scene("run", "soft", ("run", "-c", "random", "--labeler", "soft-stored")),
    "k-center": Scene("run", "hard", ("run", "-c", "k-center")),
    "deepfool": Scene("run", "hard", ("run", "-c", "deepfool:direction=hard,iterations=3")),
    "lpld": Scene("run", "soft", ("run", "-c", "lpld:iterations=4", "--labeler", "soft-topk")),
    "sweep": Scene("sweep", "hard", ("sweep", "hard.toml", "--jobs", "2")),
    "sweep-soft": Scene("sweep", "soft", ("sweep", "soft.toml", "--jobs", "2")),
    "ranks": Scene("ranks", "hard", ("run", "-c", DM)),
    "ranks-k-center": Scene("ranks", "hard", ("run", "-c", "k-center")),
    "ranks-soft": Scene("ranks", "soft", ("run", "-c", SRE2L, "--labeler", "soft-stored")),
}
STUDIES = {
    "hard": f'compressors = ["el2n:direction=easy", "{DM}", "random"]\nipc = [1]\nseeds = [0]\n',
    "soft": f'compressors = ["rded", "{SRE2L}"]\nlabelers = ["soft-stored"]\nipc = [1]\nseeds = [0]\n',
}


# -- processes -----------------------------------------------------------------------------------------------------


@dataclass
class Child:
    """``rethinkdc`` in a forked process, which leads a process group of its own."""

    process: int
    out: Path
    code: int | None = None

    def over(self) -> bool:
        """Whether it has ended."""
        if self.code is None:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if ended else None
        return self.code is not None

    def finish(self) -> int:
        """Its exit code; one that hangs is killed."""
        since = time.monotonic()
        while not self.over():
            if time.monotonic() - since > PATIENCE:
                self.send(signal.SIGKILL)
            time.sleep(0.005)
        assert self.code is not None
        return self.code

    def send(self, sent: signal.Signals) -> None:
        """Sends a signal to its group, whatever the group is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, sent)

    @property
    def said(self) -> str:
        """What it wrote to stderr."""
        return self.out.with_suffix(".err").read_text() if self.out.with_suffix(".err").exists() else ""


@dataclass
class Place:
    """A cache, records and temporary files of their own, and the commands that used them."""

    folder: Path
    data: Path
    every: float | None = None
    children: list[Child] = field(default_factory=list)

    def start(self, scene: Scene, **environment: str) -> Child:
        """Starts the command; an extra environment makes it a rank."""
        out = self.folder / f"out-{len(self.children)}.txt"
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        argv = [
            *scene.argv,
            *("--dataset", str(self.data / "digits"), "--protocol", str(self.data / f"{scene.protocol}-protocol.toml")),
            *("--cache-dir", str(self.folder / "cache"), "--records", str(self.folder / "records")),
            *("--device", "cpu", "--json"),
        ]
        process = os.fork()
        if process == 0:
            os.setpgid(0, 0)
            self._run(argv, out, {"TMPDIR": str(self.folder / "tmp"), **environment})
        # Both sides, since either may come first.
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(process, process)
        self.children.append(Child(process, out))
        return self.children[-1]

    def _run(self, argv: Sequence[str], out: Path, environment: dict[str, str]) -> None:
        code: Any = 70
        try:
            # Where this series runs in the background, its shell had it ignore some.
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.environ.update(environment)
            tempfile.tempdir = None
            os.chdir(self.data)
            for path, stream in ((out, 1), (out.with_suffix(".err"), 2)):
                os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            _hasten(self.every)
            sys.argv = ["rethinkdc", *argv]
            rethinkdc_main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def kept(self) -> dict[str, int]:
        """What lies on disk: artefacts by kind, and what is being made."""
        found: Counter[str] = Counter()
        for kind in (self.folder / "cache").glob("*"):
            if kind.name not in ("locks", "datasets"):
                found[kind.name] += sum(1 for entry in kind.iterdir() if entry.name[0] != ".")
        work = self.folder / "cache" / "work"
        found["parts"] = len(list(work.rglob("*.sealed")))
        found["checkpoints"] = len(list(work.rglob("checkpoint.pt")))
        found["records"] = len(list((self.folder / "records").rglob("*.json")))
        return {name: count for name, count in sorted(found.items()) if count}

    def traces(self) -> list[str]:
        """What ended commands left behind: files that nobody needs, and processes."""
        found = {path for pattern in TRACES for path in self.folder.rglob(pattern)}
        found |= {path for name in ("cache/work", "tmp") for path in (self.folder / name).glob("*")}
        names = [path.relative_to(self.folder).as_posix() for path in sorted(found)]
        names += [f"{child.out.name}: {line}" for child in self.children for line in _complaints(child.said)]
        groups = {child.process for child in self.children}
        return names + [f"process {process} of group {group}" for process, group in _living() if group in groups]


def _complaints(said: str) -> Iterator[str]:
    """Lines that a command says only where it found something broken."""
    words = ("damaged", "Traceback", "other work", "leaked", "missing from")
    yield from (line for line in said.splitlines() if any(word in line for word in words))


def _living() -> Iterator[tuple[int, int]]:
    """Processes that run, each with its group."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if state not in "ZX":
                yield int(folder.name), int(group)


def _hasten(every: float | None) -> None:
    """Makes runs as short as these save their state, and forks workers, which then have nothing to import."""
    # So that labels as few as these take two shards.
    shorten(every, 4000)
    if every is not None:
        keep_chunks(every)
        resumable: Any = importlib.import_module("rethinkdc.training.checkpoint").Resumable
        original_init = resumable.__init__
        resumable.__init__ = lambda self, folder, definition, _, *rest: original_init(
            self, folder, definition, every, *rest
        )
    original = multiprocessing.get_context
    multiprocessing.get_context = lambda _=None: original("fork")  # type: ignore[assignment]


# -- what comes out ------------------------------------------------------------------------------------------------


def outcome(folder: Path) -> dict[str, str]:
    """Everything that a place holds whose bits must not depend on kills: file or fact -> its digest."""
    found: dict[str, Any] = {}
    for path in sorted((folder / "cache").glob("*/*/*")):
        kind, key, name = path.relative_to(folder / "cache").parts
        if kind in ("locks", "datasets", "work") or key.startswith("."):
            continue
        if name == "about.json":
            about = json.loads(path.read_text())
            found[f"{kind}/{key}: images and notes"] = about.get("images"), about.get("notes")
        elif name not in UNEQUAL and path.is_file():
            found[f"{kind}/{key}/{name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted((folder / "records").rglob("*.json")):
        record = json.loads(path.read_text())
        if record["status"] != "ok":
            continue
        cost = {key: value for key, value in record["cost"].items() if key not in ("seconds", "memory")}
        facts = {key: record[key] for key in ("result_digest", "predictions", "sheet", "histogram", "definition")}
        for name, value in (facts | {"metrics": record["evaluation"]["metrics"], "cost": cost}).items():
            found[f"records/{record['key']}: {name}"] = value
    return {name: hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16] for name, value in found.items()}


def differences(ours: dict[str, str], theirs: dict[str, str], passed_over: Sequence[str] = ()) -> list[str]:
    """Names of what is not the same in both; names that end like one of ``passed_over`` are not looked at."""
    different = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    return sorted(name for name in different if not name.endswith(tuple(passed_over)))


# -- rounds --------------------------------------------------------------------------------------------------------


class Undisturbed(NamedTuple):
    """What a scene gives when nobody kills it, and how long that takes."""

    result: dict[str, str]
    records: int
    seconds: float


def undisturbed(scene: Scene, place: Place) -> Undisturbed:
    """Runs a scene through."""
    begun = time.monotonic()
    ended = [child.finish() for child in _started(scene, place)]
    seconds = time.monotonic() - begun
    if any(ended):
        raise SystemExit(f"{scene.argv} failed with {ended}: {[child.said for child in place.children]}")
    return Undisturbed(outcome(place.folder), place.kept()["records"], seconds)


def _started(scene: Scene, place: Place) -> list[Child]:
    if scene.way != "ranks":
        return [place.start(scene)]
    port = free_port()
    return [_start_rank(scene, place, rank, port) for rank in (0, 1)]


def _start_rank(scene: Scene, place: Place, rank: int, port: int) -> Child:
    launch = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    given = {"RANK": str(rank), "LOCAL_RANK": str(rank), "RETHINKDC_RANK_PATIENCE": str(PATIENCE / 3)}
    return place.start(scene, **launch, **given)


def play(scene: Scene, place: Place, whole: Undisturbed, draws: random.Random) -> dict[str, Any]:
    """One round: kills, then commands that finish.

    What is killed: everything; or one of two processes that do the same work, and the other one goes on; one of two
    ranks, and the other ends with it; of a sweep a worker, whose run fails, or the parent, whose workers must end. Some
    are asked to end, as by ``kill`` or a terminal.
    """
    kills: list[dict[str, Any]] = []
    for _ in range(draws.choice((1, 1, 1, 2, 3))):
        one, sent = draws.random() < 0.3, draws.choice(SENT)
        if kills and place.kept().get("records", 0) >= whole.records:
            break  # nothing is left to disturb
        children = _started(scene, place)
        if one and scene.way == "run":
            children.append(place.start(scene))
        moment = draws.uniform(0, LATEST * whole.seconds)
        _sleep_until(time.monotonic() + moment, children)
        begun = time.monotonic()
        struck = _strike(scene, place, children, one, sent, draws)
        took = time.monotonic() - begun
        about = {"moment": round(moment, 3), "one": one, "signal": sent.name, **struck, "took": round(took, 2)}
        kills.append({**about, "kept": place.kept()})
    # A set for which nothing is trained is the same for any number of ranks.
    alone = draws.random() >= 0.7 and scene == SCENES["ranks"]
    finishing = scene._replace(way="run") if alone else scene
    codes = [child.finish() for child in _started(finishing, place)]
    # What a student learns depends on the ranks in its last bits; the sets that are made do not.
    loose = () if finishing == scene else OF_STUDENTS
    differing = differences(outcome(place.folder), whole.result, loose)
    wrong = [kill for kill in kills if kill["wrong"]]
    return {"kills": kills, "codes": codes, "differences": differing, "traces": place.traces(), "wrong": wrong}


def _sleep_until(moment: float, children: Sequence[Child]) -> None:
    while time.monotonic() < moment and not all(child.over() for child in children):
        time.sleep(0.001)


def _strike(
    scene: Scene, place: Place, children: list[Child], one: bool, sent: signal.Signals, draws: random.Random
) -> dict[str, Any]:
    """Sends a signal; says whether anything still ran, how it ended, the codes of what went on, and what is wrong."""
    victims = [children[draws.randrange(len(children))]] if one else children
    hit = not all(child.over() for child in victims)
    said = ""
    if one and scene.way == "sweep":
        hit, said = _strike_sweep(children[0], sent, draws)
    else:
        for child in victims:
            child.send(sent)
    begun = time.monotonic()
    ended = [child.finish() for child in victims]
    slow = sent is not signal.SIGKILL and time.monotonic() - begun > STOPS and said != "worker"
    others = [child for child in children if child not in victims]
    # A worker that is killed costs its run.
    expected = {0, -sent, 128 + sent} | ({1} if said == "worker" else set())
    wrong = [f"code {code}" for code in ended if code not in expected] + ["slow"] * slow
    if sent is not signal.SIGKILL:
        silent = [child for child in victims if child.code == 128 + sent and "Interrupted" not in child.said]
        wrong += ["said nothing"] * len(silent)
    went_on = [child.finish() for child in others]
    follows = {0, 1, 128 + sent} if scene.way == "ranks" else {0}
    wrong += [f"code {code} of what went on" for code in went_on if code not in follows]
    wrong += [f"trace of what went on: {child.said}" for child in others if "Traceback" in child.said]
    return {"hit": hit, "struck": said, "ended": ended, "code": went_on, "wrong": wrong}


def _strike_sweep(sweep: Child, sent: signal.Signals, draws: random.Random) -> tuple[bool, str]:
    """Sends a signal to the parent of a sweep alone, or kills one of its workers; says which."""
    workers = [process for process, group in _living() if group == sweep.process != process]
    if not workers or draws.random() < 0.5:
        hit = not sweep.over()
        if hit:
            os.kill(sweep.process, sent)
        sweep.finish()
        _wait_for_group(sweep.process)
        return hit, "parent"
    with contextlib.suppress(ProcessLookupError):
        os.kill(workers[draws.randrange(len(workers))], signal.SIGKILL)
    return True, "worker"


def _wait_for_group(group: int) -> None:
    """Gives the orphans of a parent the time that they have to keep their work; who stays longer is a trace."""
    until = time.monotonic() + STOPS + 2
    while time.monotonic() < until and any(found == group for _, found in _living()):
        time.sleep(0.05)


# -- the series ----------------------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Writes the data, the short protocols and the studies."""
    write_digits(folder / "digits" / "data", 200, 100)
    for track, study in STUDIES.items():
        write_short_protocol(folder / f"{track}-protocol.toml", f"digits-{track}", 200, 100, 3, 24)
        (folder / f"{track}.toml").write_text(study)


def _in_child(work: Callable[[], None]) -> None:
    """So that this process computes nothing and starts no threads."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    if status:
        raise SystemExit("The data could not be written.")


def read_ledger(path: Path, seed: int) -> dict[int, dict[str, Any]]:
    """The rounds that are done, by their number; the last line of a killed series may be cut, and counts as none."""
    done = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry["seed"] == seed:
                done[int(entry["round"])] = entry
    return done


def series(seed: int, rounds: Sequence[int], names: Sequence[str], folder: Path, ledger: Path) -> None:
    """Plays rounds, one after another, and notes each."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    _in_child(lambda: prepare(folder / "data"))
    wholes: dict[str, Undisturbed] = {}
    for number in rounds:
        # A series of any length takes each scene as often, in an order that the seed shuffles.
        draws = random.Random(f"{seed}/{number}")
        name = names[number % len(names)]
        if name not in wholes:
            wholes[name] = undisturbed(SCENES[name], Place(folder / f"whole-{name}", folder / "data"))
            shutil.rmtree(folder / f"whole-{name}")
        place = Place(folder / f"round-{number}", folder / "data", every=draws.choice((0.0, 0.0, 0.05, None)))
        begun = time.monotonic()
        played = play(SCENES[name], place, wholes[name], draws)
        good = not any(any(played[name]) for name in ("codes", "differences", "traces", "wrong"))
        entry = {
            "seed": seed,
            "round": number,
            "scene": name,
            "argv": SCENES[name].argv,
            "every": place.every,
            **played,
        }
        entry |= {"good": good, "seconds": round(time.monotonic() - begun, 2), "commit": commit}
        with ledger.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        if good:
            shutil.rmtree(place.folder, ignore_errors=True)


def summary(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts of a ledger, by scene and in all."""
    counts: dict[str, Counter[str]] = {}
    for entry in entries:
        for name in (entry["scene"], "all"):
            count = counts.setdefault(name, Counter())
            count["rounds"] += 1
            count["kills"] += len(entry["kills"])
            count["hits"] += sum(kill["hit"] for kill in entry["kills"])
            count["equal" if not entry["differences"] else "unequal"] += 1
            count["traces"] += bool(entry["traces"])
            count["failed"] += any(entry["codes"])
            count["wrong"] += bool(entry.get("wrong"))
            for kill in entry["kills"]:
                count[kill.get("signal", "SIGKILL")] += 1
    return {name: dict(count) for name, count in sorted(counts.items())}


def main() -> None:
    """Reads what to do from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100, help="rounds of the whole series")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", default=",".join(SCENES), help="names, by commas")
    parser.add_argument("--ledger", type=Path, default=Path("kills.jsonl"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "rethinkdc-kills")
    parser.add_argument("--summary", action="store_true", help="only count what the ledger holds")
    given = parser.parse_args()
    if not hasattr(os, "fork"):
        raise SystemExit("Needs os.fork.")
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    for name in ("RANK", "WORLD_SIZE", "RETHINKDC_CACHE", "RETHINKDC_RECORDS"):
        os.environ.pop(name, None)
    if not given.summary:
        # Imports every plugin, so that no child has to.
        Registry().listing()
        done = read_ledger(given.ledger, given.seed)
        left = [number for number in range(given.rounds) if number not in done]
        series(given.seed, left, given.scenes.split(","), given.folder.resolve(), given.ledger)
    print(json.dumps(summary(list(read_ledger(given.ledger, given.seed).values())), indent=1))


if __name__ == "__main__":
    main()
