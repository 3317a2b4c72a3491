"""Parsers of files of numbers: arrays and tables, scores, rows, sets of tensors, weights, batches of CIFAR."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from rethinkdc.compressed.reading import read_set
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.files.arrays import read_arrays
from rethinkdc.files.plain_pickles import read_plain_pickle
from rethinkdc.files.tables import Table
from rethinkdc.layouts.batches import find_batches, read_batches
from rethinkdc.models.weight_files import Weights, read_weights
from rethinkdc.row_files.files import count_rows, read_rows, read_scores
from rethinkdc.row_files.reading import ReadRows, ReadScores
from tests.fuzz.harness import Parser
from tests.fuzz.mutation import (
    Mutate,
    mutate_both,
    mutate_bytes,
    mutate_json,
    mutate_npy,
    mutate_safetensors,
    mutate_within,
)

ROWS = 8
SCORES = np.array([0.5, 0.25, 4.0, -1.0, 3.0, 2.5, 0.0, 1.5])
LISTED = np.array([5, 0, 3, 6])


@cache
def data() -> DecodedImages:
    """Eight images of two classes, in turns."""
    return DecodedImages(torch.zeros(ROWS, 3, 4, 4, dtype=torch.uint8), torch.arange(ROWS) % 2, ("cat", "dog"))


def in_memory(write: Callable[[io.BytesIO], Any]) -> bytes:
    held = io.BytesIO()
    write(held)
    return held.getvalue()


def npy(array: Any) -> bytes:
    return in_memory(lambda held: np.save(held, array))


def npz(*, compressed: bool = False, **arrays: Any) -> bytes:
    return in_memory(lambda held: (np.savez_compressed if compressed else np.savez)(held, **arrays))


def torch_file(content: Any, *, zipped: bool = True) -> bytes:
    return in_memory(lambda held: torch.save(content, held, _use_new_zipfile_serialization=zipped))


def parquet(columns: Mapping[str, Any], **options: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return in_memory(lambda held: pq.write_table(pa.table(dict(columns)), held, **options))


def framed(columns: Mapping[str, Any], **options: Any) -> bytes:
    """Parquet as pandas writes it, with its own metadata."""
    import pandas as pd

    return in_memory(lambda held: pd.DataFrame(dict(columns), **options).to_parquet(held))


def _torch_member(name: str) -> Mutate:
    return mutate_bytes


def _npz_member(name: str) -> Mutate:
    return mutate_npy


mutate_torch = mutate_both(mutate_within(_torch_member), mutate_bytes, 0.8)
mutate_npz = mutate_both(mutate_within(_npz_member), mutate_bytes, 0.8)
_json = mutate_both(mutate_json, mutate_bytes)


def _lines(seed: bytes, draw: Random) -> bytes:
    lines = seed.split(b"\n")
    place = draw.randrange(len(lines))
    return b"\n".join([*lines[:place], mutate_json(lines[place], draw), *lines[place + 1 :]])


_rows = {"row": LISTED, "weight": np.array([1.0, 2.0, 0.5, 1.0])}
_scored = {"row": np.arange(ROWS)[::-1].copy(), "score": SCORES, "label": np.array(["dog", "cat"] * 4)}
_SEEDS: dict[str, tuple[Callable[[], list[bytes]], Mutate]] = {
    ".npy": (
        lambda: [npy(SCORES), npy(LISTED), npy(np.array([(1, 2.0)] * 3, dtype="i8,f8")), npy(np.array(["a", "b"]))],
        mutate_npy,
    ),
    ".npz": (lambda: [npz(score=SCORES, row=np.arange(ROWS)), npz(compressed=True, row=LISTED)], mutate_npz),
    ".pt": (
        lambda: [
            torch_file(torch.from_numpy(SCORES)),
            torch_file({"score": torch.from_numpy(SCORES), "note": "a", "seeds": [1, 2]}),
            torch_file([3, 1, 2]),
            torch_file({"rows": np.array([3, 1, 2]), "n": np.float64(3.0)}),
            torch_file({"score": torch.from_numpy(SCORES)}, zipped=False),
        ],
        mutate_torch,
    ),
    ".safetensors": (
        lambda: [
            save({"score": torch.from_numpy(SCORES)}),
            save({"row": torch.from_numpy(LISTED), "weight": torch.ones(4)}),
        ],
        mutate_safetensors,
    ),
    ".json": (
        lambda: [
            json.dumps(SCORES.tolist()).encode(),
            json.dumps({"row": LISTED.tolist(), "weight": [1.0, 2, 0.5, None]}).encode(),
            json.dumps([{"row": row, "score": score} for row, score in enumerate(SCORES)]).encode(),
            json.dumps({str(row): score for row, score in enumerate(SCORES)}).encode(),
            json.dumps({"columns": ["score"], "index": list(range(ROWS)), "data": [[one] for one in SCORES]}).encode(),
            json.dumps({"score": {str(row): score for row, score in enumerate(SCORES)}}).encode(),
        ],
        _json,
    ),
    ".jsonl": (
        lambda: ["\n".join(json.dumps({"row": row, "score": score}) for row, score in enumerate(SCORES)).encode()],
        mutate_both(_lines, mutate_bytes),
    ),
    ".csv": (
        lambda: [
            b"row,score,label\n"
            + b"\n".join(b"%d,%.2f,%s" % (row, score, (b"cat", b"dog")[row % 2]) for row, score in enumerate(SCORES)),
            b"\n".join(b"%.2f" % score for score in SCORES),
            b'"row";"weight"\n5;0,5\n0;1,5\n',
            "﻿row\n5\n0\n".encode(),
        ],
        mutate_bytes,
    ),
    ".txt": (
        lambda: [b"# row\n5\n0\n3\n", b"[5, 0, 3]", b"5 0 3\n", "row\tscore\n1\t2\n".encode("utf-16")],
        mutate_bytes,
    ),
    ".parquet": (
        lambda: [
            parquet(_scored),
            parquet(_rows, compression="gzip", use_dictionary=False),
            framed({"score": SCORES}, index=range(3, 3 + ROWS)),
            framed({"row": LISTED}, index=list("abcd")),
        ],
        mutate_bytes,
    ),
}


def _is_plain(path: Path, value: Any) -> None:
    """Nothing but tensors, tables and plain values of a sane size."""
    if isinstance(value, Table):
        assert len({len(column) for column in value.columns}) <= 1
        assert not value.names or len(value.names) == len(value.columns)
    elif isinstance(value, Tensor):
        assert value.device.type == "cpu"
    elif isinstance(value, Mapping):
        for one in value.values():
            _is_plain(path, one)
    elif isinstance(value, list | tuple):
        for one in value[:100]:
            _is_plain(path, one)
    else:
        assert (
            value is None
            or isinstance(value, int | float | str | bytes)
            or type(value).__module__ in ("argparse", "types", "torch", "collections")
        ), type(value)


def _scores_are_whole(path: Path, value: ReadScores) -> None:
    assert value.scores.shape == (ROWS,)
    assert value.scores.dtype == torch.float32
    assert not bool(value.scores.isnan().any())
    assert value.reading.facts()


def _rows_are_rows(path: Path, value: tuple[ReadRows, int]) -> None:
    found, counted = value
    assert len(found.rows) == counted > 0
    assert found.rows.dtype == torch.int64
    assert 0 <= int(found.rows.min()) <= int(found.rows.max()) < ROWS
    assert len(found.rows.unique()) == len(found.rows)
    assert found.weights is None or len(found.weights) == len(found.rows)


def _read_rows(path: Path) -> tuple[ReadRows, int]:
    return read_rows(path, data()), count_rows(path, ROWS, 2)


def _fitting(suffix: str, parse: Callable[[Path], Any], folder: Path) -> list[bytes]:
    """The seeds of a format that a reader takes."""
    fitting = []
    for seed in _SEEDS[suffix][0]():
        path = folder / f"seed{suffix}"
        path.write_bytes(seed)
        try:
            parse(path)
        except Exception:
            continue
        fitting.append(seed)
    assert fitting, suffix
    return fitting


@cache
def _seeds_for(suffix: str, parse: Callable[[Path], Any]) -> list[bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return _fitting(suffix, parse, Path(folder))


def _read_scores(path: Path) -> ReadScores:
    return read_scores(path, data())


IMAGES = torch.arange(4 * 3 * 4 * 4).reshape(4, 3, 4, 4) % 256
LABELS = torch.tensor([0, 1, 0, 1])


PIXELS = IMAGES.to(torch.uint8)
FLOATS = PIXELS.float() / 255
_SETS: dict[str, Callable[[], list[bytes]]] = {
    ".pt": lambda: [
        torch_file({"images": FLOATS, "labels": LABELS}),
        torch_file({"data": [[FLOATS, LABELS]]}),
        torch_file([PIXELS, LABELS]),
        torch_file({"images": FLOATS, "labels": LABELS, "student_lr": torch.tensor(0.01), "class_names": ["a", "b"]}),
        torch_file((FLOATS, LABELS), zipped=False),
    ],
    ".npz": lambda: [
        npz(images=PIXELS.numpy(), labels=LABELS.numpy()),
        npz(compressed=True, x=FLOATS.numpy(), y=LABELS.numpy()),
    ],
    ".safetensors": lambda: [save({"images": PIXELS, "labels": LABELS}), save({"images": FLOATS, "targets": LABELS})],
}


def _is_set(path: Path, value: CompressedSet) -> None:
    assert len(value) == len(value.targets) > 0
    assert 0 <= int(value.targets.min()) <= int(value.targets.max()) < len(value.class_names)
    assert value.canvases(torch.arange(len(value)), value.size or 4).dtype == torch.uint8
    assert value.card.model_dump_json()


_STATE = {"conv.weight": torch.ones(2, 3, 3, 3), "fc.bias": torch.zeros(2), "bn.num_batches_tracked": torch.tensor(3)}
_NETWORKS: dict[str, tuple[Callable[[], list[bytes]], Mutate]] = {
    ".pth": (
        lambda: [
            torch_file(_STATE),
            torch_file({"state_dict": _STATE, "epoch": 3}),
            torch_file({"model": _STATE, "ema": _STATE}, zipped=False),
        ],
        mutate_torch,
    ),
    ".safetensors": (lambda: [save(_STATE)], mutate_safetensors),
}


def _are_weights(path: Path, value: Weights) -> None:
    assert value.tensors
    assert all(isinstance(one, Tensor) for one in value.tensors.values())


def _batch(count: int = 3) -> dict[bytes | str, Any]:
    pixels = np.arange(count * 3072, dtype=np.uint64).astype(np.uint8).reshape(count, 3072)
    return {b"data": pixels, b"labels": [0, 1, 0][:count], b"batch_label": b"one", b"filenames": [b"a.png"] * count}


def _pickles() -> list[bytes]:
    return [pickle.dumps(_batch(), protocol) for protocol in (0, 2, 4)]


_PY, _BIN = "cifar-10-batches-py", "cifar-10-batches-bin"


def _write_batches(folder: Path) -> None:
    (folder / _PY).mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / _PY / name).write_bytes(pickle.dumps(_batch(), 2))
    (folder / _PY / "batches.meta").write_bytes(_metas()[0])


def _write_binary(folder: Path) -> None:
    (folder / _BIN).mkdir()
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (folder / _BIN / name).write_bytes(_binaries()[0])
    (folder / _BIN / "batches.meta.txt").write_text("cat\ndog\n")


def _metas() -> list[bytes]:
    return [pickle.dumps({b"label_names": [b"cat", b"dog"]}, 2)]


def _binaries() -> list[bytes]:
    return [b"".join(bytes([label]) + bytes(3072) for label in (0, 1, 0))]


def _read_folder(path: Path) -> Any:
    found = find_batches(path.parent)
    assert found is not None
    return read_batches(found)


def _are_splits(path: Path, value: Any) -> None:
    for part in (value.train, value.test):
        assert 0 <= int(part.targets.min()) <= int(part.targets.max()) < len(part.class_names)
        assert part.native(torch.tensor([0]))[0].shape == (3, 32, 32)


def _of(suffix: str, parse: Callable[[Path], Any]) -> Callable[[], list[bytes]]:
    return lambda: _seeds_for(suffix, parse)


PARSERS = (
    *(
        Parser(f"arrays {suffix}", f"numbers{suffix}", seeds, read_arrays, mutate, _is_plain)
        for suffix, (seeds, mutate) in _SEEDS.items()
    ),
    *(
        Parser(f"scores {suffix}", f"it{suffix}", _of(suffix, _read_scores), _read_scores, mutate, _scores_are_whole)
        for suffix, (_, mutate) in _SEEDS.items()
        if suffix != ".txt"
    ),
    *(
        Parser(f"rows {suffix}", f"it{suffix}", _of(suffix, _read_rows), _read_rows, mutate, _rows_are_rows)
        for suffix, (_, mutate) in _SEEDS.items()
    ),
    *(
        Parser(f"set {suffix}", f"set{suffix}", seeds, read_set, _SEEDS[suffix][1], _is_set, tells=True)
        for suffix, seeds in _SETS.items()
    ),
    *(
        Parser(f"weights {suffix}", f"net{suffix}", seeds, read_weights, mutate, _are_weights)
        for suffix, (seeds, mutate) in _NETWORKS.items()
    ),
    Parser("pickle of a batch", "data_batch_1", _pickles, read_plain_pickle),
    Parser(
        "batches for Python",
        f"{_PY}/data_batch_1",
        _pickles,
        _read_folder,
        agree=_are_splits,
        prepare=_write_batches,
        tells=True,
    ),
    Parser(
        "batches.meta",
        f"{_PY}/batches.meta",
        _metas,
        _read_folder,
        agree=_are_splits,
        prepare=_write_batches,
        tells=True,
    ),
    Parser(
        "batches in binary",
        f"{_BIN}/data_batch_1.bin",
        _binaries,
        _read_folder,
        agree=_are_splits,
        prepare=_write_binary,
        tells=True,
    ),
)
