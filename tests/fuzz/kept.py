"""Parsers of what the framework itself keeps: records, predictions, the index of boards, sealed files, checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from rethinkdc.boards.entry import Entry
from rethinkdc.boards.index import INDEX, find_entries
from rethinkdc.context import cache as caches
from rethinkdc.data.fingerprint import FingerprintBook
from rethinkdc.errors import DataError, RequestError
from rethinkdc.inspection.texts import is_record
from rethinkdc.labels import Dense, LabelReader, LabelSchedule, Shards
from rethinkdc.layouts.opening import load_saved
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.runs import records as kept_records
from rethinkdc.runs.prediction_files import unpack_arrays
from rethinkdc.runs.record import KeptPredictions, Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import AXES
from rethinkdc.storage import digest, file_digest, kept_part, read_manifest, read_sealed, verify_folder
from rethinkdc.training.checkpoint import FILE, load_checkpoint
from rethinkdc.training.length import Length
from rethinkdc.training.trace import Trace
from rethinkdc.training.trace_folder import export_trace, open_trace
from rethinkdc.training.trace_recorder import TraceRecorder
from tests.fuzz.harness import Parser
from tests.fuzz.mutation import Mutate, mutate_both, mutate_bytes, mutate_json, mutate_safetensors, mutate_sealed
from tests.fuzz.numbers import mutate_npz, mutate_torch, npz, torch_file

_IMAGES = 5
_JSON = mutate_both(mutate_json, mutate_bytes)


def _method(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "revision": 1, "parameters": {}}


_DEFINITION = {
    "dataset": "d" * 64,
    "compressor": _method("compressor", "random"),
    "labeler": _method("labeler", "hard"),
    "evaluator": _method("evaluator", "standard"),
    "protocol": "e" * 64,
    "student": _method("model", "convnet"),
    "ipc": 10,
    "seeds": dict.fromkeys(AXES, 0),
    "tune": False,
    "semantics": {"views": 1, "loop": 1, "trace": 1, "set": 1},
}
KEY = digest(_DEFINITION)[:24]


@cache
def _records() -> list[bytes]:
    """A record of a run with a result, and of one without."""
    content: dict[str, Any] = {
        "key": KEY,
        "attempt": 1,
        "status": "ok",
        "created": "2025-01-01T00:00:00+00:00",
        "names": {
            "compressor": "random",
            "labeler": "hard",
            "evaluator": "standard",
            "dataset": "digits",
            "protocol": "digits-hard v1",
            "student": "convnet",
            "ipc": "10",
        },
        "definition": _DEFINITION,
        "protocol_digest": "e" * 64,
        "dataset_fingerprint": "d" * 64,
        "modified": False,
        "tune": False,
        "track": "hard",
        "metrics": (Metric("top1", "higher", "fraction"),),
        "evaluation": Evaluation(
            metrics={"top1": 0.5},
            per_class=[0.5, 0.5],
            predicted=[1, 1],
            curve=[],
            views=10,
            steps=10,
            seconds=1.0,
            peak_memory=0,
            result_digest="r",
        ),
        "environment": {"device": "cpu", "threads": 1},
    }
    failed = {**content, "status": "failed", "reason": "it diverged", "evaluation": None}
    return [Record(**one).sealed().model_dump_json().encode() for one in (content, failed)]


def _read_record(path: Path) -> Record:
    record = Records(path.parent.parent).read_in_place(path)
    assert is_record(path)
    return record


def _is_whole(path: Path, value: Record) -> None:
    assert Record.model_validate_json(value.model_dump_json()) == value
    assert isinstance(Entry.of(value), Entry)
    assert value.machine is not None
    assert isinstance(value.results, dict)


def _write_records(folder: Path) -> None:
    (folder / KEY).mkdir()
    content = json.loads(_records()[0])
    (folder / KEY / "0001.json").write_bytes(_records()[0])
    told = Record(**{**content, "attempt": 2}).sealed()
    (folder / KEY / "0002.json").write_text(told.model_dump_json())
    for name in ("0001.json", "0002.json"):
        # Long ago, so that the index may hold them.
        os.utime(folder / KEY / name, (1e9, 1e9))


def _two_entries(path: Path, value: Any) -> None:
    assert len(value.entries) == 2
    assert not value.left_out


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(content).digest() + content


def _sealed(change: Mutate) -> Mutate:
    """Changes what a sealed file holds, with its checksum right again; in a share of cases, the file."""
    return mutate_both(lambda seed, draw: _seal(change(seed[32:], draw)), mutate_bytes, 0.8)


@cache
def _index() -> list[bytes]:
    import tempfile

    from rethinkdc.boards import index

    with tempfile.TemporaryDirectory() as folder, patch.object(index, "_SETTLED", -1e6):
        _write_records(Path(folder))
        find_entries(Records(Path(folder)))
        return [(Path(folder) / INDEX).read_bytes()]


def _lines(seed: bytes, draw: Random) -> bytes:
    """A change of one line of an index, whose first is no JSON."""
    lines = seed.split(b"\n")
    place = draw.randrange(1, len(lines))
    return b"\n".join([*lines[:place], mutate_json(lines[place], draw), *lines[place + 1 :]])


_SPLITS = {"train": "a" * 64, "test": "b" * 64, "layout": {"classes": 10, "train": 5, "test": 5}}


def _find_splits(path: Path) -> Any:
    return FingerprintBook(path.parent).find(path.stem)


def _states() -> list[bytes]:
    state = {"step": 3, "images": torch.ones(2, 3), "names": ["a"], "inner": {"b": 1.5}}
    return [_seal(torch_file({"definition": "a", "seconds": 1.0, "images": 4, "state": state}))]


def _load_state(path: Path) -> Any:
    return load_checkpoint(path.parent, "a", ("seconds", "state"))


def _is_state(path: Path, value: Any) -> None:
    assert value is None or value.keys() >= {"definition", "seconds", "state"}


def _predictions() -> list[bytes]:
    arrays: dict[str, Any] = {
        "predicted": np.zeros(_IMAGES, np.uint8),
        "probability": np.ones(_IMAGES, np.float16),
        "rank": np.zeros(_IMAGES, np.uint8),
        "log_probability": np.zeros(_IMAGES, np.float32),
    }
    return [npz(compressed=True, **arrays), npz(**arrays)]


def _unpack(path: Path) -> Any:
    return unpack_arrays(path.read_bytes(), KeptPredictions(file=path.name, sha256="", bytes=0, images=_IMAGES))


def _one_for_each(path: Path, value: Any) -> None:
    assert {len(array) for array in value.values()} == {_IMAGES}


_SHARDS = Shards(LabelSchedule(Length(2, 2, 3, 2), 2, order=1, views=2), Dense("float32"), 3)


def _shard() -> list[bytes]:
    from safetensors.torch import save

    return [save({"logits": torch.arange(12.0).view(4, 3)})]


def _read_shard(path: Path) -> Any:
    return LabelReader(path.parent, _SHARDS).logits(0)


def _are_logits(path: Path, value: torch.Tensor) -> None:
    assert value.dtype == torch.float32
    assert value.shape[1] == 3


def _part(folder: Path) -> None:
    (folder / "part.safetensors").write_bytes(b"a part")


def _seal_of_part() -> list[bytes]:
    whole = hashlib.sha256(b"a part").hexdigest()
    return [f"{whole} 1.500000 3".encode(), f"{whole} 2.000000".encode()]


def _read_part(path: Path) -> Any:
    return kept_part(path.with_suffix(".safetensors"))


def _manifest(folder: Path) -> None:
    (folder / "held").mkdir()
    (folder / "held" / "a").write_bytes(b"a")


def _read_folder(path: Path) -> Any:
    found = read_manifest(path.parent)
    verify_folder(path.parent)
    return found


_EPOCHS, _ROWS = 2, 3


@cache
def _trace() -> dict[str, bytes]:
    """The files of an exported trace."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        recorder = TraceRecorder(Path(folder) / "work", rows=_ROWS, epochs=_EPOCHS, classes=2)
        targets = torch.tensor([0, 1, 1])
        for epoch in range(_EPOCHS):
            recorder.batch(epoch, torch.arange(_ROWS), torch.eye(3)[:, :2], targets, torch.ones(_ROWS, 2))
            recorder.epoch_ended(epoch, torch.nn.Identity())
        recorder.finish(Path(folder) / "out")
        export_trace(Trace(Path(folder) / "out"), {"fingerprint": "f"}, Path(folder) / "trace")
        return {file.name: file.read_bytes() for file in sorted((Path(folder) / "trace").iterdir())}


def _file_of_trace(name: str) -> list[bytes]:
    return [_trace()[name]]


def _write_trace(folder: Path) -> None:
    (folder / "trace").mkdir()
    for name, content in _trace().items():
        (folder / "trace" / name).write_bytes(content)


def _open_trace(path: Path) -> Trace:
    """With a manifest that says what lies there now, as whoever meant it would write."""
    folder = path.parent
    names = [name for name in _trace() if name != "manifest.json"]
    (folder / "manifest.json").write_text(json.dumps({name: file_digest(folder / name) for name in names}))
    # Of a training set, a trace asks only these.
    found = open_trace(folder, _Rows())  # type: ignore[arg-type]
    found.column("train.error", 1, found.epochs)
    return found


class _Rows:
    fingerprint = "f"

    def __len__(self) -> int:
        return _ROWS


def _is_trace(path: Path, value: Trace) -> None:
    try:
        read = value.column("train.p", 1, value.epochs)
    except RequestError:
        # Under another name.
        return
    assert read.dtype == torch.float32
    assert read.shape == (value.epochs, _ROWS)


@cache
def _saved() -> dict[str, bytes]:
    """The files that ``save_to_disk`` writes."""
    import tempfile

    import datasets

    with tempfile.TemporaryDirectory() as folder:
        datasets.disable_progress_bars()
        part = datasets.Dataset.from_dict({"label": [0, 1, 0]})
        datasets.DatasetDict({"train": part, "test": part}).save_to_disk(folder)
        return {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(Path(folder).rglob("*"))
            if file.is_file()
        }


def _write_saved(folder: Path) -> None:
    for name, content in _saved().items():
        (folder / "saved" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "saved" / name).write_bytes(content)


def _read_saved(path: Path) -> Any:
    folder = next(each for each in path.parents if each.name == "saved")
    return {name: len(part) for name, part in load_saved(folder).items()}


def _places() -> list[bytes]:
    return [b"here", b"~/records", b"/tmp/a/b"]


def _misplaced(seed: bytes, draw: Random) -> bytes:
    """In the home of nobody, or longer than file systems allow, with or without parts."""
    return draw.choice((b"~nobody-of-this-name/" + seed, b"x" * 5000, b"/x" * 5000, seed * 1000))


def _folder(variable: str, read: Callable[[], Any]) -> Callable[[Path], Any]:
    """Asks for a folder that the environment names, as every command does."""

    def parse(path: Path) -> Any:
        # No process has a NUL in its environment.
        with patch.dict(os.environ, {variable: os.fsdecode(path.read_bytes().replace(b"\0", b""))}):
            return read()

    return parse


def _records_folder() -> Any:
    return list(Records(None).all())


def _cache_folder() -> Any:
    return caches.Cache(None).root


def _is_record(path: Path) -> bool:
    return is_record(path) or _refuse(path)


def _refuse(path: Path) -> bool:
    raise DataError(f"{path} is no record.")


PARSERS = (
    Parser(
        "record",
        f"records/{KEY}/0001.json",
        _records,
        _read_record,
        mutate_both(mutate_sealed, _JSON, 0.7),
        _is_whole,
    ),
    Parser("whether a record", "some.json", _records, _is_record, _JSON),
    Parser(
        "index of boards",
        INDEX,
        _index,
        lambda path: find_entries(Records(path.parent)),
        _sealed(mutate_both(_lines, mutate_bytes)),
        _two_entries,
        _write_records,
    ),
    Parser("sealed file", "some.sealed", lambda: [_seal(b"content")], read_sealed, _sealed(mutate_bytes)),
    Parser(
        "book of fingerprints",
        "some.sealed",
        lambda: [_seal(json.dumps(_SPLITS).encode())],
        _find_splits,
        _sealed(_JSON),
    ),
    Parser("checkpoint", FILE, _states, _load_state, _sealed(mutate_torch), _is_state, tells=True),
    Parser("predictions", "some.npz", _predictions, _unpack, mutate_npz, _one_for_each),
    Parser("shard of labels", _SHARDS.files[0], _shard, _read_shard, mutate_safetensors, _are_logits),
    Parser("seal of a part", "part.sealed", _seal_of_part, _read_part, prepare=_part),
    Parser(
        "manifest",
        "held/manifest.json",
        lambda: [json.dumps({"a": hashlib.sha256(b"a").hexdigest()}).encode()],
        _read_folder,
        _JSON,
        prepare=_manifest,
    ),
    *(
        Parser(
            f"trace: {name}",
            f"trace/{name}",
            partial(_file_of_trace, name),
            _open_trace,
            mutate,
            _is_trace,
            _write_trace,
        )
        for name, mutate in (("trace.json", _JSON), ("source.json", _JSON), ("train.npy", mutate_bytes))
    ),
    Parser(
        "saved dataset_dict.json",
        "saved/dataset_dict.json",
        lambda: [_saved()["dataset_dict.json"]],
        _read_saved,
        _JSON,
        prepare=_write_saved,
        costly=True,
    ),
    Parser(
        "environment: records",
        "value",
        _places,
        _folder(kept_records.ENVIRONMENT, _records_folder),
        mutate_both(_misplaced, mutate_bytes, 0.2),
        named=False,
    ),
    Parser(
        "environment: cache",
        "value",
        _places,
        _folder(caches.ENVIRONMENT, _cache_folder),
        mutate_both(_misplaced, mutate_bytes, 0.2),
        named=False,
    ),
)
