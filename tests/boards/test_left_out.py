"""Records that no run wrote: whatever a file says, boards are made of the others, and tell of it below."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rethinkdc.boards.index import find_entries
from rethinkdc.boards.leaderboard import rank_folder
from rethinkdc.cli.main import app
from rethinkdc.errors import DamagedError, RethinkError
from rethinkdc.measurement import Predictions
from rethinkdc.runs.definition import Definition
from rethinkdc.runs.kept_files import keep_file
from rethinkdc.runs.prediction_files import read_arrays
from rethinkdc.runs.predictions import keep_predictions
from rethinkdc.runs.record import KeptPredictions
from rethinkdc.runs.schemas import seal_of

IMAGES = 40


def forge(desk: Any, change: Callable[[dict[str, Any]], None], name: str = "forged") -> Path:
    """A record as one would write who knows the rules: changed, sealed again, and under the key of its definition."""
    found = desk.record(name, 0.6, notes={"teachers": {"t": {"top1": 0.9, "for": ["labels"]}}})
    path: Path = desk.records.path(found.key, 1)
    content = json.loads(path.read_text())
    path.unlink()
    change(content)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        content["key"] = Definition.model_validate(content["definition"]).key
    content["seal"] = seal_of(content)
    place = Path(desk.records.folder, str(content.get("key", found.key)), "0001.json")
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(content))
    return place


def put(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        holder: Any = content
        for name in path[:-1]:
            holder = holder[name]
        holder[path[-1]] = to

    return change


def drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        holder: Any = content
        for name in path[:-1]:
            holder = holder[name]
        del holder[path[-1]]

    return change


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "more than all": (put("evaluation", "metrics", "top1", to=1.7), "top1 is 1.7, and a fraction lies in 0..1"),
    "less than nothing": (put("evaluation", "metrics", "top5", to=-0.1), "top5 is -0.1"),
    "huge": (put("evaluation", "metrics", "loss", to=1e300), "loss is 1e\\+300, which is no measured number"),
    "another metric": (put("evaluation", "metrics", to={"top1": 0.9}), "declared are the metrics loss, top1, top5"),
    "a metric twice": (lambda content: content["metrics"].append(content["metrics"][0]), "declared are the metrics"),
    "a class above all": (put("evaluation", "per_class", to=[2.0]), "per_class has 2.0"),
    "no seeds": (drop("definition", "seeds"), "definition.seeds: Field required"),
    "no definition": (drop("definition"), "definition: Field required"),
    "no metrics": (put("metrics", to=[]), "metrics: "),
    "a negative time": (put("cost", "seconds", to={"training": -1.0}), "cost.seconds.training: "),
    "negative bytes": (put("cost", "label_bytes", to=-1), "cost.label_bytes: "),
    "a number of bytes that no disk has": (put("cost", "label_bytes", to=10**30), "cost.label_bytes: "),
    "another protocol": (put("protocol_digest", to="p" * 64), "its protocol, dataset or split is not that"),
    "another dataset": (put("dataset_fingerprint", to="e" * 64), "its protocol, dataset or split is not that"),
    "a tuning split": (put("tune", to=True), "its protocol, dataset or split is not that"),
    "ok without a result": (put("evaluation", to=None), "its status is ok, with no evaluation"),
    "failed with a result": (put("status", to="failed"), "its status is failed, with an evaluation"),
    "no time": (put("created", to="yesterday"), "created is 'yesterday', which is no time"),
    "another attempt": (put("attempt", to=7), "is the record of attempt 7, under another number"),
    "notes of another form": (put("notes", to={"teachers": 3}), "notes"),
    "a teacher above all": (put("notes", to={"teachers": {"t": {"top1": 3.0}}}), "notes"),
}


@pytest.mark.parametrize(("change", "reason"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_record_is_left_out_and_the_reason_given(
    desk: Any, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    desk.record("random", 0.5)
    path = forge(desk, change)
    (board,), (left,) = rank_folder(desk.records)
    assert [row.compressor for row in board.rows] == ["random"]
    assert left.file == f"{path.parent.name}/0001.json"
    assert re.search(reason, left.fault)


def test_a_record_in_another_runs_folder_enters_no_board(desk: Any) -> None:
    good = desk.record("random", 0.5)
    place = desk.records.folder / "elsewhere"
    place.mkdir()
    (place / "0001.json").write_bytes(desk.records.path(good.key, 1).read_bytes())
    found = find_entries(desk.records)
    assert [entry.key for entry in found.entries] == [good.key]
    assert [one.file for one in found.left_out] == ["elsewhere/0001.json"]


def values(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in inside:
        yield (*path, name)
        yield from values(value, (*path, name))


ODD: list[Any] = [None, True, -1, 0.5, 1e300, 10**40, "", "\x1b[2J\n| a |", [], {}, [None], {"": 0}, "remove"]


def test_whatever_a_sealed_record_says_no_board_stops_and_no_number_leaves_its_bounds(desk: Any) -> None:
    """Every value of a record in turn, another in its place."""
    desk.record("random", 0.5)
    sample = json.loads(desk.records.path(desk.record("pca", 0.6).key, 1).read_text())
    chance, left = random.Random(0), 0
    for where in values(sample):
        odd = chance.choice(ODD)

        def change(content: dict[str, Any], where: Any = where, odd: Any = odd) -> None:
            holder: Any = content
            for name in where[:-1]:
                holder = holder[name]
            if odd == "remove":
                del holder[where[-1]]
            else:
                holder[where[-1]] = odd

        place = forge(desk, change)
        ranking = rank_folder(desk.records)
        left += len(ranking.left_out)
        for board in ranking.boards:
            assert all(0 <= row.result.mean <= 1 for row in board.rows if row.result), where
            assert board.rows
        place.unlink()
    assert left > 50


def test_what_is_left_out_stands_below_the_boards(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    desk.record("random", 0.5)
    path = forge(desk, put("created", to="\x1b[2J<b>\n| x |"))
    for form in ("rich", "md", "latex"):
        app(["leaderboard", "--records", str(desk.records.folder), "--format", form], standalone_mode=False)
        out = capsys.readouterr().out
        assert out.index("random") < out.index(path.parent.name)
        assert "\x1b" not in out
        assert "which is no time" in " ".join(out.split())
    for form in ("csv", "json"):
        app(["leaderboard", "--records", str(desk.records.folder), "--format", form], standalone_mode=False)
        printed = capsys.readouterr()
        assert path.parent.name not in printed.out
        assert f"left out: {path.parent.name}" in printed.err


def say(right: int, among: int = IMAGES) -> Predictions:
    rank = torch.arange(among) >= right
    return Predictions(
        predicted=torch.zeros(among, dtype=torch.int64),
        probability=torch.full((among,), 0.5, dtype=torch.float16),
        rank=rank.long(),
        log_probability=torch.full((among,), -0.4),
    )


def test_a_record_whose_predictions_say_something_else_is_left_out(desk: Any) -> None:
    desk.record("random", 0.5, said=say(20))
    honest = desk.record("pca", 0.6, said=say(24))
    other = desk.record("el2n", 0.9, said=say(24))
    harmed = desk.record("ccs", 0.6, said=say(24))
    kept = desk.records.folder / harmed.key / harmed.predictions.file
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    gone = desk.record("herding", 0.6, said=say(24))
    (desk.records.folder / gone.key / gone.predictions.file).unlink()
    found = find_entries(desk.records)
    assert {entry.names.compressor for entry in found.entries} == {"random", "pca", "herding"}
    told = {one.file.partition("/")[0]: one.fault for one in found.left_out}
    assert told.keys() == {other.key, harmed.key}
    assert told[other.key] == "has predictions that disagree: they give top1 0.6, and the record says 0.9"
    assert told[harmed.key].startswith("has damaged predictions")
    assert honest.key not in told


def crafted(**arrays: Any) -> bytes:
    given = {
        "predicted": np.zeros(IMAGES, np.uint8),
        "probability": np.zeros(IMAGES, np.float16),
        "rank": np.zeros(IMAGES, np.uint8),
        "log_probability": np.zeros(IMAGES, np.float32),
        **arrays,
    }
    held = io.BytesIO()
    np.savez_compressed(held, **{name: array for name, array in given.items() if array is not None})
    return held.getvalue()


def claiming(shape: tuple[int, ...]) -> bytes:
    """A small file whose header claims a huge array."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        header = io.BytesIO()
        about = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, about)
        for name in ("predicted", "probability", "rank", "log_probability"):
            archive.writestr(f"{name}.npy", header.getvalue())
    return held.getvalue()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"PK\x03\x04",
        crafted(rank=None),
        crafted(rank=np.zeros(IMAGES, np.float32)),
        crafted(rank=np.zeros((IMAGES, 2), np.uint8)),
        crafted(rank=np.zeros(1_000_000, np.uint8)),
        crafted(predicted=np.array(["a"] * IMAGES)),
        crafted(predicted=np.array([{}] * IMAGES, dtype=object)),
        claiming((10**12,)),
        claiming((IMAGES,)),
        crafted()[:-30],
    ],
    ids=range(11),
)
def test_a_file_that_holds_something_else_is_refused(desk: Any, payload: bytes) -> None:
    run = desk.record("pca", 0.6)
    kept = keep_file(desk.records, run.key, payload, ".npz", "predictions")
    with pytest.raises(DamagedError, match="holds no predictions"):
        read_arrays(KeptPredictions(**kept.model_dump(), images=IMAGES), desk.records.folder / run.key)


def test_predictions_are_read_back_as_they_were(desk: Any) -> None:
    run, said = desk.record("pca", 0.6), say(24)
    kept = keep_predictions(desk.records, run.key, said)
    arrays = read_arrays(kept, desk.records.folder / run.key)
    assert torch.equal(torch.from_numpy(arrays["rank"].astype(np.int64)), said.rank)


def test_a_file_too_large_for_a_record_is_not_read(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = desk.record("pca", 0.6)
    path = desk.records.path(run.key, 1)
    with path.open("r+b") as file:
        file.truncate(65 << 20)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    with pytest.raises(RethinkError, match="It has 68,157,440 bytes, and may have 67,108,864"):
        desk.records.attempts(run.key)
