"""Whether a set is what its budget asks for."""

from __future__ import annotations

from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import RequestError
from rethinkdc.types import Budget


def check_budget(made: CompressedSet, name: str, budget: Budget, *, budgeted: bool, balanced: bool) -> None:
    """Checks what a compressor returned.

    Raises:
        RequestError: names the method, what the budget asks for, and what came back.
    """
    if made.size is not None and made.size != budget.size:
        raise RequestError(f"{name} returned canvases of {made.size} px; the protocol stores {budget.size} px.")
    if not len(made):
        raise RequestError(f"{name} returned no canvas at all; the budget is {budget.total}.")
    if int(made.targets.min()) < 0 or int(made.targets.max()) >= budget.classes:
        raise RequestError(f"{name} returned targets outside 0..{budget.classes - 1}.")
    if not budgeted:
        return
    if len(made) != budget.total:
        raise RequestError(
            f"{name} returned {len(made)} canvases; the budget is {budget.total} ({budget.ipc} per class)."
        )
    histogram = made.histogram()
    if balanced and set(histogram) != {budget.ipc}:
        raise RequestError(
            f"{name} declares balance but returned {min(histogram)} to {max(histogram)} canvases per class, "
            f"not {budget.ipc}."
        )
