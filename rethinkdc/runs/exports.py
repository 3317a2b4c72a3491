"""What people share: compressed sets, scores, lists of rows and traces, with what they were made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rethinkdc import ranks
from rethinkdc.compressed import CompressedSet, export_folder
from rethinkdc.compressed.preview import check_preview, write_preview
from rethinkdc.context.books import by_stage, images_by_stage
from rethinkdc.context.run import RunContext
from rethinkdc.contracts.kinds import Score
from rethinkdc.errors import RequestError
from rethinkdc.reference import parse_reference
from rethinkdc.runs.calls import CompressCall, RowsCall, ScoreCall, TraceCall
from rethinkdc.runs.ground import load_splits, resolve_ground
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.options import part_of
from rethinkdc.runs.request import Request, Seeded
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.training.trace_folder import export_trace


def score_rows(call: ScoreCall) -> tuple[Tensor, dict[str, Any]]:
    """Scores the training rows.

    Returns:
        The scores, float32 [N] (larger = harder), and what they were made of, as JSON data.

    Raises:
        RequestError: an unknown score or a wrong value.
    """
    runner = make_runner(call)
    reference = parse_reference(call.score)
    runner.registry.check_unambiguous("score", reference)
    method = runner.registry.build(Score, reference)
    with _surroundings(runner, call, call.changes) as (context, source):
        scores = context.score(runner.registry.reference(method))
    about = {
        "score": runner.registry.label(method),
        "definition": runner.registry.definition(method),
        **source(),
        "rows": len(scores),
        "plugins": runner.registry.used([method]),
    }
    return scores, about


def pick_rows(call: RowsCall) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Picks the training rows that a selector takes.

    Returns:
        ``rows`` int64 [k] in pick order and, for weighted selectors, ``weights`` float32 [k]; and what they were made
        of, as JSON data.

    Raises:
        RequestError: the request is wrong, or the compressor makes images of its own.
    """
    compressed, run = make_runner(call).compress(part_of(call, Request))
    if compressed.rows is None:
        raise RequestError(f"{call.compressor} makes images of its own, no list of rows: use `rethinkdc compress`.")
    tensors = {"rows": compressed.rows} | ({} if compressed.weights is None else {"weights": compressed.weights})
    card = compressed.card.model_dump(mode="json")
    card["seconds"] = by_stage(compressed.card.seconds)
    card["images_seen"] = images_by_stage(compressed.card.images_seen, compressed.card.seconds)
    about = {"compressor": run.names.compressor, "fingerprint": card.pop("dataset_fingerprint"), **card}
    about["dataset"] = run.dataset_name
    return tensors, about


def write_trace(call: TraceCall) -> dict[str, Any]:
    """Writes the trace of the protocol's proxy to a folder; returns what it was made of, as JSON data.

    Raises:
        RequestError: the request is wrong, or the folder exists.
    """
    out = Path(call.out)
    if ranks.leads():
        check_new(out)
    with _surroundings(make_runner(call), call, {}) as (context, source):
        trace = context.trace()
        about = {**source(), "rows": trace.rows, "epochs": trace.epochs, "clean_epochs": list(trace.clean_epochs)}
        if ranks.leads():
            export_trace(trace, about, out)
    return about


def write_set(call: CompressCall) -> CompressedSet:
    """Makes a compressed set and writes it to a folder, and its picture where one is asked for.

    Of several ranks the first writes.

    Raises:
        RequestError: the request is wrong, or the folder exists.
    """
    out = Path(call.out)
    if ranks.leads():
        check_new(out)
    write_picture = preview_to(call.preview) if call.preview else None
    compressed, run = make_runner(call).compress(part_of(call, Request))
    if ranks.leads():
        store = run.protocol.store
        compressed = compressed.with_card(compressed.card.model_copy(update={"dataset": run.dataset_name}))
        export_folder(compressed, out, size=store.size, fit=store.fit, interpolation=store.interpolation)
        if write_picture:
            write_picture(compressed, run)
    return compressed


def preview_to(path: str | Path) -> Callable[[CompressedSet, Run], None]:
    """What writes a picture of a set that a run makes, for :meth:`Runner.run`; refuses a path it cannot write to.

    Raises:
        RequestError: says why it cannot.
    """
    check_preview(path)

    def write(compressed: CompressedSet, run: Run) -> None:
        store, names = run.protocol.store, run.names
        parts = [names.compressor, f"ipc {names.ipc}", names.protocol, f"seed {run.seeds.set}"]
        write_preview(
            compressed,
            path,
            size=store.size,
            fit=store.fit,
            interpolation=store.interpolation,
            caption=", ".join(parts),
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


@contextmanager
def _surroundings(
    runner: Runner, wanted: Seeded, changes: Mapping[str, Any]
) -> Iterator[tuple[RunContext, Callable[[], dict[str, Any]]]]:
    """A context without a run under a changed protocol, and what says where things made in it come from."""
    ground = resolve_ground(
        runner.registry,
        runner.cache,
        dataset=wanted.dataset,
        protocol=wanted.protocol,
        seeds=wanted.seeds,
        backing=wanted.backing,
    )
    ground = replace(ground, protocol=ground.protocol.override(changes, runner.registry.view_ops.find))
    splits = load_splits(ground, runner.cache)
    with runner.surroundings(ground, splits) as context:

        def source() -> dict[str, Any]:
            return {
                "protocol": ground.protocol.id,
                "protocol_digest": ground.protocol.digest,
                "dataset": ground.dataset_name,
                "fingerprint": splits.train.fingerprint,
                "seeds": ground.seeds.model_dump(),
                "notes": context.books.notes,
                "seconds": context.books.by_stage(),
                "images_seen": images_by_stage(context.books.images, context.books.seconds),
            }

        yield context, source
