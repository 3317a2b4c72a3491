"""What a user asks for. Imports nothing heavy: the command line's help is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rethinkdc.data.backing import Backing
from rethinkdc.errors import RequestError
from rethinkdc.seeds import AXES, Seeds

DEFAULT_DATASET = "digits"


DEFAULT_IPC = 10


@dataclass(frozen=True)
class Request:
    """What a user asks for; every field is optional but the compressor.

    ``tune``: train and test on a stratified split of the training set, for choosing a protocol's values.
    ``overrides``: dotted protocol keys to replace; the record is then marked modified.
    """

    compressor: str
    labeler: str = "hard"
    evaluator: str = "standard"
    dataset: str | None = None
    protocol: str | None = None
    student: str | None = None
    ipc: int | None = None
    seeds: Seeds = field(default_factory=Seeds)
    tune: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)
    backing: Backing = "auto"


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
