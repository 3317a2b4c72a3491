"""A prepared dataset as train and test images: files that are decoded on demand, or pixels."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from rethinkdc.cores import cores
from rethinkdc.data.backing import Backing, choose_backing, find_cached_pixels, keep_pixels
from rethinkdc.data.blobs import ArrowBlobs
from rethinkdc.data.chunks import in_chunks
from rethinkdc.data.decode import decode
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.decoders import PILLOW, find_decoder
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.fingerprint import KnownSplits
from rethinkdc.data.resize import empty_canvases
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError, RequestError
from rethinkdc.layouts.arrow_shards import damaged, find_damaged, open_part
from rethinkdc.layouts.prepared import Part, Prepared, read_about
from rethinkdc.storage import show_path
from rethinkdc.types import Images


def read_prepared(
    folder: Path,
    *,
    cache_folder: Path | None = None,
    backing: Backing = "auto",
    known: KnownSplits | None = None,
) -> Splits | None:
    """Opens a prepared dataset; None where the folder is none.

    Args:
        folder: its place.
        cache_folder: where decoded pixels are kept; None = nowhere.
        backing: how the images are held.
        known: fingerprints from the book; None = take them now, which reads every shard.

    Raises:
        DataError: it is not finished, a shard is damaged, or another decoder is installed than it was made for.
    """
    prepared = read_about(folder)
    if prepared is None:
        return None
    _check_decoder(folder, prepared)
    train, test = (
        _held(folder, prepared, part, cache_folder, backing, trusted=known is not None) for part in prepared.parts
    )
    return Splits(
        train=train,
        test=test,
        facts=prepared.facts.model_copy(update={"notes": (*prepared.facts.notes, *_tell_pillow(prepared))}),
        names=(prepared.train.name, prepared.test.name),
    )


def open_images(folder: Path, prepared: Prepared, part: Part, *, trusted: bool) -> Images:
    """The images of a split, under the fingerprint that was taken when they were prepared.

    Args:
        folder: its place.
        prepared: what it says of itself.
        part: the split.
        trusted: whether the files are those of which it was checked already.

    Raises:
        DataError: they are not the images of that fingerprint; names the shard.
    """
    stated = part.fingerprint if trusted and part.form == "files" else None
    images = images_of(folder, prepared, part, stated)
    if images.fingerprint == part.fingerprint:
        return images
    shard = find_damaged(folder, prepared)
    if shard:
        raise damaged(folder, prepared, shard, "its checksum is another than when it was made")
    raise DataError(
        f"The {part.name} split of {show_path(folder)} has the fingerprint {images.fingerprint[:12]}, not "
        f"{part.fingerprint[:12]} as its prepared.json says: that file was changed. Remove the folder and prepare it "
        f"again: {prepared.recipe.command(folder)}"
    )


def images_of(folder: Path, prepared: Prepared, part: Part, fingerprint: str | None = None) -> Images:
    """The images of a split under a fingerprint that is known; None = taken now.

    Raises:
        DataError: a shard is missing or cannot be read.
    """
    blobs, targets = open_part(folder, prepared, part)
    if part.form == "files":
        return EncodedImages(blobs, targets, prepared.class_names, fingerprint, prepared.recipe.decoder)
    return DecodedImages(_decode(blobs), targets, prepared.class_names, fingerprint)


def _decode(blobs: ArrowBlobs) -> Tensor:
    """Uint8 [N, 3, h, w] of images of one size.

    Raises:
        DataError: one is of another size than the first, or cannot be read.
    """
    first = decode(blobs.read(0), where=blobs.where(0))
    pixels = empty_canvases(len(blobs), (first.shape[1], first.shape[2]))

    def fill(begin: int, end: int) -> None:
        for row in range(begin, end):
            image = decode(blobs.read(row), where=blobs.where(row))
            if image.shape != first.shape:
                raise DataError(
                    f"{blobs.where(row)} is {image.shape[1]} x {image.shape[2]} px, and {blobs.where(0)} "
                    f"{first.shape[1]} x {first.shape[2]}: pixels that were prepared are of one size. Remove the "
                    "folder and prepare the dataset again."
                )
            pixels[row].copy_(image)

    in_chunks(len(blobs), fill, workers=cores())
    return pixels


def _held(
    folder: Path, prepared: Prepared, part: Part, cache_folder: Path | None, backing: Backing, *, trusted: bool
) -> Images:
    """The images of a split, in the backing that is asked for; pixels are decoded once, and mapped from then on."""
    if part.form == "pixels" and trusted and (known := find_cached_pixels(part.fingerprint, cache_folder)):
        return known
    images = open_images(folder, prepared, part, trusted=trusted)
    if isinstance(images, EncodedImages):
        return choose_backing(images, cache_folder, backing=backing)
    return keep_pixels(images, cache_folder) if isinstance(images, DecodedImages) else images


def _tell_pillow(prepared: Prepared) -> tuple[str, ...]:
    """The note that another release of Pillow decodes than that of the preparation; empty where it is the same."""
    made = prepared.recipe.decoder
    if made.name != "pillow" or made == PILLOW:
        return ()
    return (
        f"Prepared with Pillow {made.version} and decoded by Pillow {PILLOW.version}: pixels that one of them decoded "
        "are not served for the other's.",
    )


def _check_decoder(folder: Path, prepared: Prepared) -> None:
    wanted = prepared.recipe.decoder
    if wanted.name == "pillow":
        return
    try:
        found = str(find_decoder(wanted.name))
    except RequestError:
        found = "none"
    if found != str(wanted):
        anew = prepared.recipe.model_copy(update={"decoder": PILLOW}).command(Path("FOLDER"))
        raise DataError(
            f"The images of {show_path(folder)} are keyed as {wanted} decodes them, and installed here is {found}, "
            f"whose pixels may be others. Install it (pip install {wanted.name}=={wanted.version}), or prepare the "
            f"dataset for Pillow into another folder: {anew}"
        )
