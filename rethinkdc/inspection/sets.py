"""Finished sets, as ``evaluate`` reads them and fits them to a dataset and a protocol."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rethinkdc.compressed import CompressedSet
from rethinkdc.compressed.entries import find_entries
from rethinkdc.compressed.tensor_folders import SUFFIXES
from rethinkdc.data.splits import Splits
from rethinkdc.errors import RequestError
from rethinkdc.inspection.commands import of_set
from rethinkdc.inspection.findings import SetFinding
from rethinkdc.inspection.judging import judge_set, name_exact
from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.runs.calls import EvaluateCall
from rethinkdc.runs.evaluating import request_of
from rethinkdc.runs.finished import resolve
from rethinkdc.runs.fitted import fit_to_run
from rethinkdc.runs.identity import identity_of
from rethinkdc.runs.opening import open_set
from rethinkdc.runs.options import part_of
from rethinkdc.runs.resolving import Run
from rethinkdc.types import Images

DOUBTFUL = "doubtful: "
"""How a card begins to tell what its readers warn of."""
_WHOLE_BYTES = "every value is a whole byte"
_PASSED_OVER = "The set as it was read: Passed over: "
"""How the reader of trees begins to tell what it left out."""
_LOOKED_AT = 64
_LEARNED = "soft-static:source=learned"
"""The labeler that trains on the labels that a set brings."""


@dataclass(frozen=True)
class Opened:
    """A set, what makes it doubtful, and what it was fitted to.

    Attributes:
        compressed: fitted to the run where there is one.
        warnings: of the readers.
        labeler: what labels it.
        run: what would evaluate it; None where that is refused.
        splits: the run's images.
        refused: why.
    """

    compressed: CompressedSet
    warnings: tuple[str, ...]
    labeler: str
    run: Run | None = None
    splits: Splits | None = None
    refused: str = ""


def evaluation_of(around: Surroundings) -> EvaluateCall:
    """The evaluation that the user would ask for."""
    return part_of(around.call, EvaluateCall, images=str(around.call.file))


@contextmanager
def opened(around: Surroundings) -> Iterator[Opened]:
    """Reads a set and fits it, as ``evaluate`` does; what the readers keep on disk goes afterwards.

    Raises:
        RequestError: it cannot be read as it is asked for.
    """
    call = evaluation_of(around)
    with tempfile.TemporaryDirectory(prefix="rethinkdc-") as kept, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        compressed = open_set(call, Path(kept))
        told = tuple(str(each.message) for each in caught if issubclass(each.category, UserWarning))
        yield _fit(around, call, compressed, told)


def find_set(around: Surroundings) -> SetFinding:
    """Tells what a finished set is, what it was taken for, and whether ``evaluate`` takes it.

    Raises:
        RequestError: it is no set.
    """
    with ExitStack() as kept:
        try:
            found = kept.enter_context(opened(around))
        except RequestError as error:
            return _not_yet_read(around, error)
        finding = _describe(around, found)
        if around.call.teacher is None:
            return finding
        if found.run is None or found.splits is None:
            told = f"the teacher {around.call.teacher} was not asked, since the set is refused"
            return finding.model_copy(update={"warnings": (*finding.warnings, told)})
        triage = judge_set(around, evaluation_of(around), found.compressed, found.run, found.splits)
        return finding.model_copy(update={"triage": triage})


def _not_yet_read(around: Surroundings, error: RequestError) -> SetFinding:
    """What is known of a set of which the user has not said enough.

    Raises:
        RequestError: it is no set.
    """
    if not _looks_like_a_set(around.path):
        raise error
    if around.call.mean is None and around.call.std is None:
        return _without_normalisation(around, str(error))
    return SetFinding(refused=str(error), command=_command(around))


def _without_normalisation(around: Surroundings, refused: str) -> SetFinding:
    """What is known of images that may have been normalised by nobody knows what; a teacher may tell."""
    found = find_set(Surroundings(replace(around.call, mean=(0.0,), std=(1.0,))))
    if found.images is None:
        # It lacks something else.
        return SetFinding(refused=refused, command=_command(around))
    stated = found.likely or "--mean MEAN --std STD"
    command = found.command.replace("--mean 0 --std 1", stated)
    # What was said of pixels is said of a reading that nobody asked for.
    taken = tuple(each for each in found.taken if not each.startswith(DOUBTFUL))
    changed = {"refused": refused, "command": command, "pixels": None, "warnings": _of_bytes(found), "taken": taken}
    return found.model_copy(update=changed)


def _of_bytes(found: SetFinding) -> tuple[str, ...]:
    """What values that are whole bytes tell: all that a reading under no mean and std may say."""
    return tuple(warning for warning in found.warnings if warning.startswith(_WHOLE_BYTES))


def _command(around: Surroundings) -> str:
    return of_set(around, dataset=around.call.dataset or "NAME", labeler=None)


def _fit(around: Surroundings, call: EvaluateCall, compressed: CompressedSet, told: tuple[str, ...]) -> Opened:
    """The set under its learned labels where it has some and the protocol takes them, else under hard ones."""
    runner, refused = around.runner, ""
    identity = identity_of(compressed)
    for labeler in (_LEARNED, call.labeler) if compressed.soft_targets is not None else (call.labeler,):
        try:
            asked = request_of(replace(call, labeler=labeler))
            run = resolve(asked, runner.registry, runner.cache, identity=identity)
            splits = run.dataset.load(runner.cache.root, "encoded")
            return Opened(fit_to_run(compressed, run, splits), told, labeler, run, splits)
        except RequestError as error:  # noqa: PERF203 - of two labelers
            refused = refused or str(error)
    return Opened(compressed, told, _LEARNED if compressed.soft_targets is not None else call.labeler, refused=refused)


def _describe(around: Surroundings, found: Opened) -> SetFinding:
    compressed, call = found.compressed, around.call
    notes = compressed.card.told
    named = call.dataset or (None if found.run else "NAME")
    under = "" if not found.refused else f"under {call.dataset}: " if call.dataset else "without --dataset: "
    exact = name_exact(evaluation_of(around), compressed)
    told = [f"{_WHOLE_BYTES} if it is {each.name}: {each.remedy}" for each in exact]
    if found.splits and found.run and _is_grey(compressed, found.run) and not _is_grey(found.splits.train, found.run):
        told.append("its images are grey, and those of the dataset are not")
    return SetFinding(
        taken=notes.reading,
        ignored=tuple(each.removeprefix(_PASSED_OVER) for each in found.warnings if each.startswith(_PASSED_OVER)),
        warnings=(*(each for each in found.warnings if not each.startswith(_PASSED_OVER)), *told),
        likely=exact[0].remedy if len(exact) == 1 else "",
        refused=under + found.refused,
        command=of_set(around, dataset=named, labeler=found.labeler if found.labeler == _LEARNED else None),
        method=compressed.card.method,
        source=notes.source or ("a folder of `compress --out`" if compressed.card.definition else ""),
        images=len(compressed),
        size=compressed.size,
        per_class=tuple(torch.bincount(compressed.targets, minlength=len(compressed.class_names)).tolist()),
        class_names=compressed.class_names,
        soft_labels=compressed.soft_targets is not None,
        student_lr=compressed.student_lr,
        pixels=notes.pixels,
        classes=notes.classes,
        dataset=found.run.dataset_name if found.run else "",
        protocol=found.run.names.protocol if found.run else "",
    )


def _is_grey(images: Images, run: Run) -> bool:
    """Whether the channels are the same in all of some images."""
    canvases = images.canvases(torch.arange(min(_LOOKED_AT, len(images))), run.protocol.store.size)
    return bool((canvases == canvases[:, :1]).all())


def _looks_like_a_set(path: Path) -> bool:
    """Whether a file's images are known although the user has not yet said enough of them, or of their labels."""
    if path.suffix not in SUFFIXES or not path.is_file():
        return False
    from rethinkdc.compressed.tensor_files import read_tensors

    try:
        content: Any = read_tensors(path)
        experiments = content.get("data") if isinstance(content, Mapping) else None
        find_entries(experiments[0] if isinstance(experiments, list | tuple) and experiments else content)
    except RequestError:
        return False
    return True
