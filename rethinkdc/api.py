"""The Python face: one to one with the command line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.cache import Cache
from rethinkdc.compressed import Card, CompressedSet, export_folder, import_folder
from rethinkdc.context import Silent, by_stage
from rethinkdc.data.backing import Backing
from rethinkdc.errors import RequestError
from rethinkdc.method import parse_reference
from rethinkdc.records import Record, Records
from rethinkdc.registry import Registry
from rethinkdc.request import Request, load_splits, make_plan
from rethinkdc.runner import Runner, choose_device, deterministic
from rethinkdc.types import AXES, Progress, Seeds


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
    if Path(out).exists():
        raise RequestError(f"{out} exists already. Choose another --out folder, or remove it first.")
    check_out(Path(out))
    request = Request(
        compressor=compressor,
        dataset=dataset,
        protocol=protocol,
        ipc=ipc,
        seeds=seed if isinstance(seed, Seeds) else Seeds.all(seed),
        backing=backing,
    )
    made, plan = make_runner(**machine).compress(request)
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
    with deterministic(runner.device, runner.threads):
        scores = context.score(runner.registry.reference(method))
    shutil.rmtree(context.folder, ignore_errors=True)
    about = {
        "score": runner.registry.label(method),
        "definition": runner.registry.definition(method),
        "protocol": plan.protocol.id,
        "protocol_digest": plan.protocol.digest,
        "dataset": plan.labels["dataset"],
        "fingerprint": splits.train.fingerprint,
        "rows": len(scores),
        "seeds": request.seeds.model_dump(),
        "notes": context.notes,
        "seconds": by_stage(context.costs),
        "plugins": runner.registry.used([method]),
    }
    return scores, about


def check_out(out: Path) -> None:
    """Refuses to begin work whose result could not be written.

    Raises:
        RequestError: no file or folder can be made at ``out``; names what stands in the way.
    """
    place = next(parent for parent in out.absolute().parents if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        why = "cannot be written" if place.is_dir() else "is no folder"
        raise RequestError(f"Cannot write {out}: {place} {why}. Choose another --out.")


def parse_seeds(text: str | None, seed: int = 0) -> list[Seeds]:
    """Reads ``0,1,2`` (all axes together) or ``student=0,1,2`` (one axis; the others keep ``seed``).

    Raises:
        RequestError: no list of whole numbers, or an unknown axis.
    """
    if text is None:
        return [Seeds.all(seed)]
    axis, _, values = text.rpartition("=")
    if axis and axis not in AXES:
        raise RequestError(f"--seeds {text}: unknown axis {axis!r}. Known: {', '.join(AXES)}.")
    try:
        numbers = [int(value) for value in values.split(",")]
    except ValueError:
        raise RequestError(f"--seeds {text}: expected whole numbers such as 0,1,2 or student=0,1,2.") from None
    if len(set(numbers)) != len(numbers) or min(numbers) < 0:
        raise RequestError(f"--seeds {text}: the seeds must differ and not be negative.")
    if not axis:
        return [Seeds.all(number) for number in numbers]
    return [Seeds.all(seed).model_copy(update={axis: number}) for number in numbers]


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


__all__ = ["compress", "evaluate", "make_runner", "parse_seeds", "run", "score"]
