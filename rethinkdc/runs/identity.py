"""What a run depends on of a finished set, without its pixels; and the book that spares reading it again."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from rethinkdc.compressed import CompressedSet, images_per_class, is_hub_id
from rethinkdc.compressed.tensor_files import RATE_FILE
from rethinkdc.data.fingerprint import stat_signature
from rethinkdc.errors import DamagedError
from rethinkdc.layouts.file_datasets import list_downloads, sign_folder
from rethinkdc.runs.calls import FinishedSet
from rethinkdc.runs.opening import facts_of, open_set
from rethinkdc.storage import digest, read_sealed, remember

SET_FINGERPRINTS = "set-fingerprints"
"""Folder of the cache that holds the book."""
READER_REVISION = 1
"""Raised whenever the same files are read as another set: what the book knows of them is then looked at again."""


class SetIdentity(BaseModel):
    """What a run depends on of a finished set.

    Attributes:
        fingerprint: of its content.
        ipc: images per class: the card's, or the mean over the classes that occur.
        seen_in_cells: whether its views show one of several cells each.
        protocol: what it was made under; empty = not known.
        protocol_digest: of the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    ipc: int | None
    seen_in_cells: bool = False
    protocol: str = ""
    protocol_digest: str = ""


def identity_of(compressed: CompressedSet) -> SetIdentity:
    """What a run depends on of a set."""
    card = compressed.card
    return SetIdentity(
        fingerprint=compressed.fingerprint,
        ipc=card.ipc if card.method else images_per_class(compressed.targets),
        seen_in_cells=compressed.seen_in_cells,
        protocol=card.protocol,
        protocol_digest=card.protocol_digest,
    )


def identify_set(finished: FinishedSet, cache_folder: Path) -> SetIdentity | None:
    """What a run depends on of a set: from the book when its files are unchanged, else by reading it once.

    Returns:
        None for a set of the hub that was never downloaded: nothing is fetched here.

    Raises:
        RequestError: it cannot be read.
    """
    place = finished.images
    if isinstance(place, Tensor | CompressedSet):
        return identity_of(open_set(finished, cache_folder))
    signature = _sign(finished)
    if signature and (known := _find(cache_folder, signature)):
        return known
    if not Path(place).expanduser().exists() and is_hub_id(str(place)) and not list_downloads(str(place)):
        return None
    return identity_of(open_and_remember(finished, cache_folder))


def open_and_remember(finished: FinishedSet, cache_folder: Path) -> CompressedSet:
    """Reads a set, from the hub too, and writes into the book what a run depends on of it.

    Raises:
        RequestError: it cannot be read.
    """
    before = _sign(finished)
    compressed = open_set(finished, cache_folder)
    after = _sign(finished)
    # A set that changed while it was read is not remembered; one of the hub has no signature before it is here.
    if after and before in (None, after):
        content = identity_of(compressed).model_dump_json(indent=1).encode()
        remember(_book(cache_folder) / f"{after}.sealed", content)
    return compressed


def _sign(finished: FinishedSet) -> str | None:
    """Changes whenever the set may have: of places, sizes and times of its files, and of what is said of it."""
    place, facts = Path(str(finished.images)).expanduser(), facts_of(finished)
    beside = [path for path in (facts.labels, facts.student_lr) if isinstance(path, Path)]
    try:
        if place.is_dir():
            files = sign_folder(place)
        elif place.is_file():
            rate = place.with_name(RATE_FILE)
            files = stat_signature([place, *([rate] if rate.is_file() else [])], place.parent)
        else:
            copies = list_downloads(str(finished.images))
            files = sign_folder(copies[0]) if len(copies) == 1 else None
        others = [stat_signature([path.expanduser()], path.expanduser().parent) for path in beside]
    except OSError:
        # Reading the set will name the file that is missing.
        return None
    said = [str(value) if isinstance(value, Path) else value for value in facts]
    return None if files is None else digest([READER_REVISION, str(place), files, others, said])


def _find(cache_folder: Path, signature: str) -> SetIdentity | None:
    try:
        return SetIdentity.model_validate_json(read_sealed(_book(cache_folder) / f"{signature}.sealed"))
    except (OSError, DamagedError, ValidationError):
        return None


def _book(cache_folder: Path) -> Path:
    return cache_folder / SET_FINGERPRINTS
