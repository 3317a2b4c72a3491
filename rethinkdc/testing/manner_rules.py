"""Rules of what a method leaves as it found it, and of other data than it may expect."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import ValidationError
from torch import Tensor

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.method import Method
from rethinkdc.testing.case import Case
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.surroundings import images
from rethinkdc.testing.verdicts import NotApplicableError, require

_MANY = 1000
_FEW = 2
"""Iterations with a thousand classes."""
_UNEQUAL = (20, 7, 13)
"""Images of the classes after the smallest."""


def _untouched(case: Case) -> None:
    written = [*case.first.traces.written, *case.again.traces.written]
    named = list(dict.fromkeys(written))
    require(not named, f"{case.label} changed {' and '.join(named)}", differs=", ".join(named))


def _random_state(case: Case) -> None:
    drawn = case.again.traces.drawn
    told = f"{case.label} touched the global random state of {' and '.join(drawn)}; draw from context.generator(...)"
    require(not drawn, told, differs=", ".join(drawn))


def _process(case: Case) -> None:
    changed = list(dict.fromkeys([*case.first.traces.changed, *case.again.traces.changed]))
    require(not changed, f"{case.label} left behind another {' and '.join(changed)}", differs=", ".join(changed))


def _files(case: Case) -> None:
    files = list(dict.fromkeys([*case.first.traces.files, *case.again.traces.files]))
    told = f"{case.label} left {', '.join(files[:5])}; write to context.folder, which goes when the work is done"
    require(not files, told, differs=", ".join(files[:5]))


def _device(case: Case) -> str:
    if case.bench.torch_device.type == "cpu":
        raise NotApplicableError("tried on a CPU alone; where there is a GPU, --device cuda tries it there")
    strangers = sorted(_devices(case.first.fields) - {"cpu"})
    require(not strangers, f"its result lies on {', '.join(strangers)}; results lie on the CPU", differs="device")
    moved = [
        str(parameter.device)
        for network, *_ in case.first.watch.networks
        for parameter in network.parameters()
        if parameter.device.type != case.bench.torch_device.type
    ]
    require(not moved, f"a network that it was given lies on {moved[:1]} afterwards", differs="device")
    return f"networks on {case.bench.device}, the result on the CPU"


def _devices(held: object) -> set[str]:
    if isinstance(held, Tensor):
        return {held.device.type}
    inner = held.values() if isinstance(held, dict) else held if isinstance(held, list | tuple) else ()
    return set().union(*map(_devices, inner))


def _unbalanced(case: Case) -> str:
    needs = max(1, _rows_needed(case))
    counts = (needs * 2, *_UNEQUAL) if needs * 2 < min(_UNEQUAL) else (needs * 2, *(needs * 3 for _ in _UNEQUAL))
    case.attempt(data=of_counts(counts), ipc=2)
    return f"classes of {', '.join(map(str, counts))} images"


def _single(case: Case) -> str:
    needs = _rows_needed(case)
    if needs > 1:
        raise NotApplicableError(f"a canvas takes {needs} images of its class: the core refuses a class of one image")
    case.attempt(data=of_counts((1, *_UNEQUAL)), ipc=1)
    return ""


def _many(case: Case) -> str:
    each, brief = max(2, _rows_needed(case)), _brief(case.method)
    Case(brief, case.bench).attempt(data=images(classes=_MANY, per_class=each), ipc=1)
    told = f"{_MANY * each:,} images"
    return told if brief == case.method else f"{told}, by {case.bench.registry.label(brief)}"


def _brief(method: Method) -> Method:
    """The method with few iterations, if it takes them as a parameter: a thousand classes make each one dear."""
    if "iterations" not in method.fields():
        return method
    try:
        return type(method)(**{**method.changed(), "iterations": _FEW})
    except ValidationError:
        # It has bounds of its own.
        return method


def _rows_needed(case: Case) -> int:
    return case.method.rows_per_canvas() if isinstance(case.method, Compressor) else 1


def of_counts(counts: Sequence[int]) -> DecodedImages:
    """Random images, so many of each class."""
    whole = images(classes=len(counts), per_class=max(counts))
    rows = torch.cat([index * max(counts) + torch.arange(count) for index, count in enumerate(counts)])
    return DecodedImages(whole.pixels[rows], whole.targets[rows], whole.class_names)


MANNERS: tuple[Rule[Case], ...] = (
    Rule("untouched", "The training data and all that it is given stay as they are.", _untouched, ("works",)),
    Rule("random state", "The global generators of Python, numpy and torch are not touched.", _random_state,
         ("works",)),
    Rule("process", "Threads, dtypes, modes, flags, hooks and variables are left as they were.", _process, ("works",)),
    Rule("files", "No file is left behind.", _files, ("works",)),
    Rule("device", "Networks run on the context's device, and the result lies on the CPU.", _device, ("works",)),
)  # fmt: skip
DATA: tuple[Rule[Case], ...] = (
    Rule("unbalanced", "Classes may be of different sizes.", _unbalanced, ("works",), long=True),
    Rule("single image", "A class may have one image.", _single, ("works",), long=True),
    Rule(
        "1,000 classes",
        "There may be a thousand classes, if each image is moved but twice.",
        _many,
        ("works",),
        long=True,
    ),
)
