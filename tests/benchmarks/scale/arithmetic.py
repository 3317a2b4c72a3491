"""ImageNet-1K on N GPUs by arithmetic: views that the protocol and the paper's studies ask for, at an assumed rate."""

from __future__ import annotations

import re

from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.points import Point, expand
from rethinkdc.studies.reading import load_study

RATE = 2_500
"""Views per second of one GPU that trains a ResNet-18 at 224 px: assumed, measured by nobody here."""
DEEPER = 2.0
"""How many times a ResNet-34 takes as long: 3.7 against 1.8 billion multiplications."""
ASKED = 4 / 3
"""How many times a step takes as long that asks the teacher too: a forward pass is a third of a step."""
STUDIES = ("random", "soft", "hard", "rules", "ablation", "architectures", "regularisation", "noise", "scores", "sgd")
_IPC = re.compile(r"-ipc-(\d+)$")


def lines_of(registry: Registry) -> list[str]:
    """The page's two tables, as lines of Markdown."""
    protocol = registry.protocols.find("imagenet1k-hard")
    return [*_trainings(protocol), "", *_studies(registry, protocol)]


def hours(views: float, slower: float = 1.0) -> float:
    """Hours of one GPU."""
    return views * slower / RATE / 3600


def student_views(protocol: Protocol, ipc: int) -> int:
    """Views that one student of a set of so many images per class is shown."""
    rows = ipc * protocol.data.classes
    return protocol.training.length(rows, ipc).views


def _trainings(protocol: Protocol) -> list[str]:
    rows, reference = protocol.data.train, protocol.reference
    assert rows is not None
    assert reference is not None
    cells = [(f"student, ipc {ipc}", student_views(protocol, ipc), 1.0) for ipc in (1, 10, 50, 100, 200)]
    longer = [
        ("proxy, ResNet-34", protocol.proxy_recipe().training.length(rows).views, DEEPER),
        ("the full set", reference.length(rows).views, 1.0),
    ]
    head = ["| training | million views | GPU hours, hard labels | soft, asked at every step |", "|---|--:|--:|--:|"]
    return head + [
        f"| {name} | {views / 1e6:,.1f} | {hours(views, slower):,.1f} | {soft} |"
        for name, views, slower in [*cells, *longer]
        for soft in [f"{hours(views, ASKED):,.1f}" if name.startswith("student") else ""]
    ]


def _studies(registry: Registry, protocol: Protocol) -> list[str]:
    lines = ["| study | runs | million views | GPU hours | days on 8 GPUs |", "|---|--:|--:|--:|--:|"]
    total = [0, 0.0, 0.0]
    for name in STUDIES:
        points = expand(load_study(f"paper/{name}"), name, registry).points
        views = [student_views(protocol, _ipc(one)) for one in points]
        took = sum(
            hours(shown, ASKED if one.labeler.startswith("soft") else 1.0)
            for shown, one in zip(views, points, strict=True)
        )
        total = [total[0] + len(points), total[1] + sum(views), total[2] + took]
        lines.append(_line(f"`paper/{name}`", len(points), sum(views), took))
    return [*lines, _line("all", int(total[0]), total[1], total[2])]


def _line(name: str, runs: int, views: float, took: float) -> str:
    return f"| {name} | {runs:,} | {views / 1e6:,.0f} | {took:,.0f} | {took / 24 / 8:,.1f} |"


def _ipc(point: Point) -> int:
    """Images per class of a run: of a published set by its name."""
    if point.ipc is not None:
        return point.ipc
    found = _IPC.search(str(point.compressor))
    assert found, point
    return int(found[1])
