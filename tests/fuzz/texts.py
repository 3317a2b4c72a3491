"""Parsers of texts that people write: references, protocols, studies, published values, answers, the environment."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from PIL import Image

from rethinkdc import ranks
from rethinkdc.data.decode import PIXELS_VARIABLE, raise_limit
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import CORNERS
from rethinkdc.evidence.explanation import Explanation, explain_corners
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.reading import read_answers
from rethinkdc.evidence.sensitivity import Sensitivity
from rethinkdc.evidence.writing import ANSWER_FILE, describe_answer
from rethinkdc.measurement import Metric
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.toml_files import read_toml
from rethinkdc.reference import Reference, parse_reference, print_reference
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.reported import load_reported
from tests.fuzz.harness import Parser
from tests.fuzz.mutation import mutate_both, mutate_bytes, mutate_json, mutate_sealed, mutate_toml

SHIPPED = Path(__file__).parents[2] / "protocols"
_REFERENCES = (
    "pca:score=el2n,grid=3",
    "pca:score=[aum:space=prob,epoch=3],grid=3",
    "gvbsm:teachers=[resnet18,mobilenet_v2]",
    'rows:path="my rows.csv",column=idx',
    "combine:select=[el2n:direction=hard],grid=2,scale=1e-3",
    "el2n:direction=easy,epochs=[0,10,-1],flag=true,none=none",
    "a:b=[[1,2],[3.5,[x:y=[z]]]]",
)
_STUDY = """
title = "a"
compressors = ["random", "el2n:direction=easy"]
labelers = ["hard"]
ipc = [1, 10]
seeds = [0, 1]
exclude = [{ compressor = "random", ipc = 10 }]
[[runs]]
protocol = "digits-hard"
overrides = { epochs = 2 }
[[runs]]
students = ["convnet", "resnet18-3x3"]
keep = [0.1, 0.5]
seeds = "student=0,1"
"""
_REPORTED = """
dataset = "cifar10"
protocol = "cifar10-small-hard"
source = "a paper, table 1"
[[values]]
compressor = "random"
track = "hard"
ipc = 10
value = 0.465
sd = 0.01
[[values]]
set = "a/b"
labeler = "soft"
keep = 0.3
value = 0.9
n = 3
reliable = false
conditions = "another student"
"""
_ENVIRONMENT = (b"0", b"1", b"1000000", b"0.5", b"10")


def _read_text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _same_reference(path: Path, value: Reference) -> None:
    spelled = print_reference(value)
    assert parse_reference(spelled) == value, spelled
    assert print_reference(parse_reference(spelled)) == spelled


@cache
def _registry() -> Registry:
    return Registry()


def _build(path: Path) -> str:
    from rethinkdc.contracts.kinds import Compressor

    return _registry().label(_registry().build(Compressor, _read_text(path)))


def _same_method(path: Path, label: str) -> None:
    from rethinkdc.contracts.kinds import Compressor

    assert _registry().label(_registry().build(Compressor, label)) == label


def _same_protocol(path: Path, value: Protocol) -> None:
    assert Protocol.model_validate_json(value.model_dump_json()) == value
    assert Protocol.model_validate_json(value.model_dump_json()).digest == value.digest


def _toml_of(*names: str) -> list[bytes]:
    return [(SHIPPED / name).read_bytes() for name in names]


def _answers() -> list[bytes]:
    corners = {corner: Outcome({0: 0.1, 2: 0.2}, {1: "it diverged"}, ("a" * 24,)) for corner in CORNERS}
    conditions = Conditions("digits", "digits-soft v1", "0" * 64, 10, Metric("top1", "higher", "fraction"))
    told = explain_corners(
        corners,
        {"random": Outcome({0: 0.5}, {})},
        method="pca",
        conditions=conditions,
        labeler="soft",
        classes=10,
        counted="sets",
    )
    return [json.dumps(describe_answer(told)).encode()]


def _read_answers(path: Path) -> list[Explanation | Sensitivity]:
    return read_answers(path.parent)


def _same_answer(path: Path, value: list[Explanation | Sensitivity]) -> None:
    for one in value:
        json.dumps(describe_answer(one))


def _environment(name: str, read: Any) -> Any:
    def parse(path: Path) -> Any:
        text = _read_text(path).replace("\0", "")
        with patch.dict(os.environ, {name: text}):
            return read()

    return parse


def _pixels() -> Any:
    raise_limit.cache_clear()
    limit = Image.MAX_IMAGE_PIXELS
    try:
        raise_limit()
        return Image.MAX_IMAGE_PIXELS
    finally:
        Image.MAX_IMAGE_PIXELS = limit
        raise_limit.cache_clear()


def _ranks() -> Any:
    with patch.dict(os.environ, {"RANK": "0"}):
        place = ranks.rank(), ranks.world()
    assert place[0] < place[1]
    return place


def _references() -> list[bytes]:
    return [text.encode() for text in _REFERENCES]


def _methods() -> list[bytes]:
    return [
        b"random",
        b"el2n:direction=easy",
        b"pca:score=[aum:space=prob],grid=3",
        b"combine:select=[el2n:direction=hard],grid=2",
    ]


def _cut_short(seed: bytes, draw: Random) -> bytes:
    return mutate_bytes(seed, draw)[:300]


_toml = mutate_both(mutate_toml, mutate_bytes)

PARSERS = (
    Parser(
        "reference",
        "reference",
        _references,
        lambda path: parse_reference(_read_text(path)),
        agree=_same_reference,
        named=False,
    ),
    Parser("method", "method", _methods, _build, agree=_same_method, named=False),
    Parser(
        "toml", "some.toml", lambda: _toml_of("digits-hard.toml"), lambda path: read_toml(path, "file", "Next."), _toml
    ),
    Parser("protocol", "some.toml", lambda: _toml_of("digits-hard.toml"), load_protocol, _toml, _same_protocol),
    Parser("study", "some.toml", lambda: [_STUDY.encode()], load_study, _toml),
    Parser("reported", "some.toml", lambda: [_REPORTED.encode()], load_reported, _toml),
    Parser(
        "answer",
        ANSWER_FILE,
        _answers,
        _read_answers,
        mutate_both(mutate_sealed, mutate_both(mutate_json, mutate_bytes)),
        _same_answer,
        tells=True,
    ),
    Parser(
        "environment: pixels",
        "value",
        lambda: [b"1", b"1000000"],
        _environment(PIXELS_VARIABLE, _pixels),
        _cut_short,
        named=False,
    ),
    Parser(
        "environment: ranks",
        "value",
        lambda: [b"1", b"16"],
        _environment("WORLD_SIZE", _ranks),
        _cut_short,
        named=False,
    ),
    Parser(
        "environment: patience",
        "value",
        lambda: [b"1", b"0.5"],
        _environment(ranks.PATIENCE, ranks.patience),
        _cut_short,
        named=False,
    ),
)
