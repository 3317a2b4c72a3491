"""Protocols as TOML: what is written reads back as the same protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.protocol.derived import DataFacts, derive_protocol
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry

FACTS = DataFacts(classes=5, train=4000, test=1000, smallest=800, side=300)
PROTOCOLS = [*Registry().protocols.all().values(), derive_protocol(FACTS, "hard"), derive_protocol(FACTS, "soft")]


def back(protocol: Protocol, folder: Path) -> Protocol:
    path = folder / "mine.toml"
    path.write_text(write_toml(protocol))
    return load_protocol(path)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.id)
def test_a_protocol_reads_back_as_it_was(protocol: Protocol, tmp_path: Path) -> None:
    assert back(protocol, tmp_path) == protocol
    text = write_toml(protocol)
    assert all(len(line) <= 120 for line in text.splitlines() if line.startswith("#"))
    # AdamW reads no momentum, a cosine no milestones.
    assert "milestones" not in text or 'name = "step"' in text
    assert text.count("\nmomentum = ") == text.count('name = "sgd"')


@pytest.mark.parametrize(
    "values",
    [
        {"training.optimizer.momentum": 0.5},
        {"training.schedule.milestones": [0.5]},
        {"proxy.clean": []},
        {"proxy.scores": {}},
        {"student.model": "convnet:depth=2,norm=none"},
        {"training.optimizer.lr": 1e-9},
        {"training.steps": 7},
    ],
    ids=str,
)
def test_values_set_on_purpose_are_kept_though_nothing_uses_them(values: dict[str, object], tmp_path: Path) -> None:
    changed = PROTOCOLS[-1].override(values).model_copy(update={"overrides": {}})
    assert changed.digest != PROTOCOLS[-1].digest
    assert back(changed, tmp_path).digest == changed.digest


def test_texts_are_escaped(tmp_path: Path) -> None:
    odd = PROTOCOLS[0].model_copy(update={"summary": 'a "b" \\ \n\t\x7f é 漢', "sources": {"a b.c": "x\ny" * 60}})
    assert back(odd, tmp_path) == odd
