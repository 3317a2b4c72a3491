"""Requests as JSON: what another process reads is the same run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import AnyRequest, FinishedRequest, FinishedSet, Keeping, Machine
from rethinkdc.runs.request import Request, read_overrides
from rethinkdc.runs.resolving import resolve_run
from rethinkdc.runs.written import read_options, read_request, write_options, write_request
from rethinkdc.seeds import Seeds

REQUESTS: list[AnyRequest] = [
    Request("random"),
    Request(
        "pca:score=[aum:space=prob],grid=3",
        dataset="digits",
        protocol="digits-hard",
        backing="encoded",
        labeler="hard",
        evaluator="standard",
        student="convnet",
        seed=Seeds(set=1, student=4),
        ipc=2,
        small_cells=True,
        tune=True,
        overrides={"training.steps": 5, "proxy.scores.el2n.epochs": 1},
    ),
    Request("random", keep=0.1, seed=2, overrides=read_overrides(["curve=[1,2]", "training.steps=7"])),
    FinishedRequest(
        FinishedSet(
            "some/folder", name="Theirs", mean=(0.5,), std=(0.25,), student_lr=Path("lr.pt"), soft_labels="logits"
        ),
        Request("", protocol="digits-soft", labeler="soft"),
    ),
]


@pytest.mark.parametrize("asked", REQUESTS, ids=range(len(REQUESTS)))
def test_a_request_that_was_sent_writes_itself_again_as_it_was(asked: AnyRequest) -> None:
    text = json.dumps(write_request(asked))
    assert json.dumps(write_request(read_request(json.loads(text)))) == text


@pytest.mark.parametrize("asked", [each for each in REQUESTS if isinstance(each, Request)], ids=range(3))
def test_a_request_that_was_sent_has_the_key_of_the_first(asked: Request, tmp_path: Path) -> None:
    registry, cache = Registry(), Cache(tmp_path)
    on_digits = asked if asked.dataset else Request(**{**vars(asked), "dataset": "digits"})
    sent = read_request(json.loads(json.dumps(write_request(on_digits))))
    assert isinstance(sent, Request)
    assert resolve_run(sent, registry, cache).definition == resolve_run(on_digits, registry, cache).definition


def test_only_what_differs_from_the_defaults_is_sent() -> None:
    assert write_request(Request("pca")) == {"request": {"compressor": "pca"}}
    assert write_options(Machine()) == write_options(Keeping()) == {}


def test_the_machine_is_sent_as_the_user_says_it() -> None:
    machine = Machine(device="cuda:1", threads=3, cache_dir=Path("/cache"), workers=2)
    assert read_options(Machine, json.loads(json.dumps(write_options(machine)))) == Machine(
        device="cuda:1", threads=3, cache_dir="/cache", workers=2
    )
    keeping = Keeping(tracker=("jsonl", "wandb:mode=offline"), no_sheet=True)
    assert read_options(Keeping, json.loads(json.dumps(write_options(keeping)))) == keeping


def test_an_option_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match=r"option 'precison'.* another one wrote.*same version on all hosts"):
        read_request({"request": {"compressor": "pca", "precison": "tf32"}})


def test_what_lives_in_this_process_alone_is_refused() -> None:
    import torch

    with pytest.raises(RequestError, match="a Tensor lives in this process alone"):
        write_request(FinishedRequest(FinishedSet(torch.zeros(1)), Request("")))
