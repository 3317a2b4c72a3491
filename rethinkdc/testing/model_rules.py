"""Rules of models."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from rethinkdc.models import Model, Penultimate, build_seeded
from rethinkdc.seeds import generator
from rethinkdc.testing.case import Case
from rethinkdc.testing.comparing import difference, fields_that_differ, same
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.traces import Arguments, Traces, stir, traced
from rethinkdc.testing.verdicts import require

_BATCH = 4


def _build(case: Case, seed: int, classes: int | None = None) -> nn.Module:
    return build_seeded(cast(Model, case.method), classes or len(case.data.class_names), case.bench.size, seed)


def _works(case: Case) -> str:
    count = sum(parameter.numel() for parameter in _build(case, 0).parameters())
    return f"{count:,} parameters at {case.bench.size} px"


def _seeded(case: Case) -> None:
    first, again, other = (_build(case, seed).state_dict() for seed in (0, 0, 1))
    differs = fields_that_differ(first, again)
    told = f"other weights under the same seed: {difference(first, again)}"
    require(same(first, again), f"{case.label} has {told}", differs=differs)
    require(not same(first, other), f"{case.label} has the same weights under another seed", differs="weights")


def _logits(case: Case) -> None:
    classes, size = len(case.data.class_names), case.bench.size
    logits, _ = _ask(_build(case, 0), size)
    require(
        isinstance(logits, Tensor) and logits.shape == (_BATCH, classes) and bool(torch.isfinite(logits).all()),
        f"{case.label} must give finite logits [{_BATCH}, {classes}] for images of {size} px, found "
        f"{list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__}",
        differs="logits",
    )


def _features(case: Case) -> None:
    _, features = _ask(_build(case, 0), case.bench.size)
    told = f"{case.label} gives features of {list(features.shape)}, expected [{_BATCH}, d]"
    require(features.ndim == 2 and len(features) == _BATCH, told, differs="features")


def _learns(case: Case) -> None:
    network = _build(case, 0).train()
    loss = network(_images(case.bench.size)).float().pow(2).mean()
    loss.backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    require(not without, f"no gradient reaches {', '.join(without[:3])}", differs=", ".join(without[:3]))


def _many(case: Case) -> None:
    logits, _ = _ask(_build(case, 0, classes=1000), case.bench.size)
    require(logits.shape == (_BATCH, 1000), f"expected logits [{_BATCH}, 1000], found {list(logits.shape)}")


def _left(case: Case) -> Traces:
    traces = Traces()
    stir()
    with traced(traces, Arguments(), case.bench.new_folder()):
        _ask(_build(case, 0), case.bench.size)
    return traces


def _random_state(case: Case) -> None:
    drawn = _left(case).drawn
    told = f"{case.label} touched the global random state of {' and '.join(drawn)} beyond torch's, which is put back"
    require(not drawn, told, differs=", ".join(drawn))


def _process(case: Case) -> None:
    traces = _left(case)
    changed = [*traces.changed, *traces.files]
    require(not changed, f"{case.label} left behind another {' and '.join(changed)}", differs=", ".join(changed))


def _ask(network: nn.Module, size: int) -> tuple[Tensor, Tensor]:
    network.eval()
    with torch.no_grad(), Penultimate(network) as penultimate:
        logits = network(_images(size))
        return logits, penultimate.features


def _images(size: int) -> Tensor:
    return torch.rand((_BATCH, 3, size, size), generator=generator(0))


_WORKS = ("works",)
MODEL: tuple[Rule[Case], ...] = (
    Rule("works", "It builds a network for the protocol's images.", _works),
    Rule("seeds", "The same seed gives the same weights, and another one others.", _seeded, _WORKS),
    Rule("logits", "It gives one finite number for each class.", _logits, _WORKS),
    Rule("features", "What its last layer is given are features: one row for each image.", _features, _WORKS),
    Rule("learns", "A gradient reaches each of its parameters.", _learns, _WORKS),
    Rule("random state", "The global generators are left as they were.", _random_state, _WORKS),
    Rule("process", "Threads, dtypes, modes, flags, hooks and files are left as they were.", _process, _WORKS),
    Rule("1,000 classes", "There may be a thousand classes.", _many, _WORKS, long=True),
)
