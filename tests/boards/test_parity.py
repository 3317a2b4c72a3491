"""Parity: which records stand beside a published value, and what is named that differs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rethinkdc.boards.claims import CLAIMS, compare_claims
from rethinkdc.boards.parity import Claim, place_claims
from rethinkdc.cli.parity_tables import print_claims
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import ParityCall
from rethinkdc.studies.reported import Reported, load_reported
from rethinkdc.studies.shipped import shipped_reported

FIND = Registry().protocols.find
CLAIM = {
    "compressor": "dm",
    "set": None,
    "labeler": "hard",
    "track": None,
    "dataset": "cifar10",
    "protocol": "cifar10-dc-hard",
    "ipc": 10,
    "keep": None,
    "student": "convnet",
    "metric": "top1",
    "value": 0.489,
    "sd": 0.006,
    "n": None,
    "source": "A paper, Table 1",
    "conditions": "",
    "reliable": True,
}
AS_PUBLISHED = {"dataset": "cifar10", "protocol": "cifar10-dc-hard v1"}


def placed(desk: Any, **changes: Any) -> Claim:
    (claim,) = place_claims([Reported(**{**CLAIM, **changes})], desk.boards(pool_devices=True), FIND)
    return claim


def deviations(desk: Any, **changes: Any) -> list[tuple[str, ...]]:
    return [ours.deviations for ours in placed(desk, **changes).ours]


def test_a_run_as_the_authors_made_it_deviates_in_nothing(desk: Any) -> None:
    desk.seeds("dm", [0.47, 0.49], names=AS_PUBLISHED)
    (ours,) = placed(desk).ours
    assert (ours.deviations, ours.result.n, ours.n_counts, len(ours.keys)) == ((), 2, "sets", 2)
    assert ours.result.mean == pytest.approx(0.48)
    assert [machine.name for machine in ours.machines] == ["cpu (1 thread)"]


def test_what_differs_is_named(desk: Any) -> None:
    told = {"notes": {"overrides": {"student.model": "convnet:width=32", "training.epochs": 300}}}
    desk.record(
        "dm:iterations=200",
        0.3,
        modified=True,
        names={**AS_PUBLISHED, "dataset": "copy", "student": "convnet:width=32"},
        **told,
    )
    (said,) = deviations(desk)
    assert said == (
        "set by dm:iterations=200",
        "student.model=convnet:width=32, training.epochs=300",
        "data copy",
    )


def test_of_one_protocol_the_nearest_run_counts(desk: Any) -> None:
    desk.seeds("dm:iterations=200", [0.3, 0.3, 0.3], names=AS_PUBLISHED)
    desk.record("dm", 0.48, names=AS_PUBLISHED)
    assert deviations(desk) == [()]


@pytest.mark.parametrize(
    "other",
    [
        {"names": {**AS_PUBLISHED, "compressor": "dsa"}},
        {"names": {**AS_PUBLISHED, "protocol": "cifar10-hard v1"}},
        {"names": {**AS_PUBLISHED, "student": "resnet18-3x3"}},
        {"names": {**AS_PUBLISHED, "labeler": "soft"}},
        {"names": AS_PUBLISHED, "definition": {"ipc": 50}},
        {"names": AS_PUBLISHED, "tune": True, "definition": {"tune": True}},
        {"names": AS_PUBLISHED, "status": "failed", "reason": "too little memory"},
    ],
    ids=["method", "protocol", "student", "labels", "size", "tuning split", "failed"],
)
def test_another_run_stands_beside_nothing(desk: Any, other: dict[str, Any]) -> None:
    desk.record("random", 0.2, names=AS_PUBLISHED)
    name = other["names"].pop("compressor", "dm")
    desk.record(name, 0.3, **other)
    assert placed(desk).ours == ()


def test_soft_labels_stand_for_others_and_say_so(desk: Any) -> None:
    desk.record("dm", 0.3, names={**AS_PUBLISHED, "labeler": "soft"})
    assert deviations(desk, labeler="soft-stored") == [("labels soft",)]


def test_a_twin_comes_after_the_protocol_itself_and_is_named(desk: Any) -> None:
    rd3 = {
        "protocol": "imagenet1k-rd3-soft",
        "dataset": "imagenet-1k",
        "labeler": "soft",
        "student": "torchvision/resnet18",
    }
    twin = {"protocol": "digits-rd3-soft v1", "labeler": "soft"}
    desk.record("dm", 0.9, names=twin)
    assert deviations(desk, **rd3) == [("twin digits-rd3-soft v1 on digits",)]
    assert deviations(desk, **{**rd3, "student": "torchvision/resnet50"}) == []
    desk.record(
        "dm",
        0.4,
        names={
            "protocol": "imagenet1k-rd3-soft v1",
            "dataset": "imagenet-1k",
            "labeler": "soft",
            "student": rd3["student"],
        },
    )
    assert deviations(desk, **rd3) == [(), ("twin digits-rd3-soft v1 on digits",)]


def test_every_twin_that_ships_is_of_a_protocol_that_ships() -> None:
    known = Registry().protocols.all()
    twins = {name: protocol.twin for name, protocol in known.items() if protocol.twin}
    assert twins
    assert set(twins.values()) <= set(known)
    assert all(known[of].track == known[name].track for name, of in twins.items())


def test_without_records_the_published_values_stand_alone(desk: Any) -> None:
    claims = compare_claims(ParityCall(records=desk.records.folder, dataset="cifar10", ipc=10))
    assert {claim.reported.compressor for claim in claims} >= {"dc", "dm", "dsa", "dwa", "gvbsm"}
    assert not any(claim.ours for claim in claims)
    assert compare_claims(ParityCall(records=desk.records.folder, measured=True)) == []


def test_claims_are_shipped_files_of_values_under_protocols_of_claims() -> None:
    assert set(CLAIMS) <= set(shipped_reported())
    protocols = {value.protocol for name in CLAIMS for value in load_reported(name)}
    # Two papers evaluate as the benchmark does, in all that a protocol holds.
    assert protocols & {"imagenet1k-hard", "cifar10-hard", "cifar100-soft"} == set()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": "dmm"}, "No published value is of the method 'dmm'. Did you mean 'dm'?"),
        ({"dataset": "mnist"}, "No published value is of the dataset 'mnist'."),
        ({"protocol": "cifar10-dc-had"}, "No published value is of the protocol 'cifar10-dc-had'. Did you mean"),
        ({"method": "dm", "dataset": "imagenet-1k"}, "No published value is of all that was asked for"),
    ],
)
def test_what_is_not_known_is_told(desk: Any, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as caught:
        compare_claims(ParityCall(records=desk.records.folder, **asked))
    assert said in str(caught.value)


def test_the_forms_hold_the_same(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    desk.seeds("dm", [0.47, 0.49], names={**AS_PUBLISHED, "dataset": "copy"})
    claims = [placed(desk, reliable=False)]
    print_claims(claims, "md")
    text = capsys.readouterr().out
    assert "**cifar10 under cifar10-dc-hard**" in text
    assert r"| dm | hard | ipc 10 | 48.9 ± 0.6\* \[1\] | 48.00 ± 1.41 (2 sets, cpu (1 thread)) | data copy |" in text
    assert r"- \[1\] A paper, Table 1; \* the source leaves doubt about the value." in text
    print_claims(claims, "rich")
    assert "data copy" in capsys.readouterr().out
    print_claims(claims, "json")
    (told,) = json.loads(capsys.readouterr().out)
    assert told["reported"]["value"] == 0.489
    assert told["ours"][0]["deviations"] == ["data copy"]
