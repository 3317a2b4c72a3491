"""Sets as they are published, here or elsewhere: Parquet columns and image files, and a card where there is one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.choices import Backing
from rethinkdc.compressed.canvases import grid_boxes
from rethinkdc.compressed.card import CARD, About, parse_about
from rethinkdc.compressed.set import SYNTHETIC, CompressedSet
from rethinkdc.data.backing import choose_backing
from rethinkdc.data.decode import decode, raise_limit
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.image_files import open_image
from rethinkdc.errors import DamagedError, DataError
from rethinkdc.files.parquet_files import check_parquet
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.layouts.opening import quiet_unless_watched, tell_cause, with_arrow
from rethinkdc.layouts.parquet_columns import (
    IMAGE_COLUMNS,
    LABEL_COLUMNS,
    contradicting_columns,
    find_column_name,
    read_split,
)
from rethinkdc.layouts.shards import check_shards
from rethinkdc.layouts.walking import list_files
from rethinkdc.storage import MANIFEST, read_manifest, read_regular, verify_folder

_FURTHER = ("sources", "source_boxes", "weight", "soft_target")
"""What a set may hold for each image beside its class."""
_MOST_BYTES = 64 << 20
"""Of a card."""
_OWN = {"sources"}
"""By these columns a set that was written here is known: each has them."""


def import_folder(folder: Path, cache_folder: Path | None = None, backing: Backing = "auto") -> CompressedSet:
    """Reads what :func:`~rethinkdc.compressed.publishing.export_folder` wrote, or any Parquet folder of its columns.

    Those are ``image`` and ``class_id``; the others may lack. ``backing`` is how the images are held: ``encoded`` keeps
    the files themselves.

    Raises:
        DataError: no such folder, no train split, images that are not square or differ in size.
    """
    if not folder.is_dir():
        raise DataError(
            f"There is no compressed set at {folder}. "
            f"Make one with `rethinkdc compress --compressor NAME --out {folder}`."
        )
    # First of all: a damaged file is told by its name, not by what a reader makes of it.
    about = _read_card(folder)
    files = list(list_files(folder))
    check_shards(files)
    for file in files:
        if file.suffix == ".parquet":
            check_parquet(file)
    split = _load_train(str(folder), cache_folder and cache_folder / "datasets", "")
    # Paths of images are relative to the folder, or to the Parquet file, which lies here or in ``data``.
    bases = [folder, folder / "data"]
    return _set_of_columns(split, str(folder), cache_folder, about, bases, backing)


def import_hub(repo: str, cache_folder: Path | None = None, backing: Backing = "auto") -> CompressedSet:
    """Reads a set of the Hugging Face hub with the columns ``image``, ``class_id``, from a local copy if there is one.

    One that was exported from here brings its card, without which its cells and its learned rate would be lost.

    Raises:
        DataError: no such dataset, no network to download it, or as :func:`import_folder`.
    """
    remedy = (
        f"There is no file or folder {repo} here either. Check the name, or download the set where there is a network: "
        f"`hf download {repo} --repo-type dataset --local-dir FOLDER`, then evaluate FOLDER."
    )
    split = _load_train(repo, None, remedy)
    about = _read_hub_card(repo, remedy) if _OWN & set(split.column_names) else About()
    return _set_of_columns(split, repo, cache_folder, about, backing=backing)


def set_of_images(
    files: Labelled,
    cache_folder: Path | None = None,
    *,
    sources: Tensor | None = None,
    cell_boxes: Tensor | None = None,
    backing: Backing = "auto",
    **values: Any,
) -> CompressedSet:
    """Makes a set of image files.

    Args:
        files: the files and their classes.
        cache_folder: where decoded images are kept.
        sources: int64 [M, cells]; None = synthetic.
        cell_boxes: int32 [cells, 4]; None = one cell, the whole image.
        backing: how the images are held.
        **values: further ones of :class:`CompressedSet`.

    Raises:
        DataError: there are none, they are not square, or they differ in size.
    """
    if not len(files.blobs):
        raise DataError(f"There are no images in {files.label}.")
    images = EncodedImages(files.blobs, files.targets, files.class_names)
    size = _check_squares(images)
    boxes = grid_boxes(size, 1) if cell_boxes is None else cell_boxes
    return CompressedSet(
        choose_backing(images, cache_folder, backing=backing),
        images.targets,
        images.class_names,
        sources=torch.full((len(images), len(boxes)), SYNTHETIC) if sources is None else sources,
        cell_boxes=boxes,
        size=size,
        numbered=files.numbered,
        **values,
    )


def _load_train(name: str, arrow_folder: Path | None, remedy: str) -> Any:
    import datasets

    try:
        with quiet_unless_watched():
            loaded = with_arrow(lambda arrow: datasets.load_dataset(name, cache_dir=arrow), arrow_folder)
    except Exception as error:  # the libraries below raise their own, unrelated types
        raise DataError(f"Cannot read a compressed set from {name}: {tell_cause(error)} {remedy}".rstrip()) from error
    if "train" not in loaded:
        raise DataError(f"{name} has no train split; found {', '.join(loaded)}.")
    return loaded["train"]


def _set_of_columns(
    split: Any,
    where: str,
    cache_folder: Path | None,
    about: About,
    bases: Sequence[Path] = (),
    backing: Backing = "auto",
) -> CompressedSet:
    files, card = read_split(split, where, bases=bases), about.card
    if others := contradicting_columns(split, files.targets, where):
        raise DataError(
            f"The columns {find_column_name(split, LABEL_COLUMNS, where)} and {' and '.join(others)} of {where} "
            "contradict each other: leave out what is not meant."
        )
    if names := about.class_names:
        if len(set(names)) < len(names) or int(files.targets.max()) >= len(names):
            raise DataError(
                f"The {CARD} of {where} names {len(names)} classes ({len(set(names))} different), and its images are "
                f"of {int(files.targets.max()) + 1}: one of the two is damaged."
            )
        files = replace(files, class_names=names, numbered=about.numbered)
    if told := _tell_unread(split, where):
        card = card.model_copy(update={"notes": {**card.notes, "read": [*card.notes.get("read", ()), *told]}})
    columns = {name: _read_column(split, name) for name in _FURTHER}
    boxes, count = about.cell_boxes, len(files.blobs)
    cells = len(boxes) if boxes else 1
    sources, shown = columns["sources"], columns["source_boxes"]
    return set_of_images(
        files,
        cache_folder,
        sources=None if sources is None else sources.view(count, cells),
        source_boxes=None if shown is None else shown.view(count, cells, 4).to(torch.int32),
        cell_boxes=torch.tensor(boxes, dtype=torch.int32) if boxes else None,
        backing=backing,
        weights=columns["weight"],
        soft_targets=columns["soft_target"],
        student_lr=about.student_lr,
        view_rule=about.view_rule,
        card=card,
    )


def _tell_unread(split: Any, where: str) -> list[str]:
    """Which columns nobody reads, for the record."""
    used = [find_column_name(split, known, where) for known in (IMAGE_COLUMNS, LABEL_COLUMNS)]
    left = [name for name in split.column_names if name not in (*used, *_FURTHER)]
    return [f"left unread: {', '.join(left)}"] if left else []


def _read_card(folder: Path) -> About:
    """What ``card.json`` says; nothing for sets made elsewhere."""
    if not _is_own(folder):
        return About()
    try:
        if (folder / MANIFEST).exists():
            verify_folder(folder)
        return parse_about(read_regular(folder / CARD, _MOST_BYTES))
    except (DamagedError, OSError, ValueError) as error:
        raise DataError(f"The set at {folder} is damaged or not readable here: {error}") from error


def _is_own(folder: Path) -> bool:
    """Whether a set was written here: it has a card, or had one when its manifest was written."""
    if os.path.lexists(folder / CARD):
        return True
    try:
        return CARD in read_manifest(folder)
    except (DamagedError, OSError):
        # None, or that of another program.
        return False


def _read_hub_card(repo: str, remedy: str) -> About:
    """The same of a set on the hub, whose columns say that it was written here."""
    import huggingface_hub

    try:
        return parse_about(read_regular(Path(huggingface_hub.hf_hub_download(repo, CARD, repo_type="dataset"))))
    except Exception as error:  # the library below raises its own, unrelated types, and those of the network
        cause = tell_cause(error).rstrip(".")
        raise DataError(
            f"The set {repo} was written by rethinkdc, but its {CARD} cannot be read: {cause}. {remedy}"
        ) from error


def _check_squares(images: EncodedImages) -> int:
    """Reads the side that all images have from their headers.

    Raises:
        DataError: one is no image, not square, too large, or has another size; names it.
    """
    raise_limit()
    side = 0
    for row in range(len(images)):
        source = images.blobs.read(row)
        try:
            with open_image(source) as header:
                width, height = header.size
        except Exception:  # Pillow raises almost anything; decoding knows what to say of it
            height, width = decode(source, where=images.blobs.where(row)).shape[1:]
        side = side or width
        if (width, height) != (side, side):
            raise DataError(
                f"The canvases of a set are squares of one size, but {images.blobs.where(row)} is {width} x {height} "
                f"px and the first is {side} px wide."
            )
    return side


def _read_column(split: Any, name: str) -> Tensor | None:
    """A further column as a tensor, or None when the set has none."""
    if name not in split.column_names:
        return None
    # Of this column alone: a row of the whole split would decode its image.
    return torch.as_tensor(split.select_columns([name]).with_format("numpy")[:][name])
