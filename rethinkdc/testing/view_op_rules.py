"""Rules of view ops: what they show follows from the key of a view and its image alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from rethinkdc.data.store import CanvasStore
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.surroundings import images
from rethinkdc.testing.traces import Arguments, Traces, stir, traced
from rethinkdc.testing.verdicts import NotApplicableError, require
from rethinkdc.types import ViewKey, ViewRule
from rethinkdc.views.op import DifferentiableOp, MixOp, ViewOp
from rethinkdc.views.pipeline import Views

_SIDE = 16
_VIEWS = 64
_SEEDS = 8
"""Seeds other than 0, of which one at least must show other views: an op may change few of them."""
_ALONE = (0, 31, _VIEWS - 1)
"""Views that are also asked for by themselves."""
_PROTOCOL = "digits-hard"
"""Which protocol names the op, in the place of its own."""


@dataclass(frozen=True)
class ViewOpCase:
    """A view op that is checked, and the folder of its tries."""

    op: ViewOp
    registry: Registry
    folder: Path

    @cached_property
    def store(self) -> CanvasStore:
        """Images that are shown."""
        return CanvasStore(images(classes=4, per_class=_VIEWS // 4, size=_SIDE), _SIDE)

    def show(self, seed: int = 0, places: Tensor | None = None) -> Tensor:
        """Views of all images, as the training loop renders them; ``places``: those that are wanted of them."""
        mixes = isinstance(self.op, MixOp)
        ops, mix = ([], self.op) if mixes else ([self.op], None)
        views = Views(ops, mix, size=_SIDE, rule=ViewRule(), cell_boxes=None)
        rows = torch.arange(_VIEWS)
        batch = views.render(self.store, rows, self.store.images.targets, ViewKey(seed=seed, epoch=0, batch=0), places)
        return batch.pixels

    def place(self) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """What the op does to each view; and what it was given for that, before and after."""
        draws = torch.Generator().manual_seed(0)
        given = [
            torch.rand((_VIEWS, self.op.view_uniforms), generator=draws, dtype=torch.float64),
            torch.rand(self.op.batch_uniforms, generator=draws, dtype=torch.float64),
            torch.full((_VIEWS, 2), _SIDE),
        ]
        before = [each.clone() for each in given]
        return self.op.place(given[0], given[1], given[2]), before, given


def _works(case: ViewOpCase) -> str:
    shown, wanted = case.show(), (_VIEWS, 3, _SIDE, _SIDE)
    found = f"{shown.dtype} {list(shown.shape)}".removeprefix("torch.")
    require(tuple(shown.shape) == wanted, f"expected views of the shape {list(wanted)}, found {found}", differs="shape")
    if shown.dtype == torch.uint8:
        return found
    told = f"expected uint8{', or float32 where it mixes' * isinstance(case.op, MixOp)}, found {found}"
    require(shown.dtype == torch.float32 and isinstance(case.op, MixOp), told, differs="dtype")
    low, high = float(shown.min()), float(shown.max())
    require(low >= 0 and high <= 1, f"expected float32 in 0..1, found {low:g} to {high:g}", differs="range")
    return found


def _described(case: ViewOpCase) -> None:
    kind = type(case.op)
    summary = (kind.__doc__ or "").strip().split("\n", 1)[0]
    told = f"the first line of the docstring of {kind.__name__} is no sentence: {summary!r}"
    require("__doc__" in kind.__dict__ and summary.endswith((".", ":")), told, differs="docstring")
    for key, info in kind.model_fields.items():
        told = f"the parameter {key} has no description; give Field(description=...)"
        require(key == "op" or info.description, told, differs=key)


def _repeats(case: ViewOpCase) -> None:
    told = "one key shows other views the second time; the numbers come in, and it draws none of its own"
    require(torch.equal(case.show(), case.show()), told, differs="views")


def _seeds(case: ViewOpCase) -> str:
    drawn = f"numbers: {case.op.view_uniforms} for each view, {case.op.batch_uniforms} for each batch"
    if not case.op.view_uniforms and not case.op.batch_uniforms:
        raise NotApplicableError("it takes no numbers: it does the same to every view")
    first = case.show()
    if case.store.pixels is not None and torch.equal(first, case.store.pixels):
        raise NotApplicableError("with these values it changes no view; name others, as in NAME:p=0.5")
    moved = any(not torch.equal(first, case.show(seed)) for seed in range(1, _SEEDS + 1))
    require(moved, f"it shows the same views under {_SEEDS} other seeds, although it takes {drawn}", differs="seed")
    return drawn


def _alone(case: ViewOpCase) -> None:
    whole = case.show()
    for place in _ALONE:
        same = torch.equal(case.show(places=torch.tensor([place]))[0], whole[place])
        require(same, f"view {place} of {_VIEWS} is another when it is asked for by itself", differs="views")


def _untouched(case: ViewOpCase) -> None:
    assert case.store.pixels is not None
    before = case.store.pixels.clone()
    case.show()
    require(torch.equal(case.store.pixels, before), "it changed the images that it shows", differs="images")
    _, given, after = case.place()
    told = "place changes the numbers or sizes that it is given"
    require(all(map(torch.equal, given, after)), told, differs="uniforms")


def _manners(case: ViewOpCase) -> None:
    case.show()
    traces = Traces()
    stir()
    with traced(traces, Arguments(), case.folder):
        case.show()
    left = [*(f"global random state of {name}" for name in traces.drawn), *traces.changed, *traces.files]
    require(not left, f"it left behind another {' and '.join(left)}", differs=", ".join(left))


def _floats(case: ViewOpCase) -> None:
    if not isinstance(case.op, DifferentiableOp):
        raise NotApplicableError("it has no warp: it works on whole bytes alone")
    assert case.store.pixels is not None
    placed, *_ = case.place()
    given = (case.store.pixels.double() / 255).requires_grad_()
    before = given.detach().clone()
    shown = case.op.warp(given, placed)
    found = f"{shown.dtype} {list(shown.shape)}"
    told = f"warp makes {found} of {given.dtype} {list(given.shape)}"
    require((shown.dtype, shown.shape) == (given.dtype, given.shape), told, differs="warp")
    require(torch.equal(given.detach(), before), "warp changes the images that it is given", differs="images")
    require(shown.requires_grad, "no gradient comes through warp", differs="gradient")
    (gradient,) = torch.autograd.grad(shown.sum(), given)
    require(bool(gradient.isfinite().all()), "the gradient through warp is not finite", differs="gradient")


def _named(case: ViewOpCase) -> str:
    base, mixes = case.registry.protocols.find(_PROTOCOL), isinstance(case.op, MixOp)
    training = base.training.model_copy(update={"mix": case.op} if mixes else {"views": (case.op,)})
    named = base.model_copy(update={"id": "named", "training": training})
    file = case.folder / "named.toml"
    file.write_text(write_toml(named), encoding="utf-8")
    again = load_protocol(file, case.registry.view_ops.find)
    read = again.training.mix if mixes else again.training.views[0]
    told = f"written to a protocol and read again it is {read!r}, not {case.op!r}"
    require(read == case.op and again.digest == named.digest, told, differs="protocol")
    return "as a mix" if mixes else "among views"


_WORKS = ("works",)
VIEW_OP_RULES: tuple[Rule[ViewOpCase], ...] = (
    Rule("described", "Its docstring is a sentence, and each parameter has a description.", _described),
    Rule("works", "Views keep their shape, and are whole bytes; what mixes may give floats in 0..1.", _works),
    Rule("repeats", "The same key shows the same views, to the bit.", _repeats, _WORKS),
    Rule("seeds", "Other seeds show other views, where it takes numbers.", _seeds, ("works", "repeats")),
    Rule("one by one", "A view by itself is the one of the whole batch.", _alone, ("works", "repeats")),
    Rule("untouched", "Images, numbers and sizes that it is given stay as they are.", _untouched, _WORKS),
    Rule("process", "Generators, flags, hooks and files are left as they were.", _manners, _WORKS),
    Rule("floats", "What has a warp shows floats too, and hands gradients on.", _floats, _WORKS),
    Rule("named", "A protocol names it, is written and read again as the same.", _named, _WORKS),
)
"""What a view op must hold."""
