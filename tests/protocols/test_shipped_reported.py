"""The published values that ship: they can be read, and all that they name exists."""

from __future__ import annotations

import re

import pytest

from rethinkdc.contracts.kinds import Compressor, Labeler
from rethinkdc.data.dataset import Dataset
from rethinkdc.models import Model
from rethinkdc.reference import parse_reference
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.reported import Reported, load_reported
from rethinkdc.studies.shipped import shipped_reported

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
each_file = pytest.mark.parametrize("name", shipped_reported())


def test_values_ship() -> None:
    assert set(shipped_reported()) >= {"hard", "soft", "origins"}


@each_file
def test_every_value_names_methods_and_a_protocol_that_exist(name: str) -> None:
    registry, values = Registry(), load_reported(name)
    for compressor in {value.compressor for value in values if value.compressor}:
        registry.build(Compressor, compressor)
    for student in {value.student for value in values if value.student}:
        registry.build(Model, parse_reference(student))
    for value in values:
        protocol = registry.protocols.find(value.protocol)
        assert registry.build(Dataset, value.dataset).name == protocol.default_dataset
        assert value.compressor or HUB_ID.fullmatch(value.set or "")
        track = registry.build(Labeler, value.labeler).track if value.labeler else value.track
        assert track is not None
        assert protocol.admits(track)


@each_file
def test_every_value_stands_once_and_says_where_it_was_read(name: str) -> None:
    values = load_reported(name)
    cells = [(v.compressor or v.set, v.labeler or v.track, v.dataset, v.student, v.ipc) for v in values]
    assert len(cells) == len(set(cells))
    for value in values:
        assert re.search(r"arXiv \d{4}\.\d{5}", value.source)
        if is_second_hand(value):
            assert not value.reliable


def is_second_hand(value: Reported) -> bool:
    """Whether nobody here saw the paper, nor what its authors publish beside it."""
    return any(word in value.source for word in ("secondary", "quoted"))
