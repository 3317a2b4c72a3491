"""Which methods a name means, and what is remembered of how they were checked."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from rethinkdc.context.checked import Checked, find_checked, is_empty, kept_extent, note_checked
from rethinkdc.errors import PluginError, RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.testing.checking import Subject, check_subject, find_subjects
from rethinkdc.testing.verdicts import Verdict

REGISTRY = Registry()


@dataclass(frozen=True)
class Heard:
    """Notes what it hears."""

    tried: list[str]
    told: list[str]

    def trying(self, rule: str) -> AbstractContextManager[object]:
        self.tried.append(rule)
        return nullcontext()

    def hear(self, verdict: Verdict) -> None:
        self.told.append(verdict.rule)


def test_a_name_means_the_method_of_each_kind_that_has_it() -> None:
    assert find_subjects(REGISTRY, "random", None) == [Subject("compressor", "random"), Subject("score", "random")]
    assert find_subjects(REGISTRY, "random", "score") == [Subject("score", "random")]
    assert find_subjects(REGISTRY, "pca:grid=3", None) == [Subject("compressor", "pca:grid=3")]
    assert find_subjects(REGISTRY, "rethinkdc/pca", None) == [Subject("compressor", "rethinkdc/pca")]
    assert find_subjects(REGISTRY, "crop-pad:pad=2", None) == [Subject("view-op", "crop-pad:pad=2")]
    assert find_subjects(REGISTRY, "digits-hard", None) == [Subject("protocol", "digits-hard")]


def test_a_distribution_means_all_its_methods() -> None:
    found = find_subjects(REGISTRY, "rethinkdc", None)
    assert {subject.kind for subject in found} >= {"compressor", "score", "labeler", "engine"}
    assert len(found) == len(set(found)) > 50
    assert Subject("compressor", "rethinkdc/pca") in found
    assert {one.kind for one in find_subjects(REGISTRY, "rethinkdc", "model")} == {"model"}


def test_what_nobody_has_gets_the_nearest() -> None:
    with pytest.raises(
        PluginError, match=r"Unknown method, view op, protocol or distribution 'rnadom'\. Did you mean 'random'"
    ):
        find_subjects(REGISTRY, "rnadom", None)
    with pytest.raises(PluginError, match="Unknown score 'pca'"):
        find_subjects(REGISTRY, "pca", "score")
    with pytest.raises(RequestError, match=r"No plugin is of the kind 'scorer'\. Did you mean 'score'"):
        find_subjects(REGISTRY, "random", "scorer")


def test_a_check_is_noted_by_the_code(tmp_path: Path) -> None:
    (subject,) = find_subjects(REGISTRY, "random", "score")
    tried, told = list[str](), list[str]()
    report = check_subject(
        subject,
        REGISTRY,
        tmp_path / "tries",
        quick=True,
        device="cpu",
        varies_with=None,
        listener=Heard(tried, told),
        cache_folder=tmp_path / "cache",
    )
    assert report.kept
    assert told == [verdict.rule for verdict in report.verdicts]
    assert tried == [verdict.rule for verdict in report.verdicts if not verdict.told.startswith("not tried")]
    assert find_checked("score", "random", report.code, tmp_path / "cache") == Checked(method="random", extent="quick")
    assert kept_extent("score", "random", report.code, tmp_path / "cache") == "quick"
    assert kept_extent("score", "random", "0" * 64, tmp_path / "cache") is None


def test_a_method_that_needs_a_parameter_is_not_checked(tmp_path: Path) -> None:
    report = check_subject(
        Subject("score", "file"),
        REGISTRY,
        tmp_path / "tries",
        quick=True,
        device="cpu",
        varies_with=None,
        listener=Heard([], []),
        cache_folder=tmp_path / "cache",
    )
    assert not report.kept
    (verdict,) = report.verdicts
    assert (verdict.rule, verdict.outcome) == ("works", "does not apply")
    assert "needs the parameter 'path'" in verdict.told
    assert is_empty(tmp_path / "cache")


def test_a_mark_goes_with_a_broken_rule_and_a_quick_check_takes_none_away(tmp_path: Path) -> None:
    assert is_empty(tmp_path)
    whole, quick = (Checked(method="m", extent=extent) for extent in ("whole", "quick"))
    for checked, kept in ((quick, "quick"), (whole, "whole"), (quick, "whole")):
        note_checked("score", "m", "c", checked, tmp_path)
        assert kept_extent("score", "m", "c", tmp_path) == kept
    assert not is_empty(tmp_path)
    note_checked("score", "m", "c", Checked(method="m", extent="quick", broken=("budget",)), tmp_path)
    assert kept_extent("score", "m", "c", tmp_path) is None
    note_checked("score", "m", "c", whole, tmp_path)
    for file in (tmp_path / "fingerprints" / "checked").iterdir():
        file.write_bytes(b"damaged")
    assert kept_extent("score", "m", "c", tmp_path) is None


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "fingerprints").write_text("in the way")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        note_checked("score", "m", "c", Checked(method="m", extent="whole"), tmp_path)
    assert any("Nothing new is remembered" in str(one.message) for one in told)
