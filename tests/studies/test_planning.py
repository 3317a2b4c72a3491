"""What a study's runs are, before any is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.data.fingerprint import KnownSplits
from rethinkdc.errors import DataError, RequestError
from rethinkdc.plugins.datasets.digits import Digits
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.study import Study


def test_a_dataset_that_cannot_be_had_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def identify_parts(dataset: Digits, cache_folder: Path | None) -> KnownSplits:
        asked.append(f"{dataset.name} {cache_folder}")
        raise DataError("The hub does not answer.")

    monkeypatch.setattr(Digits, "identify_parts", identify_parts)
    study = Study(dataset="digits", compressors=("random", "pca"), seeds=(0, 1, 2))
    with pytest.raises(RequestError, match=r"The hub does not answer\. \(So have 5 more runs\.\)"):
        runs_of(study, "study", Registry(), Cache(tmp_path))
    assert len(asked) == 1
