"""Runs that can be killed, and a folder of real images with a protocol of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rethinkdc.data.stratified import stratified_rows
from rethinkdc.plugins.datasets.digits import Digits
from rethinkdc.registry.registry import Registry

SCRIPT = Path(__file__).with_name("forked_runs.py")


class Runs:
    """``rethinkdc`` in forked children of one process; every place is a cache and a folder of records of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(
        self, place: Path, *argv: str, stop: dict[str, Any] | None = None, every: float | None = None
    ) -> dict[str, Any]:
        """One command with ``place`` for its cache (and its records, where it takes them)."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        place.mkdir(parents=True, exist_ok=True)
        given = [*argv, "--cache-dir", str(place / "cache"), "--device", "cpu"]
        if argv[0] in ("run", "evaluate"):
            given += ["--records", str(place / "records"), "--json"]
        request = {"argv": given, "out": str(place / "out.txt"), "stop": stop, "every": every}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def digest(self, place: Path, *argv: str, every: float | None = None) -> str:
        """The result digest of a run that ends well."""
        found: str = self.record(place, *argv, every=every)["result_digest"]
        return found

    def record(self, place: Path, *argv: str, every: float | None = None) -> dict[str, Any]:
        """The record of a run that ends well, as JSON data."""
        answer = self.run(place, *argv, every=every)
        assert answer["code"] == 0, answer["err"]
        found: dict[str, Any] = json.loads(answer["out"])[0]
        return found

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    served = Runs(tmp_path_factory.mktemp("runs"))
    yield served
    served.close()


def write_parquet(path: Path, images: list[bytes], labels: list[int], names: list[str]) -> None:
    """A split as the hub holds it: struct of bytes and path, and a ClassLabel."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    schema = features.arrow_schema
    rows = {"image": [{"bytes": content, "path": None} for content in images], "label": labels}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pydict(rows, schema=schema), path)


@pytest.fixture(scope="session")
def parquet_writer() -> Callable[[Path, list[bytes], list[int], list[str]], None]:
    return write_parquet


@pytest.fixture(scope="session")
def small_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 training and 100 test digits as a Parquet folder, sorted by class as many copies are."""
    folder = tmp_path_factory.mktemp("small-digits")
    splits = Digits().load()
    for split, images, count in (("train", splits.train, 500), ("test", splits.test, 100)):
        rows = stratified_rows(images.targets, count, 0)
        rows = rows[images.targets[rows].argsort(stable=True)]
        encoded = [_png(image) for image in images.native(rows)]
        labels: list[int] = images.targets[rows].tolist()
        write_parquet(folder / "data" / f"{split}-0.parquet", encoded, labels, list(images.class_names))
    return folder


@pytest.fixture(scope="session")
def short_protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``digits-hard``, shortened, for the folder of small digits."""
    return write_short_protocol(tmp_path_factory.mktemp("protocol") / "short.toml", "digits-hard", 500, 100, 3, 40)


@pytest.fixture(scope="session")
def soft_protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``digits-soft``, shortened, for the folder of small digits."""
    return write_short_protocol(tmp_path_factory.mktemp("soft") / "soft.toml", "digits-soft", 500, 100, 3, 40)


@pytest.fixture(scope="session")
def short_protocol_writer() -> Callable[[Path, str, int, int, int, int], Path]:
    return write_short_protocol


def write_short_protocol(path: Path, base: str, train: int, test: int, proxy_epochs: int, steps: int) -> Path:
    """A protocol file with the values of a shipped one, for fewer images, with a shorter proxy, teacher and student."""
    content = (
        Registry().protocols.find(base).model_dump(mode="json", exclude={"overrides", "default", "default_dataset"})
    )
    content |= {"id": path.stem, "data": {"classes": 10, "train": train, "test": test}}
    content["training"] |= {"steps": steps, "epochs": None}
    content["proxy"]["training"] |= {"epochs": proxy_epochs, "steps": None}
    content["proxy"]["scores"] = {"el2n": {"epochs": [1, proxy_epochs]}}
    for recipe in content["teacher"]["recipes"].values():
        recipe["training"] |= {"epochs": proxy_epochs, "steps": None}
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in content.items() if value is not None))
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items() if inner is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(buffer, "PNG")
    return buffer.getvalue()
