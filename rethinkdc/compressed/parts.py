"""The parts that a set is assembled from: what they may hold, and how it is joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rethinkdc.errors import RequestError, nearest

REQUIRED = ("canvases", "targets")
PER_IMAGE = ("sources", "source_boxes", "weights", "soft_targets")
"""What a part may hold for each of its canvases beside the class."""
STUDENT_LR = "student_lr"

Part = Mapping[str, Tensor]


def check_parts(parts: Sequence[Part]) -> None:
    """Refuses parts of which something would be lost: a name that nobody reads, or one that only some parts hold.

    Raises:
        RequestError: names the part and what it holds, what it lacks, or what is not of its length.
    """
    known = (*REQUIRED, *PER_IMAGE, STUDENT_LR)
    needed = {*REQUIRED, *(name for part in parts for name in part)}
    for index, part in enumerate(parts):
        held = ", ".join(part) or "nothing"
        for name in part:
            if name not in known:
                raise RequestError(f"Part {index} of the set holds {name!r}, which no set has. {nearest(name, known)}")
        if missing := sorted(needed - set(part)):
            raise RequestError(
                f"Part {index} of the set lacks {', '.join(missing)}; it holds {held}. Every part needs canvases and "
                "targets, and what one part holds beside them all must hold."
            )
        count = len(part["canvases"])
        if wrong := [name for name in part if name != STUDENT_LR and len(part[name]) != count]:
            raise RequestError(
                f"Part {index} of the set holds {count} canvases but {len(part[wrong[0]])} {wrong[0]}; each canvas "
                "needs one."
            )


def join(parts: Sequence[Part], name: str) -> Tensor | None:
    """The values of all parts, one after the other; None where the parts hold none."""
    return torch.cat([part[name] for part in parts]) if name in parts[0] else None


def agreed_rate(parts: Sequence[Part], stated: float | None) -> float | None:
    """The one learned student rate of all parts and of ``stated``; None where nobody states one.

    Raises:
        RequestError: the parts state different rates, or one that is no single number.
    """
    rates = [] if stated is None else [stated]
    rates += [read_rate(part[STUDENT_LR], f"part {index}") for index, part in enumerate(parts) if STUDENT_LR in part]
    if len(set(rates)) > 1:
        raise RequestError(
            f"A set has one student_lr; its parts state {', '.join(f'{rate:g}' for rate in sorted(set(rates)))}. "
            "Learn one rate for all parts, or give it once."
        )
    return rates[0] if rates else None


def read_rate(value: Tensor, where: str) -> float:
    """A learned student rate out of a tensor of one number.

    Raises:
        RequestError: it holds none or several; names ``where``.
    """
    if value.numel() != 1 or value.is_complex():
        raise RequestError(f"A student_lr is one number; {where} holds {value.dtype} {list(value.shape)}.")
    return float(value.detach())
