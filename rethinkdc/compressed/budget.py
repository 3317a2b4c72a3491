"""Whether a set is what its budget asks for."""

from __future__ import annotations

import math

from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import ContractError
from rethinkdc.types import Budget


def check_budget(compressed: CompressedSet, name: str, budget: Budget, *, budgeted: bool, balanced: bool) -> None:
    """Checks what a compressor returned.

    Args:
        compressed: what came back.
        name: names the method, at the beginning of a sentence.
        budget: that it was given.
        budgeted: whether it declares to keep it.
        balanced: whether it declares to keep it in each class.

    Raises:
        ContractError: names the method, what the budget asks for, and what came back.
    """
    if compressed.size is not None and compressed.size != budget.size:
        raise ContractError(f"{name} returned canvases of {compressed.size} px; the protocol stores {budget.size} px.")
    if not len(compressed):
        raise ContractError(f"{name} returned no canvas at all; the budget is {budget.total}.")
    if int(compressed.targets.min()) < 0 or int(compressed.targets.max()) >= budget.classes:
        raise ContractError(f"{name} returned targets outside 0..{budget.classes - 1}.")
    if not budgeted:
        return
    if len(compressed) != budget.total:
        raise ContractError(
            f"{name} returned {len(compressed)} canvases; the budget is {budget.total} ({_spell(budget)} per class)."
        )
    histogram = compressed.histogram()
    if balanced and tuple(histogram) != budget.per_class:
        raise ContractError(
            f"{name} declares balance but returned {min(histogram)} to {max(histogram)} canvases per class, "
            f"not {_spell(budget)}."
        )


def largest_size(available: int, per_canvas: int) -> str:
    """A sentence: the largest ipc that a class allows, or the largest grid where not one canvas can be filled.

    Args:
        available: images of the smallest class.
        per_canvas: images that a canvas takes.
    """
    if available >= per_canvas:
        return f"The largest ipc here is {available // per_canvas}."
    return f"Not one canvas can be filled: the largest grid here is {math.isqrt(available)}."


def _spell(budget: Budget) -> str:
    low, high = min(budget.per_class), max(budget.per_class)
    return str(low) if low == high else f"{low} to {high}"
