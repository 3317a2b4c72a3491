"""The Python face: one to one with the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc import boards
from rethinkdc.boards import Board
from rethinkdc.compressed import Card, CompressedSet, export_folder, import_folder
from rethinkdc.data.backing import Backing
from rethinkdc.errors import RequestError
from rethinkdc.machine import make_runner
from rethinkdc.records import Record, Records
from rethinkdc.request import Request, parse_seeds
from rethinkdc.sharing import check_new, compressed_by
from rethinkdc.study import Study, load_study, plans_of
from rethinkdc.sweeps import Cell, Ended, carry_out, cells_of
from rethinkdc.types import Seeds


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
    return make_runner(**machine).run(request, force=force)[0]


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
    name: str | None = None,
    force: bool = False,
    **machine: Any,
) -> Record:
    """Evaluates a finished set: plain tensors, a compressed set, or a folder of ``compress --out``.

    Args:
        images: uint8 [M, 3, S, S], or float in 0..1, at the protocol's size; or a set, or a folder.
        targets: int64 [M], with tensors only.
        labeler: reference of the labeler.
        dataset: whose test set to use; None = the protocol's.
        protocol: id or TOML file; None = the one that the set was made under, or the dataset's default.
        evaluator: reference of the evaluator.
        student: model in place of the protocol's student.
        seed: one seed for every axis, or :class:`Seeds`.
        weights: float [M], loss weights of the images.
        soft_targets: float [M, C], learned labels.
        name: what tables call the set.
        force: evaluate again although an ok record exists.
        **machine: as in :func:`run`.

    Raises:
        RequestError: sizes, types or classes do not fit the protocol.
    """
    return evaluate_or_find(
        images,
        targets,
        labeler=labeler,
        dataset=dataset,
        protocol=protocol,
        evaluator=evaluator,
        student=student,
        seed=seed,
        weights=weights,
        soft_targets=soft_targets,
        name=name,
        force=force,
        **machine,
    )[0]


def evaluate_or_find(
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
    name: str | None = None,
    force: bool = False,
    **machine: Any,
) -> tuple[Record, bool]:
    """As :func:`evaluate`; also tells whether the record existed before."""
    runner = make_runner(**machine)
    if isinstance(images, str | Path):
        made = import_folder(Path(images), runner.cache.home)
        name = name or Path(images).resolve().name
    elif isinstance(images, CompressedSet):
        made = images
    else:
        made = _set_of_tensors(images, targets, weights, soft_targets)
    request = Request(
        compressor="",
        labeler=labeler,
        evaluator=evaluator,
        dataset=dataset,
        protocol=protocol or made.card.protocol or None,
        student=student,
        seeds=seed if isinstance(seed, Seeds) else Seeds.all(seed),
    )
    label = name or made.card.method or "tensors"
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
    **machine: Any,
) -> CompressedSet:
    """Makes a compressed set and writes it to the folder ``out`` (Parquet that ``datasets`` reads, and a card).

    Raises:
        RequestError: the request is wrong, or the folder exists.
    """
    check_new(Path(out))
    made, plan = compressed_by(compressor, dataset, protocol, ipc, seed, backing, machine)
    store = plan.protocol.store
    export_folder(made, Path(out), size=store.size, fit=store.fit, interpolation=store.interpolation)
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
        study: path of a study file, name of a shipped one, or a :class:`~rethinkdc.study.Study`.
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
    cells = cells_of(plans_of(chosen, name, runner.registry, runner.cache, backing), runner.records)
    found = {cell.plan.key: cell.found for cell in cells}
    remaining = [cell for cell in cells if cell.remains(retry_unsupported=retry_unsupported)]

    def keep(cell: Cell, ended: Ended) -> None:
        found[cell.plan.key] = ended.record

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


def _set_of_tensors(
    images: Tensor, targets: Tensor | None, weights: Tensor | None, soft_targets: Tensor | None
) -> CompressedSet:
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3] or not len(images):
        raise RequestError(f"Images must be [M, 3, S, S] with at least one image; found {list(images.shape)}.")
    _check_targets(targets, len(images))
    assert targets is not None
    pixels, error = images, 0.0
    if images.dtype != torch.uint8:
        # Written so that NaN, which compares as neither, is refused too.
        if not (images.is_floating_point() and bool(((images >= 0) & (images <= 1)).all())):
            raise RequestError(
                f"Images must be uint8, or float in 0..1; found {images.dtype} in {float(images.min()):.3g}.."
                f"{float(images.max()):.3g}. Undo the normalisation first: images * std + mean."
            )
        pixels = (images * 255).round().to(torch.uint8)
        error = float((pixels.to(images.dtype) / 255 - images).abs().max())
    part = {"canvases": pixels, "targets": targets.to(torch.int64)}
    if weights is not None:
        part["weights"] = weights
    if soft_targets is not None:
        part["soft_targets"] = soft_targets
    names = tuple(str(index) for index in range(int(targets.max()) + 1))
    return CompressedSet.of_canvases([part], names, card=Card(rounding_error=error))


def _check_targets(targets: Tensor | None, count: int) -> None:
    if targets is None:
        raise RequestError("evaluate needs targets beside images [M, 3, S, S]: the class index of each, int64 [M].")
    if targets.shape != (count,) or targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        found = f"{targets.dtype} {list(targets.shape)}"
        raise RequestError(f"targets must be int64 [{count}], the class index of each image; found {found}.")
    if int(targets.min()) < 0:
        raise RequestError(f"targets must be class indices from 0; found {int(targets.min())}.")


def _ipc_of(made: CompressedSet) -> int | None:
    """Images per class: the card's, or the mean over the classes that occur."""
    if made.card.method:
        return made.card.ipc
    return max(1, round(len(made) / max(1, len(made.targets.unique()))))


__all__ = ["compress", "evaluate", "leaderboard", "parse_seeds", "run", "sweep"]
