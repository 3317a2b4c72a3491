"""The contract of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rethinkdc.data.backing import Backing
from rethinkdc.data.fingerprint import FingerprintBook, KnownSplits
from rethinkdc.data.splits import Schema, Splits, schema_of
from rethinkdc.method import Method
from rethinkdc.storage import digest

FINGERPRINTS = "fingerprints"
"""Folder of the cache that holds the book of datasets."""
LOADER_REVISION = 3
"""Raised whenever the same files give another content hash (other columns, class order or rows), or are refused, or
told of otherwise: what the book knows of them is then looked at again."""


class Dataset(Method):
    """Base of everything that gives train and test images.

    ``schema`` states what every instance has, for looking a protocol up before anything is read; None = not known.
    """

    kind: ClassVar[str] = "dataset"
    schema: ClassVar[Schema | None] = None  # type: ignore[assignment]  # pydantic's deprecated alias has this name

    def signature(self) -> str | None:
        """Changes whenever the data may have; cheap, reads no content and imports nothing heavy. None = not known."""
        return None

    def load(self, cache_folder: Path | None = None, backing: Backing = "auto") -> Splits:
        """Reads the dataset.

        Args:
            cache_folder: where what is expensive to make is kept; None = nowhere.
            backing: how the images are held; a dataset that is always in memory may ignore it.

        Raises:
            DataError: the data is missing or cannot be used.
        """
        raise NotImplementedError

    def identify(self, cache_folder: Path | None) -> tuple[str, Schema]:
        """The fingerprint and exact schema: from the book when the files are unchanged, else by loading once.

        Raises:
            DataError: the data is missing or cannot be used.
        """
        known = self.identify_parts(cache_folder)
        return known.fingerprint, known.layout

    def identify_parts(self, cache_folder: Path | None) -> KnownSplits:
        """As :meth:`identify`, with the fingerprints of both parts."""
        before = self._sign() if cache_folder else None
        known = self.look_up(cache_folder, before)
        if known is not None:
            return known
        splits = self.load(cache_folder, "encoded")
        self.remember(splits, cache_folder, before)
        return _known(splits)

    def look_up(self, cache_folder: Path | None, signature: str | None) -> KnownSplits | None:
        """What the book in ``cache_folder`` says of the files of a signature."""
        return _open_book(cache_folder).find(signature) if cache_folder and signature else None

    def remember(self, splits: Splits, cache_folder: Path | None, before: str | None) -> None:
        """Writes ``splits`` into the book, unless the files changed since the signature ``before`` was taken."""
        after = self._sign() if cache_folder else None
        if cache_folder is None or after is None or before not in (None, after):
            return
        _open_book(cache_folder).write(after, _known(splits))

    def _sign(self) -> str | None:
        """The signature with all else that the content hash depends on."""
        signature = self.signature()
        parts = [LOADER_REVISION, self.name, self.revision, self.changed(), signature]
        return None if signature is None else digest(parts)


def _known(splits: Splits) -> KnownSplits:
    return KnownSplits(
        train=splits.train.fingerprint, test=splits.test.fingerprint, layout=schema_of(splits), facts=splits.facts
    )


def _open_book(cache_folder: Path) -> FingerprintBook:
    return FingerprintBook(cache_folder / FINGERPRINTS)
