"""Rules of what a result may depend on: the seeds that are named, the data, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rethinkdc.context.remaking import SHARED
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.runs.device import deterministic
from rethinkdc.seeds import AXES, Axis, Seeds
from rethinkdc.testing.case import Case, Try
from rethinkdc.testing.comparing import difference, fields_that_differ, same
from rethinkdc.testing.making import comparable, fields_of_set
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.surroundings import encoded
from rethinkdc.testing.verdicts import BrokenError, NotApplicableError, require

_MAY: dict[str, tuple[Axis, ...]] = {
    "compressor": ("set", "proxy", "teacher"),
    "score": ("set", "proxy", "teacher"),
    "labeler": ("labels", "teacher"),
    "teacher": ("teacher",),
    "evaluator": ("student",),
}
"""The seed axes that a result may depend on, by kind: a set that hangs on the student's seed compares no students."""


def _repeats(case: Case) -> None:
    _require_same(case.first, case.again, f"{case.label} gives another result under the same seeds")


def _seeds(case: Case) -> str:
    """That what is said to vary does, and nothing else; where nothing is said, what the kind may depend on."""
    if case.varies_with is None:
        return _find_seeds(case)
    declared = case.varies_with
    unknown = set(declared) - set(AXES)
    require(not unknown, f"varies_with names unknown seed axes {sorted(unknown)}; known: {', '.join(AXES)}")
    for axis in declared:
        told = f"{case.label} gives the same result under another {axis} seed"
        require(_moves(case, axis), told, differs=axis)
    others = [axis for axis in AXES if axis not in declared]
    told = f"declared: {', '.join(declared) or 'none'}"
    if not _moves(case, *others):
        return told
    # All at once is one try; which of them it is takes more.
    guilty = [axis for axis in others if _moves(case, axis)]
    which = f": {', '.join(guilty)}" if guilty else ""
    told = f"{case.label} depends on a seed axis that it does not declare{which}; {told}"
    raise BrokenError(told, differs=", ".join(guilty))


def _find_seeds(case: Case) -> str:
    allowed = _MAY[case.kind]
    moved = [axis for axis in AXES if _moves(case, axis)]
    wrong = [axis for axis in moved if axis not in allowed]
    require(
        not wrong,
        f"{case.label} depends on the {' and '.join(wrong)} seed; a {case.kind} may depend on {', '.join(allowed)}",
        differs=", ".join(wrong),
    )
    return f"depends on the seeds of: {', '.join(moved)}" if moved else "depends on no seed"


def _moves(case: Case, *axes: Axis) -> bool:
    """Whether the result is another under another seed on these axes."""
    return not same(case.first.fields, case.attempt(seeds=Seeds(**dict.fromkeys(axes, 1))).fields)


def _backings(case: Case) -> None:
    streamed = case.attempt(data=encoded(case.data))
    _require_same(case.first, streamed, f"{case.label} gives another result from encoded than from decoded images")


def _cached(case: Case) -> None:
    """That what is read from the cache is what was made."""
    for time in ("when it is made by way of the cache", "when it is read from the cache"):
        found = _by_way_of_the_cache(case, case.first.folder, case.data, Seeds())
        told = f"{case.label} is another {time}: {difference(case.first.fields, found)}"
        require(same(case.first.fields, found), told, differs=fields_that_differ(case.first.fields, found))


def _keys(case: Case) -> str:
    """That what it keeps in the cache is not taken for what it would keep of other seeds, or of other images."""
    own = sorted(case.first.watch.artefacts - SHARED)
    if not own:
        raise NotApplicableError("it keeps nothing of its own in the cache")
    held = case.data
    others = DecodedImages(255 - held.pixels, held.targets, held.class_names)
    tries = (("seeds", held, Seeds(**dict.fromkeys(AXES, 1))), ("images", others, Seeds()))
    for what, data, seeds in tries:
        alone, beside = (
            _by_way_of_the_cache(case, folder, data, seeds) for folder in (case.bench.new_folder(), case.first.folder)
        )
        told = (
            f"under other {what} {case.label} takes from the cache ({', '.join(own)}) what it kept under the first "
            f"ones: {difference(alone, beside)}; the key of context.artefact must tell them apart"
        )
        require(same(alone, beside), told, differs=what)
    return ", ".join(own)


def _by_way_of_the_cache(case: Case, folder: Path, data: DecodedImages, seeds: Seeds) -> dict[str, Any]:
    """What a run would get of the method, with the cache of a try."""
    asked = case.ask(folder, data, seeds)
    context, reference = asked.context, case.bench.registry.reference(case.method)
    with deterministic(case.bench.torch_device):
        if case.kind == "score":
            return comparable(context.score(reference), asked)
        budget = case.bench.budget(len(data.class_names), context.ipc)
        return fields_of_set(context.compress(reference, data, budget), case.bench.size)


def _require_same(one: Try, other: Try, told: str) -> None:
    differs = fields_that_differ(one.fields, other.fields)
    require(same(one.fields, other.fields), f"{told}: {difference(one.fields, other.fields)}", differs=differs)


_REPEATS = ("works", "repeats")
REPEATS: tuple[Rule[Case], ...] = (
    Rule("repeats", "The same seeds give the same result, to the bit.", _repeats, ("works",)),
    Rule("seeds", "Another seed gives another result on the axes that it varies with, and on no other.", _seeds,
         _REPEATS),
    Rule("backings", "Decoded and encoded images give the same result.", _backings, _REPEATS),
)  # fmt: skip
CACHED: Rule[Case] = Rule("cached", "What is read from the cache is what was made.", _cached, _REPEATS, long=True)
KEYS: Rule[Case] = Rule(
    "keys",
    "What it keeps in the cache is found again under the same seeds and images alone.",
    _keys,
    (*_REPEATS, "cached"),
    long=True,
)
