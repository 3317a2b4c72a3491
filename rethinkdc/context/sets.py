"""Sets and scores as artefacts: what they depend on, how they are checked and written, and how they are read back."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.compressed import Card, CompressedSet, check_budget, load_working, save_working
from rethinkdc.compressed.working import SET_FILES
from rethinkdc.context.books import read_books
from rethinkdc.context.calling import describe, require
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor, Score
from rethinkdc.errors import ContractError
from rethinkdc.notes import MethodCode
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.proxy import TRACE_SEMANTICS
from rethinkdc.seeds import Seeds
from rethinkdc.storage import load_tensors, write_tensors
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.types import Budget, Images
from rethinkdc.views import VIEWS_REVISION

SET_SEMANTICS = 1
"""Raised whenever the core would store another set for the same method."""
SCORE_FILES = ("scores.safetensors",)


def score_key(
    definition: Mapping[str, Any], protocol: Protocol, seeds: Seeds, data: str, teachers: Mapping[str, Any] | None
) -> dict[str, Any]:
    """All that scores depend on.

    Args:
        definition: of the method.
        protocol: what the proxy and the images are made under.
        seeds: one on each axis.
        data: fingerprint of the training images.
        teachers: the protocol's, of a method that asks one.
    """
    return {"score": dict(definition), **_shared(protocol, seeds, data, data), **_asked(teachers)}


def set_key(
    definition: Mapping[str, Any],
    budget: Budget,
    protocol: Protocol,
    seeds: Seeds,
    data: tuple[str, str],
    teachers: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All that a set depends on, as :func:`score_key`; ``data``: of the training images, and of those compressed."""
    about = {"compressor": dict(definition), "budget": budget.model_dump()}
    return {**about, **_shared(protocol, seeds, *data), **_asked(teachers)}


def _shared(protocol: Protocol, seeds: Seeds, *data: str) -> dict[str, Any]:
    return {
        "semantics": [SET_SEMANTICS, TRACE_SEMANTICS, LOOP_REVISION, VIEWS_REVISION],
        "making": protocol.making_digest,
        "data": list(data),
        "seeds": seeds.model_dump(exclude={"student"}),
    }


def _asked(teachers: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if teachers is None else {"teachers": dict(teachers)}


def write_scores(scores: Tensor, method: Score, who: str, rows: int, out: Path) -> None:
    """Writes scores float [N] where they are one number per row of the method's pool.

    Args:
        scores: what the method returned.
        method: that did.
        who: names it, at the beginning of a sentence.
        rows: of the training set.
        out: folder of the artefact.

    Raises:
        ContractError: another kind, dtype or shape, or another number of NaN.
    """
    require(scores, Tensor, who, f"a float32 tensor [{rows}]")
    if scores.dtype == torch.bool or scores.is_complex() or scores.device.type == "meta":
        raise ContractError(f"{who} returned {describe(scores)}; it must return a float32 tensor [{rows}].")
    scores = scores.to("cpu", torch.float32)
    missing = int(torch.isnan(scores).sum())
    if scores.shape != (rows,) or missing != rows - method.pooled(rows):
        raise ContractError(
            f"{who} must give {method.pooled(rows):,} numbers for {rows:,} rows; found shape "
            f"{list(scores.shape)} with {missing:,} NaN."
        )
    write_tensors(out / SCORE_FILES[0], {"scores": scores.contiguous()})


def read_scores(folder: Path) -> Tensor:
    """Scores float32 [N], a tensor of its own."""
    return load_tensors(folder / SCORE_FILES[0])["scores"].clone()


def write_set(
    compressed: CompressedSet,
    method: Compressor,
    who: str,
    definition: Mapping[str, Any],
    codes: tuple[MethodCode, ...],
    budget: Budget,
    context: Context,
    notes: Mapping[str, Any],
    out: Path,
) -> None:
    """Writes a set that keeps the budget, with its card.

    Args:
        compressed: what the method returned; its card's own entries stay.
        method: that made it.
        who: names it, at the beginning of a sentence.
        definition: of the method.
        codes: by which it was made.
        budget: that was asked for.
        context: of the making.
        notes: facts that were noted meanwhile.
        out: folder of the artefact.

    Raises:
        ContractError: another number of canvases, another size, or wrong targets.
    """
    check_budget(compressed, who, budget, budgeted=method.budgeted, balanced=method.balanced and not method.listed)
    known = {
        "method": method.name,
        "definition": dict(definition),
        "ipc": budget.ipc if method.budgeted else None,
        "seeds": context.seeds.model_dump(),
        "dataset_fingerprint": context.data.fingerprint,
        "versions": {name: version(name) for name in ("rethinkdc", "torch", "pillow")},
        "code": codes,
        "notes": dict(notes),
        "external_data": notes.get("external_data", []),
    }
    card = Card(**{**known, **compressed.card.model_dump(exclude_defaults=True)})
    save_working(compressed.with_card(card), out)


def read_set(folder: Path, data: Images, context: Context) -> CompressedSet:
    """A set from its artefact.

    The same set serves every protocol with this store and proxy: its card names the one that asks now.
    """
    compressed = load_working(folder, data)
    books = read_books(folder)
    asked = {
        "protocol": context.protocol.id,
        "protocol_digest": context.protocol.digest,
        "seconds": books.seconds,
        "images_seen": books.images,
    }
    return compressed.with_card(compressed.card.model_copy(update=asked))


__all__ = [
    "SCORE_FILES",
    "SET_FILES",
    "SET_SEMANTICS",
    "read_scores",
    "read_set",
    "score_key",
    "set_key",
    "write_scores",
    "write_set",
]
