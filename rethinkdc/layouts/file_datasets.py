"""Datasets that are files: folders by path, and datasets of the Hugging Face hub by id."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from rethinkdc.data.backing import Backing, find_cached_pixels
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.fingerprint import KnownSplits, stat_signature
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.errors import DataError
from rethinkdc.layouts.walking import Walk
from rethinkdc.storage import digest


class FileDataset(Dataset):
    """Base of datasets made of files: unchanged files are neither hashed nor decoded twice."""

    def load(self, cache_folder: Path | None = None, backing: Backing = "auto") -> Splits:
        before = self._sign()
        known = self.look_up(cache_folder, before)
        if known and backing != "encoded":
            train, test = (find_cached_pixels(part, cache_folder) for part in (known.train, known.test))
            if train and test:
                return _tell(Splits(train=train, test=test, facts=known.facts))
        splits = self._read(cache_folder, backing, known)
        if known is None:
            self.remember(splits, cache_folder, before)
        # What was only just fetched has no signature before it.
        signed = before or self._sign()
        if signed and not all(isinstance(part, DecodedImages) for part in (splits.train, splits.test)):
            splits = replace(splits, check_unchanged=partial(self._check_unchanged, signed))
        return _tell(splits)

    def _check_unchanged(self, before: str) -> None:
        if self._sign() != before:
            raise DataError(
                f"The files of the dataset {self.name} changed while they were read: nothing that was made of them "
                "since is kept. Run again when they are complete."
            )

    def _read(self, cache_folder: Path | None, backing: Backing, known: KnownSplits | None) -> Splits:
        raise NotImplementedError


class FolderDataset(FileDataset):
    """A folder on this machine: an image tree or Parquet files with a train and a test split."""

    name: ClassVar[str] = "folder"
    path: str = Field(description="the folder", min_length=1)

    def signature(self) -> str | None:
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            return None
        return sign_folder(folder)

    def _read(self, cache_folder: Path | None, backing: Backing, known: KnownSplits | None) -> Splits:
        from rethinkdc.layouts.hub import load_path

        return load_path(Path(self.path), cache_folder=cache_folder, backing=backing, known=known)


class HubFileDataset(FileDataset):
    """Base of datasets that Hugging Face ``datasets`` downloads: a plugin states its ``hub_id``."""

    hub_id: ClassVar[str] = ""
    schema: ClassVar[Schema | None] = None  # type: ignore[assignment]  # as in Dataset

    @property
    def repository(self) -> str:
        """The hub id, ``OWNER/NAME``."""
        return self.hub_id

    def signature(self) -> str | None:
        """That of the one downloaded copy; None when there is none, or several to choose from."""
        copies = list_downloads(self.repository)
        return sign_folder(copies[0]) if len(copies) == 1 else None

    def _read(self, cache_folder: Path | None, backing: Backing, known: KnownSplits | None) -> Splits:
        from rethinkdc.layouts.hub import load_hub

        return load_hub(self.repository, cache_folder=cache_folder, backing=backing, known=known)


class HubDataset(HubFileDataset):
    """A dataset of the Hugging Face hub, by its id."""

    name: ClassVar[str] = "hub"
    repo: str = Field(description="the id, OWNER/NAME", pattern=r"^[\w.-]+/[\w.-]+$")

    @property
    def repository(self) -> str:
        return self.repo


def _tell(splits: Splits) -> Splits:
    """Says what was passed over or assumed: from one place, so that Python says it once for a process."""
    if told := splits.facts.tell():
        warnings.warn(f"The dataset as it was read: {told}", stacklevel=1)
    return splits


def sign_folder(folder: Path) -> str | None:
    """Digest of names, sizes and times of all files below a folder; None where one of them cannot be looked at."""
    try:
        walk = Walk(folder)
        signature = stat_signature((f"{folder}{os.sep}{name}" for name in walk.files(folder)), folder)
        # Links that are passed over are no files, and yet are told of.
        return digest([signature, dict(walk.passed_over)]) if walk.passed_over else signature
    except OSError:  # a dangling link, or a file removed meanwhile: reading the data will name it
        return None


def list_downloads(repository: str) -> list[Path]:
    """Lists the folders ``OWNER___NAME/CONFIG/VERSION/HASH`` of Hugging Face's Arrow cache without importing it."""
    root = _find_arrow_cache() / repository.replace("/", "___")
    return sorted(path.parent for path in root.glob("*/*/*/dataset_info.json"))


def _find_arrow_cache() -> Path:
    given = os.environ.get("HF_DATASETS_CACHE")
    if given:
        return Path(given).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or Path(cache, "huggingface")
    return Path(home).expanduser() / "datasets"
