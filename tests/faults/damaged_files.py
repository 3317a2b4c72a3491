"""Rows of damaged files: every kind of file that runs leave or read, under every damage."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.commands import BOARD, EVALUATE, RUN, Command, Place
from tests.faults.damages import DAMAGES, OTHER_VERSION, Damage, damage
from tests.faults.matrix import Fault, Mend, Promise, State

REBUILT = "The damage is reported and the file is made again."
ANEW = "The damage is reported, and the work starts from its beginning."


class Outcome(NamedTuple):
    """What is promised of some damages of a file, what happens, and what is said of it."""

    promise: Promise
    seen: str
    says: str = ""


@dataclass(frozen=True)
class File:
    """A kind of file.

    Attributes:
        what: it holds.
        pattern: finds one in a place.
        usual: what comes of a damage.
        state: of the place that has one.
        command: that reads it.
        without: patterns of what is removed before, so that the file is read.
        otherwise: what comes of some damages instead.
        version: makes it one of another version; None = it says no version of its own.
        beside: its name, where ``pattern`` finds another file of its folder.
        given: what the place gets a copy of, where the file is a user's.
    """

    what: str
    pattern: str
    usual: Outcome
    state: State = State.CACHED
    command: Command = RUN
    without: tuple[str, ...] = ()
    otherwise: Mapping[str, Outcome] = field(default_factory=dict)
    version: Damage | None = None
    beside: str = ""
    given: str = ""

    def faults(self, kind: str) -> Iterator[Fault]:
        """A row for every damage."""
        every = {**DAMAGES, **({OTHER_VERSION: self.version} if self.version else {})}
        for how, harm in every.items():
            outcome = self.otherwise.get(how, self.usual)
            yield Fault(
                kind,
                self.what,
                how,
                outcome.promise,
                outcome.seen,
                outcome.says,
                state=self.state,
                command=self.command,
                likewise=RUN if self.given else None,
                harm=partial(self._harm, harm),
            )

    def _harm(self, how: Damage, place: Place) -> Mend:
        for pattern in self.without:
            for path in place.folder.glob(pattern):
                shutil.rmtree(path)
        if self.given:
            place.take(self.given)
        found = place.find(self.pattern)
        return damage(found.with_name(self.beside or found.name), how)


def change_json(values: Mapping[str, Any], path: Path) -> None:
    """Other values in a file of JSON."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def seal_json(values: Mapping[str, Any], path: Path) -> None:
    """Other values behind a checksum that fits."""
    content = json.dumps({**json.loads(path.read_bytes()[32:]), **values}).encode()
    path.write_bytes(hashlib.sha256(content).digest() + content)


def append(text: str, path: Path) -> None:
    """A further line."""
    path.write_text(path.read_text() + text)


def _reseal(path: Path) -> None:
    """The manifest of the folder of ``path``, as if it had been written with what the file holds now."""
    manifest = path.parent / "manifest.json"
    change_json({path.name: hashlib.sha256(path.read_bytes()).hexdigest()}, manifest)


def _trace_of_later(path: Path) -> None:
    change_json({"schema": 99}, path)
    _reseal(path)


MADE = Outcome(Promise.MADE_AGAIN, REBUILT, "It is rebuilt.")
SILENT = Outcome(Promise.UNHARMED, "It is looked at anew; nothing was lost, and nothing is said.")
UNUSED = Outcome(Promise.UNHARMED, "Nothing reads it where all that was made of it is there.")
WITHOUT_SETS = ("cache/sets/*",)
WITHOUT_SCORES = ("cache/sets/*", "cache/scores/*")
WITHOUT_LABELS = ("cache/labels/*",)

CACHE = (
    File("the manifest of an artefact", "cache/proxies/*/manifest.json", MADE, without=WITHOUT_SCORES,
         version=partial(change_json, {"files": {}})),
    File("the weights of a proxy", "cache/proxies/*/model.safetensors", MADE, without=WITHOUT_SCORES),
    File("a table of the trace", "cache/proxies/*/train.npy", MADE, without=WITHOUT_SCORES),
    File("what a trace says of itself", "cache/proxies/*/trace.json", MADE, without=WITHOUT_SCORES,
         otherwise={OTHER_VERSION: Outcome(Promise.REFUSED, "Both versions are named, and the folder.", "schema 99")},
         version=_trace_of_later),
    File("the books of an artefact", "cache/scores/*/about.json", MADE, without=WITHOUT_SETS),
    File("scores", "cache/scores/*/scores.safetensors", MADE, without=WITHOUT_SETS),
    File("the table of a set", "cache/sets/*/part-*", MADE, beside="set.json"),
    File("the tensors of a set", "cache/sets/*/part-*", MADE, beside="set.safetensors"),
    File("the canvases of a set", "cache/sets/*/part-00000.safetensors", MADE),
    File("the weights of a teacher", "cache/teachers/*/model.safetensors", MADE),
    File("how good a teacher is", "cache/teacher-tests/*/top1.json", MADE),
    File("a shard of stored labels", "cache/labels/*/labels-00000.safetensors", MADE),
    File("decoded pixels", "cache/decoded/*/images.safetensors",
         Outcome(Promise.MADE_AGAIN, "The damage is reported, and the images are decoded again.", "decoded again")),
    File("the manifest of decoded pixels", "cache/decoded/*/manifest.json",
         Outcome(Promise.MADE_AGAIN, "The damage is reported, and the images are decoded again.", "decoded again"),
         version=partial(change_json, {"files": {}})),
    File("an entry of the book of fingerprints", "cache/fingerprints/*.sealed", SILENT,
         version=partial(seal_json, {"blurhash": "x"})),
    File("a dataset's Arrow file", "cache/datasets/*/default/*/*/*-train.arrow", UNUSED),
)  # fmt: skip

RESUMED = Outcome(Promise.MADE_AGAIN, ANEW, "from its beginning")
ONCE_MORE = Outcome(Promise.MADE_AGAIN, "It is made once more.")
BLOCKED = Outcome(Promise.REFUSED, "What lies in the way is named.", "Is a directory")
IN_THE_WAY = {"a folder in its place": BLOCKED}
GONE = {
    "deleted": Outcome(Promise.MADE_AGAIN, "The work starts from its beginning."),
    "a link to nowhere in its place": Outcome(
        Promise.MADE_AGAIN, "The work begins anew in a folder of the process, and this is said.", "begins anew"
    ),
}
LINKED = {"a link to nowhere in its place": GONE["a link to nowhere in its place"]}
HARMLESS = Outcome(Promise.UNHARMED, "What is damaged was not counted on yet, and is written again.")

WORK = (
    File("a checkpoint", "cache/work/proxies-*/checkpoint.pt", RESUMED, State.IN_PROXY,
         otherwise={**GONE, **IN_THE_WAY}),
    File("the unfinished trace", "cache/work/proxies-*/train.npy", RESUMED, State.IN_PROXY,
         otherwise={**IN_THE_WAY, **LINKED, "with one bit flipped": HARMLESS}),
    File("un-augmented rows of an unfinished trace", "cache/work/proxies-*/clean.npy", RESUMED, State.IN_PROXY,
         otherwise={**IN_THE_WAY, **LINKED, "with one bit flipped": HARMLESS, "cut in half": HARMLESS}),
    File("a part of a set", "cache/work/sets-*/parts/part-00000.safetensors", ONCE_MORE, State.IN_PARTS,
         otherwise={**IN_THE_WAY, **LINKED}),
    File("the seal of a part", "cache/work/sets-*/parts/part-00000.sealed", ONCE_MORE, State.IN_PARTS,
         otherwise={**IN_THE_WAY, **LINKED}, version=partial(append, " 1 2 3")),
    File("an unfinished shard of labels", "cache/work/labels-*/labels-00000.safetensors", ONCE_MORE, State.IN_LABELS,
         otherwise={**IN_THE_WAY, **LINKED}),
    File("the seal of a shard", "cache/work/labels-*/labels-00000.sealed", ONCE_MORE, State.IN_LABELS,
         otherwise={**IN_THE_WAY, **LINKED}, version=partial(append, " 1 2 3")),
    File("chunks of an unfinished pass over rows", "cache/work/labels-*/labels-00000/*/*/0000000.safetensors",
         ONCE_MORE, State.IN_PASS, otherwise={**IN_THE_WAY, **LINKED}),
    File("the seal of chunks", "cache/work/labels-*/labels-00000/*/*/0000000.sealed", ONCE_MORE, State.IN_PASS,
         otherwise={**IN_THE_WAY, **LINKED}, version=partial(append, " 1 2 3")),
    File("the marker of a run that has begun", "cache/work/runs-*/begun.sealed",
         Outcome(Promise.UNHARMED, "The run goes on from what it has."), State.IN_STUDENT,
         otherwise={**IN_THE_WAY, **LINKED}, version=partial(seal_json, {"ok": None, "records": 3})),
    File("a student's checkpoint", "cache/work/runs-*/student/checkpoint.pt", RESUMED, State.IN_STUDENT,
         otherwise={**GONE, **IN_THE_WAY}),
)  # fmt: skip

NAMED = Outcome(Promise.REFUSED, "The file is named, with what is wrong and what to do.", "Move it away.")
LISTED = Outcome(Promise.LISTED, "The other runs are ranked; this one is named with its fault.", "A record is left out")
LACKING = Outcome(Promise.MADE_AGAIN, "The run is carried out again, from what is in the cache.")
UNRANKED = Outcome(Promise.GONE, "A run without its record is not known to boards; `run` makes it again.")
UNTOLD = Outcome(Promise.UNHARMED, "Records are handed on without them.")
UNREAD = Outcome(Promise.UNHARMED, "Boards do not read it.")

RECORDS = (
    File("a record, met by its run", "records/*/0001.json", NAMED, State.FINISHED, otherwise={"deleted": LACKING},
         version=partial(change_json, {"schema_version": 99})),
    File("a record, met by a board", "records/*/0001.json", LISTED, State.RECORDED, BOARD,
         otherwise={"deleted": UNRANKED}, version=partial(change_json, {"schema_version": 99})),
    File("predictions, met by a board", "records/*/*.npz", LISTED, State.RECORDED, BOARD,
         otherwise={"deleted": UNTOLD, "a link to nowhere in its place": UNTOLD}),
    File("a contact sheet", "records/*/*.webp", UNREAD, State.RECORDED, BOARD),
    File("the index of boards", "records/.boards-index",
         Outcome(Promise.MADE_AGAIN, "The records are read anew."), State.INDEXED, BOARD),
)  # fmt: skip

HURT = Outcome(
    Promise.REFUSED, "The set is named, with the file that is damaged or missing.", "damaged or not readable"
)
UNCHECKED = Outcome(Promise.UNHARMED, "The set is read; only what its manifest would check is not checked.")
SETS = (
    File("the card of a written set", "set/card.json", HURT, State.EXPORTED, EVALUATE),
    File("the images of a written set", "set/data/*.parquet", HURT, State.EXPORTED, EVALUATE),
    File("the manifest of a written set", "set/manifest.json", HURT, State.EXPORTED, EVALUATE,
         otherwise={"deleted": UNCHECKED, "a link to nowhere in its place": UNCHECKED},
         version=partial(change_json, {"files": {}})),
)  # fmt: skip

OWN_DATA = RUN.with_own("data", "{data}")
OWN_PROTOCOL = RUN.with_own("brief.toml", "{protocol}")
NO_SPLIT = Outcome(Promise.REFUSED, "The folder is named, and what it lacks.", "has no train split")
TOLD = Outcome(Promise.REFUSED, "The file is named, and what is wrong with it.", "brief.toml")
GIVEN = (
    File("a dataset's Parquet file", "data/train-0.parquet",
         Outcome(Promise.REFUSED, "The folder or the image is named, and why it cannot be read.", "Cannot"),
         command=OWN_DATA, given="data",
         otherwise=dict.fromkeys(("deleted", "a folder in its place", "a pipe in its place"), NO_SPLIT)),
    File("a protocol's file", "brief.toml", TOLD, command=OWN_PROTOCOL, given="brief.toml",
         otherwise={"with one bit flipped": Outcome(Promise.REFUSED, "The value is named.", "The protocol brief")},
         version=partial(append, '\n[later]\nvalue = 1\n')),
)  # fmt: skip

KINDS = {
    "Files of the cache": CACHE,
    "Work that a kill left behind": WORK,
    "Records and boards": RECORDS,
    "Written sets": SETS,
    "Data and protocols": GIVEN,
}


def damaged_files() -> list[Fault]:
    """A row for every kind of file and damage; by default one damage of each kind of file is tried, in turn."""
    rows: list[Fault] = []
    for kind, files in KINDS.items():
        for number, file in enumerate(files):
            found = list(file.faults(kind))
            rows += [replace(fault, slow=index != number % len(found)) for index, fault in enumerate(found)]
    return rows
