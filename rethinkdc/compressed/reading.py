"""Sets by the place where they lie: folders, files of tensors, trees of images, and the hub."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from rethinkdc.choices import Backing
from rethinkdc.compressed.card import CARD, Card
from rethinkdc.compressed.published import import_folder, import_hub, set_of_images
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.compressed.tensor_files import UNKNOWN, FileFacts, import_tensors
from rethinkdc.compressed.tensor_folders import SUFFIXES, find_pair
from rethinkdc.compressed.tensors import images_per_class
from rethinkdc.errors import DataError, RequestError
from rethinkdc.layouts.image_tree import TRAIN_NAMES, scan
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.layouts.walking import list_files
from rethinkdc.notes import Facts

_HUB = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def read_set(
    place: str | Path,
    facts: FileFacts | None = None,
    cache_folder: Path | None = None,
    backing: Backing = "auto",
) -> CompressedSet:
    """Reads a finished set, made here or elsewhere.

    Args:
        place: a folder of ``compress --out``; a Parquet folder or hub id ``OWNER/NAME`` with the columns ``image`` and
            ``class_id``; a tree ``CLASS/FILE`` or ``train/CLASS/FILE`` of images; a file of tensors; or a folder of
            two, ``images_best.pt`` and ``labels_best.pt``.
        facts: what a file of tensors does not say of itself.
        cache_folder: where decoded images are kept.
        backing: how images that lie as files are held.

    Raises:
        RequestError: nothing is there, it cannot be read, or it is no set; says what is known.
    """
    path, facts = Path(place).expanduser(), facts or FileFacts()
    if path.is_file() or path.suffix in SUFFIXES:
        return import_tensors(path, facts)
    if path.is_dir() and facts.labels is None and (pair := find_pair(path)):
        return import_tensors(pair[0], facts._replace(labels=pair[1]), set_name(place))
    stated = [f"--{name.replace('_', '-')}" for name, value in facts._asdict().items() if value is not None]
    if stated:
        raise RequestError(f"{', '.join(stated)}: {place} is no file of tensors ({', '.join(SUFFIXES)}).")
    if not path.exists() and is_hub_id(str(place)):
        published = import_hub(str(place), cache_folder, backing)
        return _add_card(published, set_name(place), "the train split of a hub dataset")
    if path.is_dir() and (found := _scan_tree(path)):
        tree, part = found
        told = Facts.of([tree.passed_over]).tell()
        if told:
            warnings.warn(f"The set as it was read: {told}", stacklevel=2)
        card = Card(notes={"read": [told]} if told else {})
        compressed = set_of_images(tree, cache_folder, backing=backing, card=card)
        return _add_card(compressed, set_name(place), f"a tree of image files{part}")
    return _add_card(import_folder(path, cache_folder, backing), set_name(place), "the train split of Parquet files")


def is_hub_id(text: str) -> bool:
    """Whether a text is written as the ids of the Hugging Face hub are: ``OWNER/NAME``."""
    return _HUB.fullmatch(text) is not None


def set_name(place: str | Path) -> str:
    """What tables call a set: the name of its folder, or of its file without the ending."""
    path = Path(place).expanduser().resolve()
    return path.stem if path.suffix in SUFFIXES else path.name


def _scan_tree(folder: Path) -> tuple[Labelled, str] | None:
    """Lists the images of a folder whose subfolders are classes, and says of which part where there are several.

    None where the folder holds something else.
    """
    if (folder / CARD).exists() or any(file.suffix in (".parquet", ".arrow") for file in list_files(folder)):
        return None
    for root in (*(folder / name for name in TRAIN_NAMES), folder):
        if root.is_dir():
            try:
                tree = scan(root)
            except DataError:
                return None
            if len(tree.blobs) and len(tree.class_names) > 1:
                return tree, "" if root == folder else f", its part {root.name} alone"
    return None


def _add_card(compressed: CompressedSet, name: str, form: str) -> CompressedSet:
    """Gives a set that brings no card one that says what is known of sets made elsewhere, and their form."""
    if compressed.card.method:
        return compressed
    source = f"{form}: {len(compressed):,} images of {compressed.size} px"
    notes = {"external_data": [UNKNOWN], "source": source, **compressed.card.notes}
    ipc = images_per_class(compressed.targets)
    return compressed.with_card(Card(method=name, ipc=ipc, external_data=[UNKNOWN], notes=notes))
