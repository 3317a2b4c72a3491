"""Derived protocols: from the data alone, each value with its rule."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.models import Model
from rethinkdc.protocol.derived import DataFacts, derive_protocol, facts_of
from rethinkdc.registry.registry import Registry


def facts(**changes: int) -> DataFacts:
    values = {"classes": 5, "train": 4000, "test": 1000, "smallest": 800, "side": 300}
    return DataFacts.model_validate(values | changes)


KINDS = {
    "photographs": facts(),
    "digits": facts(classes=10, train=1437, test=360, smallest=139, side=8),
    "characters": facts(classes=10, smallest=300, side=28),
    "icons": facts(classes=120, train=9000, smallest=9, side=35),
    "tiny": facts(classes=2, train=6, test=2, smallest=1, side=3),
    "large": facts(classes=1000, train=1_200_000, test=50_000, smallest=700, side=330),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_track = pytest.mark.parametrize("track", ["hard", "soft"])


def test_the_facts_are_those_of_the_data() -> None:
    targets = torch.tensor([0, 1, 1, 0, 1])
    train = DecodedImages(torch.zeros(5, 3, 12, 20, dtype=torch.uint8), targets, ("a", "b"))
    test = DecodedImages(torch.zeros(2, 3, 12, 20, dtype=torch.uint8), targets[:2], ("a", "b"))
    assert facts_of(Splits(train, test)) == DataFacts(classes=2, train=5, test=2, smallest=2, side=12)


@each_kind
@each_track
def test_every_value_has_its_rule_as_its_source(kind: str, track: Literal["hard", "soft"]) -> None:
    protocol = derive_protocol(KINDS[kind], track)
    described = {"id", "version", "summary", "status", "sources", "track", "default", "default_dataset", "overrides"}
    content = protocol.model_dump(mode="json", exclude=described, exclude_defaults=True)
    missing = [key for key in leaves(content) if not any(key == s or key.startswith(f"{s}.") for s in protocol.sources)]
    assert not missing
    assert protocol.status == "derived"
    assert protocol.id == f"auto-{track}"


def leaves(content: dict[str, Any], prefix: str = "") -> list[str]:
    return [
        leaf
        for key, value in content.items()
        for leaf in (leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [prefix + key])
    ]


@each_kind
def test_it_fits_the_data_and_its_networks_can_be_built(kind: str) -> None:
    seen, registry = KINDS[kind], Registry()
    protocol = derive_protocol(seen, "hard")
    assert protocol.fits(Schema(classes=seen.classes, train=seen.train, test=seen.test))
    assert not protocol.fits(Schema(classes=seen.classes, train=seen.train + 1, test=seen.test))
    size = protocol.store.size
    assert protocol.teacher
    for network in (protocol.student, protocol.proxy_recipe(), *protocol.teacher.recipes.values()):
        registry.build(Model, network.model).build(seen.classes, size)
    assert 1 <= (protocol.default_ipc or 0) <= max(1, seen.smallest // 4)


def test_size_and_length_follow_the_rules() -> None:
    made = {kind: derive_protocol(seen, "hard") for kind, seen in KINDS.items()}
    sizes = {kind: protocol.store.size for kind, protocol in made.items()}
    assert sizes == {"photographs": 64, "digits": 8, "characters": 28, "icons": 32, "tiny": 8, "large": 224}
    assert made["photographs"].training.steps == {1: 300, 10: 600, 50: 1200}
    assert made["large"].training.steps == {1: 3000, 10: 6000, 50: 12000}
    # Many classes at 64 px: a CPU must answer in minutes.
    many = derive_protocol(facts(classes=120, side=150), "hard")
    assert many.training.steps == {1: 450, 10: 900, 50: 1800}
    assert "at most 1.5 times at 64 px" in many.sources["training.steps"]
    assert derive_protocol(facts(classes=40, side=32), "hard").training.steps == {1: 600, 10: 1200, 50: 2400}
    epochs = {kind: protocol.proxy_recipe().training.epochs for kind, protocol in made.items()}
    assert epochs == {"photographs": 8, "digits": 20, "characters": 15, "icons": 10, "tiny": 20, "large": 5}
    # No flip and no crop where characters are common.
    shifts = {"digits": 1.0, "tiny": 1.0, "characters": 2.0}
    for kind, shift in shifts.items():
        (view,) = made[kind].training.views
        assert view.model_dump() == {"op": "affine", "shift": shift, "rotation": 10.0, "scale": (0.85, 1.15)}
    assert [view.op for view in made["icons"].training.views] == ["random-resized-crop", "flip"]


def test_the_digest_is_that_of_the_data_and_the_track() -> None:
    digests = {derive_protocol(seen, track).digest for seen in KINDS.values() for track in ("hard", "soft")}
    assert len(digests) == 2 * len(KINDS)
    assert derive_protocol(facts(), "hard").digest == derive_protocol(facts(smallest=799), "hard").digest
