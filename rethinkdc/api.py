"""The Python face: one to one with the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from rethinkdc import boards
from rethinkdc.boards import Board
from rethinkdc.compressed import (
    CompressedSet,
    FileFacts,
    LabelForm,
    export_folder,
    images_per_class,
    read_set,
    set_name,
    set_of_tensors,
)
from rethinkdc.compressed.preview import write_preview
from rethinkdc.context import ranks
from rethinkdc.data.backing import Backing
from rethinkdc.errors import RequestError
from rethinkdc.runs.exports import check_new, compressed_by, preview_to
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.records import Record, Records
from rethinkdc.runs.request import Request, parse_seeds
from rethinkdc.runs.study import Study, load_study, runs_of
from rethinkdc.runs.sweep import Ended, Standing, carry_out, standings_of
from rethinkdc.seeds import Seeds


def run(
    compressor: str,
    labeler: str = "hard",
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    evaluator: str = "standard",
    student: str | None = None,
    ipc: int | None = None,
    seed: int | Seeds = 0,
    tune: bool = False,
    overrides: Mapping[str, Any] | None = None,
    force: bool = False,
    backing: Backing = "auto",
    preview: str | Path | None = None,
    **machine: Any,
) -> Record:
    """Makes a compressed set, labels it, trains and tests a student, and returns the record.

    Args:
        compressor: reference of the compressor, for example ``"pca:grid=3"``.
        labeler: reference of the labeler.
        dataset: name, folder or hub id; None = the protocol's, or ``digits``.
        protocol: id or TOML file; None = the default for the dataset and the labeler's track.
        evaluator: reference of the evaluator.
        student: model in place of the protocol's student.
        ipc: images per class; None = the protocol's default.
        seed: one seed for every axis, or :class:`Seeds`.
        tune: train and test on a split of the training set.
        overrides: dotted protocol keys to replace; marks the record modified.
        force: run again although an ok record exists.
        backing: how images are held.
        preview: picture to write of the set, such as ``grid.png``.
        **machine: ``records``, ``cache_dir``, ``device``, ``workers``, ``threads``, ``progress`` of
            :func:`make_runner`.

    Raises:
        RequestError: the request is wrong; nothing was written.
        DivergedError: training diverged; recorded as failed.
    """
    request = Request(
        compressor=compressor,
        labeler=labeler,
        evaluator=evaluator,
        dataset=dataset,
        protocol=protocol,
        student=student,
        ipc=ipc,
        seeds=seed if isinstance(seed, Seeds) else Seeds.all(seed),
        tune=tune,
        overrides=dict(overrides or {}),
        backing=backing,
    )
    seen = preview_to(preview) if preview else None
    return make_runner(**machine).run(request, force=force, seen=seen)[0]


def evaluate(
    images: Tensor | CompressedSet | str | Path,
    targets: Tensor | None = None,
    *,
    labeler: str = "hard",
    dataset: str | None = None,
    protocol: str | None = None,
    evaluator: str = "standard",
    student: str | None = None,
    seed: int | Seeds = 0,
    weights: Tensor | None = None,
    soft_targets: Tensor | None = None,
    student_lr: float | str | Path | None = None,
    labels: str | Path | None = None,
    soft_labels: LabelForm | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    experiment: int | None = None,
    name: str | None = None,
    preview: str | Path | None = None,
    force: bool = False,
    **machine: Any,
) -> Record:
    """Evaluates a finished set: plain tensors, a compressed set, or the place where one lies.

    Args:
        images: uint8 [M, 3, S, S], or float in 0..1 or normalised, at the protocol's size; or a set; or the place of
            one: a folder of ``compress --out``, a Parquet folder or hub id, a tree of image files, or a file of tensors
            (see :mod:`rethinkdc.compressed.tensor_files`).
        targets: int64 [M], with tensors only.
        labeler: reference of the labeler.
        dataset: whose test set to use; None = the protocol's.
        protocol: id or TOML file; None = the one that the set was made under, or the dataset's default.
        evaluator: reference of the evaluator.
        student: model in place of the protocol's student.
        seed: one seed for every axis, or :class:`Seeds`.
        weights: float [M], loss weights of the images.
        soft_targets: float [M, C], learned labels as logits.
        student_lr: of tensors and files: the student rate that was learned with them; of a file also the file of it.
        labels: of a file of images alone: the file of its labels.
        soft_labels: of a file: what soft labels are, ``logits`` or ``probabilities``.
        mean: of tensors and files: channel means that float images were normalised with.
        std: of tensors and files: channel standard deviations of the same.
        experiment: of a file with several experiments: which, from 0.
        name: what tables call the set.
        preview: picture to write of the set, such as ``grid.png``.
        force: evaluate again although an ok record exists.
        **machine: as in :func:`run`.

    Raises:
        RequestError: sizes, types or classes do not fit the protocol.
    """
    facts = FileFacts(
        labels=None if labels is None else Path(labels),
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        soft_labels=soft_labels,
        experiment=experiment,
        student_lr=Path(student_lr) if isinstance(student_lr, str) else student_lr,
    )
    if isinstance(images, Tensor):
        if isinstance(facts.student_lr, Path):
            raise RequestError(f"student_lr of tensors is a number; found the file {facts.student_lr}.")
        images = set_of_tensors(
            images,
            targets,
            mean=facts.mean,
            std=facts.std,
            weights=weights,
            soft_targets=soft_targets,
            student_lr=facts.student_lr,
        )
    return evaluate_or_find(
        images,
        labeler=labeler,
        dataset=dataset,
        protocol=protocol,
        evaluator=evaluator,
        student=student,
        seed=seed,
        facts=facts,
        name=name,
        preview=preview,
        force=force,
        **machine,
    )[0]


def evaluate_or_find(
    found: CompressedSet | str | Path,
    *,
    labeler: str = "hard",
    dataset: str | None = None,
    protocol: str | None = None,
    evaluator: str = "standard",
    student: str | None = None,
    seed: int | Seeds = 0,
    facts: FileFacts | None = None,
    name: str | None = None,
    preview: str | Path | None = None,
    force: bool = False,
    **machine: Any,
) -> tuple[Record, bool]:
    """As :func:`evaluate`, of a set or its place; also tells whether the record existed before."""
    runner = make_runner(**machine)
    if isinstance(found, CompressedSet):
        made = found
    else:
        made = read_set(found, facts, runner.cache.home)
        name = name or set_name(found)
    label = name or made.card.method or "tensors"
    if preview:
        write_preview(made, preview)
    request = Request(
        compressor="",
        labeler=labeler,
        evaluator=evaluator,
        dataset=dataset,
        protocol=protocol or made.card.protocol or None,
        student=student,
        seeds=seed if isinstance(seed, Seeds) else Seeds.all(seed),
    )
    return runner.evaluate(made, request, name=label, ipc=_ipc_of(made), force=force)


def compress(
    compressor: str,
    out: str | Path,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    ipc: int | None = None,
    seed: int | Seeds = 0,
    backing: Backing = "auto",
    preview: str | Path | None = None,
    **machine: Any,
) -> CompressedSet:
    """Makes a compressed set and writes it to the folder ``out`` (Parquet that ``datasets`` reads, and a card).

    ``preview`` is a picture to write of it, such as ``grid.png``; the rest is as in :func:`run`.

    Raises:
        RequestError: the request is wrong, or the folder exists.
    """
    if ranks.leads():
        check_new(Path(out))
    seen = preview_to(preview) if preview else None
    made, run = compressed_by(compressor, dataset, protocol, ipc, seed, backing, machine)
    if not ranks.leads():
        return made
    store = run.protocol.store
    export_folder(made, Path(out), size=store.size, fit=store.fit, interpolation=store.interpolation)
    if seen:
        seen(made, run)
    return made


def sweep(
    study: str | Path | Study,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    seeds: str | None = None,
    jobs: int = 1,
    retry_unsupported: bool = False,
    backing: Backing = "auto",
    **machine: Any,
) -> list[Record]:
    """Makes the runs of a study that are not on record yet; one that fails is recorded, and the others go on.

    Args:
        study: path of a study file, name of a shipped one, or a :class:`~rethinkdc.runs.study.Study`.
        dataset: in place of the study's.
        protocol: in place of the study's.
        seeds: in place of the study's: ``"0,1,2"`` or ``"student=0,1,2"``.
        jobs: processes side by side; with more than one a script must call this below
            ``if __name__ == "__main__":``.
        retry_unsupported: also try again what was unsupported.
        backing: how images are held.
        **machine: as in :func:`run`.

    Returns:
        One record per run, in the study's order: its first ok attempt, else its last.

    Raises:
        RequestError: the study or one of its runs is wrong; nothing was run.
    """
    runner = make_runner(**machine)
    chosen = study if isinstance(study, Study) else load_study(study)
    name = "the study" if isinstance(study, Study) else study
    chosen = chosen.replaced(dataset=dataset, protocol=protocol, seeds=seeds)
    standings = standings_of(runs_of(chosen, name, runner.registry, runner.cache, backing), runner.records)
    found = {standing.run.key: standing.found for standing in standings}
    remaining = [standing for standing in standings if standing.remains(retry_unsupported=retry_unsupported)]

    def keep(standing: Standing, ended: Ended) -> None:
        found[standing.run.key] = ended.record

    carry_out(remaining, runner, keep, jobs=jobs)
    return [record for record in found.values() if record]


def leaderboard(
    records: str | Path | None = None,
    *,
    metric: str = "top1",
    ipc: int | None = None,
    protocol: str | None = None,
    dataset: str | None = None,
) -> list[Board]:
    """The boards of the records in a folder: methods under equal conditions, ranked; see :mod:`rethinkdc.boards`.

    Args:
        records: folder of records; None = ``RETHINKDC_RECORDS`` or ``./records``.
        metric: what ranks.
        ipc: only boards of this number of images per class.
        protocol: only boards of this protocol: its id, or the beginning of its digest.
        dataset: only boards of this dataset: its label, or the beginning of its fingerprint.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    return boards.leaderboard(
        Records(Path(records) if records else None), metric=metric, ipc=ipc, protocol=protocol, dataset=dataset
    )


def _ipc_of(made: CompressedSet) -> int | None:
    """Images per class: the card's, or the mean over the classes that occur."""
    return made.card.ipc if made.card.method else images_per_class(made.targets)


__all__ = ["compress", "evaluate", "leaderboard", "parse_seeds", "run", "sweep"]
