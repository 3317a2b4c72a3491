"""The command line in this process, datasets to misuse it with, and distributions that are installed for one test."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from PIL import Image

from rethinkdc.cli.main import main
from rethinkdc.seeds import generator


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all commands, so that the digits' proxy is trained once."""
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture
def cli(
    tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """``rethinkdc WORDS...`` in an empty current directory: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETHINKDC_CACHE", str(shared_cache))
    monkeypatch.delenv("RETHINKDC_RECORDS", raising=False)

    def call(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["rethinkdc", *words])
        capsys.readouterr()
        code = 0
        # The command line installs its own printer of warnings, and a new process forgets which it has printed.
        with warnings.catch_warnings():
            warnings.filterwarnings("default", category=UserWarning)
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return call


@pytest.fixture
def image_tree(tmp_path: Path) -> Callable[..., Path]:
    """Writes FOLDER/train/CLASS/FILE and FOLDER/test/CLASS/FILE with random 8-px images."""

    def write(train: Mapping[str, int], test: Mapping[str, int], name: str = "tree") -> Path:
        pixels = generator(0)
        for split, classes in (("train", train), ("test", test)):
            for label, count in classes.items():
                folder = tmp_path / name / split / label
                folder.mkdir(parents=True)
                for index in range(count):
                    noise = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8, generator=pixels)
                    Image.fromarray(noise.numpy()).save(folder / f"{index:03d}.png")
        return tmp_path / name

    return write


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a distribution importable for this test: its metadata, its entry points and one module for each."""

    def installed(distribution: str, modules: Mapping[str, str]) -> None:
        site = tmp_path / f"site-{distribution}"
        about = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        prefix = distribution.replace("-", "_")
        points = []
        for name, source in modules.items():
            module = f"{prefix}_{name.replace('-', '_')}"
            (site / f"{module}.py").write_text(source)
            points.append(f"{name} = {module}")
        (about / "entry_points.txt").write_text("[rethinkdc]\n" + "\n".join(points) + "\n")
        monkeypatch.syspath_prepend(str(site))

    return installed
