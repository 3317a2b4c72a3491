"""The family that the page shows is one that runs, and the studies that it names ship."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rethinkdc.studies.reading import load_study
from rethinkdc.studies.shipped import shipped_studies

PAGE = (Path(__file__).parents[2] / "docs" / "robust.md").read_text(encoding="utf-8")


def test_the_family_on_the_page_is_a_study_with_axes(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "shown.toml").write_text(text, encoding="utf-8")
    family = load_study(tmp_path / "shown.toml").family
    assert family is not None
    assert [knob.name for knob in family.knobs] == ["labels", "student", "training.batch", "training.steps"]
    assert str(family.design) == "full factorial 2^4, 16 settings"


@pytest.mark.parametrize("name", sorted(name for name in shipped_studies() if name.startswith("robust/")))
def test_the_shipped_families_are_fractions_that_the_page_names(name: str) -> None:
    study = load_study(name)
    assert study.family is not None
    design = study.family.design
    assert len(design.rows) == study.settings
    assert design.resolution == "IV"
    assert f"`{name}`" in PAGE
    assert f"OA({len(design.rows)}" in PAGE
