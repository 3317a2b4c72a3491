"""What people share of a selection: scores, lists of rows and traces, with what they were made of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.compressed.preview import check_preview, write_preview
from rethinkdc.context.books import by_stage
from rethinkdc.context.run import RunContext
from rethinkdc.contracts.kinds import Score
from rethinkdc.data.backing import Backing
from rethinkdc.errors import RequestError
from rethinkdc.reference import parse_reference
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, load_splits, resolve_run
from rethinkdc.runs.runner import Runner, deterministic
from rethinkdc.seeds import Seeds
from rethinkdc.training.trace_folder import export_trace


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
    method = runner.registry.build(Score, reference)
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
    made, run = compressed_by(compressor, dataset, protocol, ipc, seed, backing, machine)
    if made.rows is None:
        raise RequestError(f"{compressor} makes images of its own, no list of rows: use `rethinkdc compress`.")
    tensors = {"rows": made.rows} | ({} if made.weights is None else {"weights": made.weights})
    card = made.card.model_dump(mode="json")
    card["seconds"] = by_stage(made.card.seconds)
    about = {"compressor": run.labels["compressor"], "fingerprint": card.pop("dataset_fingerprint"), **card}
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
    check_new(Path(out))
    runner = make_runner(**machine)
    with _surroundings(runner, dataset, protocol, seed, backing) as (context, source):
        found = context.trace()
        about = {**source(), "rows": found.rows, "epochs": found.epochs, "clean_epochs": list(found.clean_epochs)}
        export_trace(found, about, Path(out))
    return about


def preview_to(path: str | Path) -> Callable[[CompressedSet, Run], None]:
    """What writes a picture of a set that a run makes, for :meth:`Runner.run`; refuses a path it cannot write to.

    Raises:
        RequestError: says why it cannot.
    """
    check_preview(path)

    def write(made: CompressedSet, run: Run) -> None:
        store, labels = run.protocol.store, run.labels
        known = [labels["compressor"], f"ipc {labels['ipc']}", labels["protocol"], f"seed {run.request.seeds.set}"]
        write_preview(
            made, path, size=store.size, fit=store.fit, interpolation=store.interpolation, caption=", ".join(known)
        )

    return write


def check_out(out: Path) -> None:
    """Refuses to begin work whose result could not be written.

    Raises:
        RequestError: no file or folder can be made at ``out``; names what stands in the way.
    """
    place = next(parent for parent in out.absolute().parents if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        why = "cannot be written" if place.is_dir() else "is no folder"
        raise RequestError(f"Cannot write {out}: {place} {why}. Choose another --out.")


def check_new(out: Path) -> None:
    """Refuses to begin work whose folder exists already, or could not be written.

    Raises:
        RequestError: says which.
    """
    if out.exists():
        raise RequestError(f"{out} exists already. Choose another --out folder, or remove it first.")
    check_out(out)


def compressed_by(
    compressor: str,
    dataset: str | None,
    protocol: str | None,
    ipc: int | None,
    seed: int | Seeds,
    backing: Backing,
    machine: Mapping[str, Any],
) -> tuple[CompressedSet, Run]:
    """The set that a compressor makes, and the run of its making; ``machine`` is of :func:`make_runner`."""
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
) -> Iterator[tuple[RunContext, Callable[[], dict[str, Any]]]]:
    """A context without a compressor, and what says where things made in it come from."""
    request = Request(
        compressor="full",
        dataset=dataset,
        protocol=protocol,
        seeds=seed if isinstance(seed, Seeds) else Seeds.all(seed),
        backing=backing,
    )
    run = resolve_run(request, runner.registry, runner.cache, trains=False)
    splits = load_splits(run, runner.cache)
    context = runner.context(run, splits)

    def source() -> dict[str, Any]:
        return {
            "protocol": run.protocol.id,
            "protocol_digest": run.protocol.digest,
            "dataset": run.labels["dataset"],
            "fingerprint": splits.train.fingerprint,
            "seeds": request.seeds.model_dump(),
            "notes": context.books.notes,
            "seconds": context.books.by_stage(),
        }

    with deterministic(runner.device, runner.threads):
        yield context, source
    shutil.rmtree(context.folder, ignore_errors=True)
