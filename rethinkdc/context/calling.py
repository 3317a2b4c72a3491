"""Calls of methods: whoever wrote one, what it raises, changes or returns amiss is told of it and of its package."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch
from torch import Tensor

from rethinkdc import interruption
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.splits import always_the_same
from rethinkdc.errors import ContractError, MethodError, RethinkError
from rethinkdc.method import Method
from rethinkdc.process_state import results_left_as_they_are
from rethinkdc.storage import fault_of_machine
from rethinkdc.types import Images

_PIXELS = 1 << 16
"""Values of decoded images that are looked at, spread over all of them."""
_ROWS = 8
"""Images that are looked at whole."""
_TARGETS = 1 << 16
_MOST_TEXT = 2_000
"""Characters that are kept of what was raised."""


@contextmanager
def called(
    method: Method,
    name: Callable[[Method], str],
    images: Images | None = None,
    check_unchanged: Callable[[], None] = always_the_same,
    made: tuple[object, Method] | None = None,
) -> Iterator[None]:
    """Inside, a method is called.

    What it changes of the process is put back.

    Args:
        method: that is called.
        name: names a method and its package.
        images: what it is given and must leave as it is.
        check_unchanged: raises where their files changed meanwhile, which is nobody's doing here.
        made: what it is given of another method's making, and that method: it is told of what is raised in there.

    Raises:
        MethodError: it raised what is no error of the framework, or tried to end the process.
        ContractError: it changed the images, or what other results depend on.
    """
    before = _sample(images)
    try:
        with warnings.catch_warnings(), results_left_as_they_are() as changes:
            yield
    except (KeyboardInterrupt, RethinkError):
        raise
    except BaseException as error:
        interruption.persist()
        if fault_of_machine(error) or is_short_of_memory(error):
            raise
        raise MethodError(f"{name(_innermost(error, method, made))} {_tell(error)}.") from error
    if changed := [*changes.names, *changes.lasting]:
        raise ContractError(
            f"{name(method)} changed {' and '.join(changed)}, on which other results depend. A random draw comes from "
            "context.generator(...); what else it needs it must put back before it returns."
        )
    if _sample(images) != before:
        check_unchanged()
        raise ContractError(
            f"{name(method)} changed the images that it was given, which all methods share. Copy what is to change, "
            "as in images.clone()."
        )


def require(value: object, kind: type, who: str, expected: str) -> None:
    """Checks what a method returned.

    Raises:
        ContractError: it is of another kind; says what it is.
    """
    if not isinstance(value, kind):
        raise ContractError(f"{who} returned {describe(value)}; it must return {expected}.")


def describe(value: object) -> str:
    """What a value is, as far as one wants to know who expected another one."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, numpy.ndarray):
        return f"a NumPy array, {value.dtype} {list(value.shape)}"
    if isinstance(value, Tensor):
        return f"a tensor, {str(value.dtype).removeprefix('torch.')} {list(value.shape)} on {value.device}"
    return f"a value of the type {type(value).__name__}"


def is_short_of_memory(error: BaseException) -> bool:
    """Whether the machine had no more memory, which is told of it and not of a method."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError)


def _innermost(error: BaseException, called: Method, made: tuple[object, Method] | None) -> Method:
    """The method of those that called each other in whose code an error was raised."""
    trace, found = error.__traceback__, called
    while trace is not None:
        holder: Any = trace.tb_frame.f_locals.get("self")
        if isinstance(holder, Method):
            found = holder
        elif made is not None and holder is made[0]:
            found = made[1]
        trace = trace.tb_next
    return found


def _tell(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        code = "" if error.code is None else repr(error.code)
        return f"tried to end the process with sys.exit({code}) instead of raising an error"
    name = type(error).__name__
    try:
        said = str(error).strip().rstrip(".")[:_MOST_TEXT]
    except BaseException:
        # What others raise may raise again when it is asked what it is.
        said = ""
    return f"raised {name}: {said}" if said else f"raised {name}"


def _sample(images: Images | None) -> str:
    """A digest of some of the images and of their classes; cheap beside anything that is done with them."""
    total = hashlib.sha256()
    if images is None or not len(images):
        return ""
    total.update(_spread(images.targets, _TARGETS))
    if isinstance(images, DecodedImages):
        total.update(_spread(images.pixels.permute(0, 2, 3, 1).flatten(), _PIXELS))
    for image in images.native(torch.linspace(0, len(images) - 1, min(_ROWS, len(images))).long()):
        total.update(image.contiguous().numpy().tobytes())
    return total.hexdigest()


def _spread(values: Tensor, most: int) -> bytes:
    """At most so many of the values of a vector, evenly spread, as bytes."""
    step = -(-len(values) // most)
    # Odd, so that not all fall into one channel or column.
    return values[:: step | 1].contiguous().numpy().tobytes()
