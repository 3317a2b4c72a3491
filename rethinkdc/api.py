"""The Python face: one to one with the command line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc import boards
from rethinkdc.boards import Board
from rethinkdc.cache import Cache
from rethinkdc.compressed import Card, CompressedSet, export_folder, import_folder
from rethinkdc.context import Context, Silent, by_stage
from rethinkdc.data.backing import Backing
from rethinkdc.errors import RequestError
from rethinkdc.method import parse_reference
from rethinkdc.records import Record, Records
from rethinkdc.registry import Registry
from rethinkdc.request import Plan, Request, load_splits, make_plan, parse_seeds
from rethinkdc.runner import Runner, choose_device, deterministic
from rethinkdc.study import Study, load_study, plans_of
from rethinkdc.sweeps import Cell, Ended, carry_out, cells_of
from rethinkdc.training.trace_folder import export_trace
from rethinkdc.types import Progress, Seeds


def make_runner(
    *,
    records: str | Path | None = None,
    cache_dir: str | Path | None = None,
    device: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Runner:
    """A runner for this machine.

    Args:
        records: folder of records; None = ``RETHINKDC_RECORDS`` or ``./records``.
        cache_dir: folder of the cache; None = ``RETHINKDC_CACHE`` or the platform's.
        device: ``cpu``, ``cuda`` or ``cuda:N``; None = CUDA where there is one.
        workers: threads that render views ahead; None = 4 beside CUDA, else 0.
        threads: that compute on a CPU; the bits of a result depend on it.
        progress: where long work reports to.
    """
    chosen = choose_device(device)
    return Runner(
        registry=Registry(),
        cache=Cache(Path(cache_dir) if cache_dir else None),
        records=Records(Path(records) if records else None),
        device=chosen,
        workers=workers if workers is not None else 4 if chosen.type == "cuda" else 0,
        threads=threads,
        progress=progress or Silent(),
    )


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
    _check_new(Path(out))
    made, plan = _compressed(compressor, dataset, protocol, ipc, seed, backing, machine)
    store = plan.protocol.store
    export_folder(made, Path(out), size=store.size, fit=store.fit, interpolation=store.interpolation)
    return made


def score(
    name: str,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    seed: int | Seeds = 0,
    backing: Backing = "auto",
    **machine: Any,
) -> tuple[Tensor, dict[str, Any]]:
    """Scores of the training rows, float32 [N] (larger = harder), and what they were made of, as JSON data.

    Raises:
        RequestError: an unknown score or a wrong value.
    """
    runner = make_runner(**machine)
    reference = parse_reference(name)
    runner.registry.check_unambiguous("score", reference)
    method = runner.registry.build("score", reference)
    with _surroundings(runner, dataset, protocol, seed, backing) as (context, source):
        scores = context.score(runner.registry.reference(method))
    about = {
        "score": runner.registry.label(method),
        "definition": runner.registry.definition(method),
        **source(),
        "rows": len(scores),
        "plugins": runner.registry.used([method]),
    }
    return scores, about


def rows(
    compressor: str,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    ipc: int | None = None,
    seed: int | Seeds = 0,
    backing: Backing = "auto",
    **machine: Any,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The training rows that a selector picks, and what they were made of, as JSON data.

    Returns:
        ``rows`` int64 [k] in pick order and, for weighted selectors, ``weights`` float32 [k]; and about them.

    Raises:
        RequestError: the request is wrong, or the compressor makes images of its own.
    """
    made, plan = _compressed(compressor, dataset, protocol, ipc, seed, backing, machine)
    if made.rows is None:
        raise RequestError(f"{compressor} makes images of its own, no list of rows: use `rethinkdc compress`.")
    tensors = {"rows": made.rows} | ({} if made.weights is None else {"weights": made.weights})
    card = made.card.model_dump(mode="json")
    about = {"compressor": plan.labels["compressor"], "fingerprint": card.pop("dataset_fingerprint"), **card}
    return tensors, about


def trace(
    out: str | Path,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    seed: int | Seeds = 0,
    backing: Backing = "auto",
    **machine: Any,
) -> dict[str, Any]:
    """Writes the trace of the protocol's proxy to the folder ``out``; returns what it was made of, as JSON data.

    Raises:
        RequestError: the request is wrong, or the folder exists.
    """
    _check_new(Path(out))
    runner = make_runner(**machine)
    with _surroundings(runner, dataset, protocol, seed, backing) as (context, source):
        found = context.trace()
        about = {**source(), "rows": found.rows, "epochs": found.epochs, "clean_epochs": list(found.clean_epochs)}
        export_trace(found, about, Path(out))
    return about


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


def check_out(out: Path) -> None:
    """Refuses to begin work whose result could not be written.

    Raises:
        RequestError: no file or folder can be made at ``out``; names what stands in the way.
    """
    place = next(parent for parent in out.absolute().parents if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        why = "cannot be written" if place.is_dir() else "is no folder"
        raise RequestError(f"Cannot write {out}: {place} {why}. Choose another --out.")


def _check_new(out: Path) -> None:
    if out.exists():
        raise RequestError(f"{out} exists already. Choose another --out folder, or remove it first.")
    check_out(out)


def _compressed(
    compressor: str,
    dataset: str | None,
    protocol: str | None,
    ipc: int | None,
    seed: int | Seeds,
    backing: Backing,
    machine: Mapping[str, Any],
) -> tuple[CompressedSet, Plan]:
    request = Request(
        compressor=compressor,
        dataset=dataset,
        protocol=protocol,
        ipc=ipc,
        seeds=seed if isinstance(seed, Seeds) else Seeds.all(seed),
        backing=backing,
    )
    return make_runner(**machine).compress(request)


@contextmanager
def _surroundings(
    runner: Runner, dataset: str | None, protocol: str | None, seed: int | Seeds, backing: Backing
) -> Iterator[tuple[Context, Callable[[], dict[str, Any]]]]:
    """A context without a compressor, and what says where things made in it come from."""
    request = Request(
        compressor="full",
        dataset=dataset,
        protocol=protocol,
        seeds=seed if isinstance(seed, Seeds) else Seeds.all(seed),
        backing=backing,
    )
    plan = make_plan(request, runner.registry, runner.cache)
    splits = load_splits(plan, runner.cache)
    context = runner.context(plan, splits)

    def source() -> dict[str, Any]:
        return {
            "protocol": plan.protocol.id,
            "protocol_digest": plan.protocol.digest,
            "dataset": plan.labels["dataset"],
            "fingerprint": splits.train.fingerprint,
            "seeds": request.seeds.model_dump(),
            "notes": context.notes,
            "seconds": by_stage(context.costs),
        }

    with deterministic(runner.device, runner.threads):
        yield context, source
    shutil.rmtree(context.folder, ignore_errors=True)


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


__all__ = [
    "compress",
    "evaluate",
    "leaderboard",
    "make_runner",
    "parse_seeds",
    "rows",
    "run",
    "score",
    "sweep",
    "trace",
]
