"""Runs trained again beside their records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.verification import Replay, Verification
from rethinkdc.verification.results import Difference, as_data


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def replay(ran: Path, records: Path) -> Callable[..., Verification]:
    """Verifies the first record with its replay, in the cache of its run."""

    def verified(**more: Any) -> Verification:
        place = sorted(records.glob("*/*.json"))[0]
        return rdc.verify(place, replay=True, **{"cache_dir": ran / "cache", **more})

    return verified


def only(found: Verification) -> Replay:
    (one,) = found.checked
    assert one.replay is not None
    return one.replay


def test_the_same_machine_gives_the_same_bits_and_the_record_stays(
    records: Path, replay: Callable[..., Verification], tmp_path: Path
) -> None:
    before = bytes_below(records)
    for more in ({}, {"from_scratch": True, "cache_dir": tmp_path / "unused"}):
        found = replay(**more)
        assert found.holds
        assert (only(found).outcome, only(found).changed, only(found).environment) == ("bit-equal", 0, ())
        assert found.summary == "1 record: 1 verified; replays: 1 bit-equal"
    assert bytes_below(records) == before
    assert not (tmp_path / "unused").exists()


def test_another_result_is_told_with_what_differs(
    records: Path, replay: Callable[..., Verification], change: Callable[..., None]
) -> None:
    first = sorted(records.glob("*/*.json"))[0]

    def pretend(content: dict[str, Any]) -> None:
        content["evaluation"]["metrics"]["top1"] = 0.99
        content["environment"]["versions"]["torch"] = "1.0"
        content["environment"]["python"] = "2.7"
        content["result_digest"] = content["evaluation"]["result_digest"] = "0" * 64
        content["predictions"] = None

    change(first, pretend)
    found = replay()
    assert not found.holds
    replayed = only(found)
    assert replayed.outcome == "different"
    assert replayed.metrics is not None
    assert replayed.metrics["top1"].recorded == 0.99
    assert replayed.changed is None
    said = str(replayed)
    assert "for 0.99" in said
    assert "for 1.0" in said
    assert "for 2.7" in said
    assert as_data(found)["counts"]["different"] == 1


def test_a_result_that_is_near_is_within_tolerance_and_says_how_far(
    records: Path, replay: Callable[..., Verification], change: Callable[..., None]
) -> None:
    first = sorted(records.glob("*/*.json"))[0]

    def nudge(content: dict[str, Any]) -> None:
        content["evaluation"]["metrics"]["loss"] *= 1.0000001
        content["result_digest"] = content["evaluation"]["result_digest"] = "0" * 64

    change(first, nudge)
    found = replay()
    assert found.holds
    assert (only(found).outcome, only(found).changed) == ("within tolerance", 0)
    assert "nothing that the record tells of the machine" in str(only(found))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("dataset", "no-such-data", "no-such-data"), ("protocol", "unheard-of v3", "unheard-of")],
)
def test_what_cannot_be_reached_is_not_replayed_and_says_why(
    records: Path, replay: Callable[..., Verification], change: Callable[..., None], name: str, value: str, said: str
) -> None:
    change(sorted(records.glob("*/*.json"))[0], lambda content: content["names"].update({name: value}))
    found = replay()
    assert found.holds
    assert (only(found).outcome, found.count("not replayed")) == ("not replayed", 1)
    assert said in only(found).reason


def test_data_and_protocol_that_are_named_are_used(
    records: Path, replay: Callable[..., Verification], change: Callable[..., None]
) -> None:
    names = {"dataset": "mine", "protocol": "own v1"}
    change(sorted(records.glob("*/*.json"))[0], lambda content: content["names"].update(names))
    assert only(replay(dataset="digits", protocol="digits-hard")).outcome == "bit-equal"
    other = only(replay(dataset="digits:fold=1", protocol="digits-hard"))
    assert other.outcome == "not replayed"
    assert "another dataset" in other.reason


def test_a_device_that_is_not_here_is_not_replaced_by_another(
    records: Path, replay: Callable[..., Verification], change: Callable[..., None]
) -> None:
    change(sorted(records.glob("*/*.json"))[0], lambda content: content["environment"].update(device="abacus"))
    assert "abacus" in only(replay()).reason


def test_a_record_that_is_not_believed_is_not_trained_again(
    records: Path, replay: Callable[..., Verification], change: Callable[..., None]
) -> None:
    change(sorted(records.glob("*/*.json"))[0], lambda content: content.update(reason="?"), seal=False)
    assert replay().checked[0].replay is None


def test_a_run_without_a_result_is_not_replayed(
    records: Path, replay: Callable[..., Verification], change: Callable[..., None]
) -> None:
    def fail(content: dict[str, Any]) -> None:
        content.update(status="failed", reason="a full disk", evaluation=None, predictions=None, result_digest=None)

    change(sorted(records.glob("*/*.json"))[0], fail)
    assert only(replay()).reason == "it has no result (failed)"


def test_the_record_of_a_finished_set_says_what_evaluates_it(ran: Path, tmp_path: Path) -> None:
    place: dict[str, Any] = {"records": tmp_path / "own", "cache_dir": ran / "cache"}
    rdc.compress("random", tmp_path / "set", dataset="digits", ipc=1, cache_dir=ran / "cache")
    record = rdc.evaluate(tmp_path / "set", dataset="digits", **place)
    found = rdc.verify(record.key, replay=True, **place)
    assert found.summary == "1 record: 1 verified; replays: 1 not replayed"
    assert "rethinkdc evaluate SET --force" in only(found).reason


def test_a_verification_is_json(records: Path) -> None:
    content = json.loads(json.dumps(as_data(rdc.verify(records))))
    assert content["holds"] is True
    assert content["counts"]["records"] == content["counts"]["verified"] == 2
    assert {one["status"] for one in content["checked"]} == {"verified"}


def test_a_replay_says_what_changed_in_one_line() -> None:
    replay = Replay("within tolerance", "", {"top1": Difference(0.5, 0.501)}, 12, 1797, ("torch 2 for 1",))
    said = "within tolerance (top1 0.501 for 0.5, 12 of 1,797 predictions are others); differs here: torch 2 for 1"
    assert str(replay) == said
