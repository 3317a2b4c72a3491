"""Values that no protocol can have, each told of by its key; nothing is converted in silence."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import pytest
import tomllib

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.protocol.extending import read_chain, whole_content
from rethinkdc.protocol.protocol import Protocol, validated
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run

SHIPPED = Path(__file__).resolve().parents[2] / "protocols"
HARD = tomllib.loads((SHIPPED / "digits-hard.toml").read_text())
SIZES: list[Any] = [10**20, 0, -8, True, "8", 8.5, None, [8], {}]
WRONG: list[tuple[str, Any]] = [
    *(("store.size", value) for value in SIZES),
    *(("id", value) for value in ("", " ", "a b", "../x", "a\n", "\x1b[2J", 3, None, "x" * 101)),
    *(("version", value) for value in (True, 0, -1, "1", 1.5, 10**30)),
    *(("data.classes", value) for value in (True, 0, -3, "10", 10**12)),
    *(("data.train", value) for value in (-1, 0, True)),
    *(("training.batch", value) for value in (0, True, "64", 10**30, 1.5)),
    *(("training.steps", value) for value in (True, 0, "many", {"1": True}, {"one": 3})),
    *(("training.optimizer.lr", value) for value in (True, "fast", -1.0, 0.0, float("nan"), float("inf"))),
    *(("student.std", value) for value in ([0.0, 0.2, 0.2], [-1.0, 0.2, 0.2], [0.2], "x", [True, 0.2, 0.2])),
    *(("student.mean", value) for value in ([float("nan"), 0.5, 0.5], [0.5, 0.5])),
    *(("test.size", value) for value in (10**9, 0, True)),
    *(("default", value) for value in (1, "yes")),
    *(("default_dataset", value) for value in ("", 3)),
    *(("default_ipc", value) for value in (0, True, 10**12)),
    *(("summary", value) for value in (3, None, ["x"])),
    *(("student.model.values.width", value) for value in (float("inf"), [1, [float("nan")]])),
    ("proxy.scores.el2n.epochs", [1, float("inf")]),
    ("track", "tough"),
]


def changed(key: str, value: Any) -> dict[str, Any]:
    def copy(node: Any) -> Any:
        return {name: copy(each) for name, each in node.items()} if isinstance(node, dict) else node

    content: dict[str, Any] = copy(HARD)
    holder = content
    *parents, last = key.split(".")
    for name in parents:
        holder = holder[name]
    holder[last] = value
    return content


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda one: str(one)[:30])
def test_a_value_that_no_protocol_can_have_is_named(key: str, value: Any) -> None:
    with pytest.raises(RequestError) as caught:
        validated(changed(key, value), "it")
    assert key in str(caught.value)


def test_a_date_is_no_text() -> None:
    assert isinstance(validated(changed("summary", "2026-01-01"), "it"), Protocol)
    with pytest.raises(RequestError, match=r"store\.size"):
        validated(changed("store.size", datetime.date(2026, 1, 1)), "it")


def test_every_shipped_protocol_is_read_strictly() -> None:
    for path in sorted(SHIPPED.glob("*.toml")):
        assert validated(whole_content(read_chain(path)), path.name).id == path.stem


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("student.model", {"name": "convnet", "values": {"widht": 3}}, "student.model: .*widht"),
        ("student.model", {"name": "convnett", "values": {}}, "student.model: .*convnett"),
        ("proxy.model", {"name": "convnet", "values": {"depth": "deep"}}, "proxy.model: .*depth"),
        ("teacher.recipes.weak.model", {"name": "convnet", "values": {"x": 1}}, "teacher.recipes.weak.model: .*x"),
        ("teacher.use", "trainde", "teacher.use: .*trainde"),
    ],
)
def test_a_misspelt_method_shows_before_anything_is_computed(tmp_path: Path, key: str, value: Any, where: str) -> None:
    from rethinkdc.protocol.writing import write_toml

    file = tmp_path / "mine.toml"
    file.write_text(write_toml(validated(changed(key, value), "it")))
    with pytest.raises(RequestError, match=f"(?s)The protocol digits-hard, {where}"):
        resolve_run(
            Request(compressor="random", labeler="hard", dataset="digits", protocol=str(file)),
            Registry(),
            Cache(tmp_path / "cache"),
        )
    assert not (tmp_path / "cache" / "proxies").exists()


def test_a_file_of_a_million_keys_is_refused_at_once(tmp_path: Path) -> None:
    many = tmp_path / "many.toml"
    many.write_text("\n".join(f"k{number} = 1" for number in range(10**6)))
    with pytest.raises(RequestError, match="may have 1,048,576"):
        load_protocol(many)
    many.write_text("\n".join(f"k{number} = 1" for number in range(80_000)))
    with pytest.raises(RequestError, match="is no protocol"):
        load_protocol(many)


def test_of_many_faults_the_first_are_told(tmp_path: Path) -> None:
    many = tmp_path / "many.toml"
    many.write_text("\n".join(['id = "a"', *(f"k{number} = 1" for number in range(5_000))]))
    with pytest.raises(RequestError) as caught:
        load_protocol(many)
    assert len(str(caught.value).splitlines()) < 60
    assert str(caught.value).endswith("more")


def test_a_pipe_is_no_protocol(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RequestError, match="no regular file"):
        load_protocol(tmp_path / "pipe.toml")
