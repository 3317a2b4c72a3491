"""Every study that ships: it can be read, and all that it names exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.contracts.kinds import Compressor, Labeler
from rethinkdc.protocol.reading import protocol_files
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.shipped import shipped_studies


@pytest.mark.parametrize("name", shipped_studies())
def test_a_study_names_methods_and_a_protocol_that_exist(name: str) -> None:
    registry, study = Registry(), load_study(name)
    assert study.title
    for block in study.blocks():
        for asked in block.protocols:
            assert asked
            protocol = registry.protocols.find(asked)
            assert protocol.id == asked
            for labeler in block.labelers:
                built = registry.build("labeler", labeler)
                assert isinstance(built, Labeler)
                assert protocol.admits(built.track)
        for compressor in block.compressors:
            assert isinstance(compressor, StudySet) or isinstance(registry.build("compressor", compressor), Compressor)


def test_a_study_beside_protocols_is_not_read_as_one(tmp_path: Path) -> None:
    """Also where the protocols themselves lie below a folder of that name."""
    place = tmp_path / "studies" / "protocols"
    for name in ("one.toml", "more/two.toml", "studies/three.toml"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    assert [path.name for path in protocol_files(place)] == ["two.toml", "one.toml"]
    assert protocol_files(place / "one.toml") == [place / "one.toml"]
