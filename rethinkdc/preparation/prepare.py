"""Preparation: a dataset's real layout is read once, and becomes shards of which any row is read at once."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import PIL
import torch
from PIL import features as pillow_features

from rethinkdc import interruption
from rethinkdc.context.cache import Cache
from rethinkdc.contracts.context import Silent
from rethinkdc.cores import cores
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decoders import find_decoder
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.fingerprint import content_fingerprint
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError, RequestError
from rethinkdc.layouts.file_datasets import FolderDataset
from rethinkdc.layouts.prepared import Part, Plan, Prepared, Recipe, Shard, write_about
from rethinkdc.layouts.prepared_splits import images_of
from rethinkdc.layouts.walking import is_within
from rethinkdc.notes import Facts
from rethinkdc.preparation.calls import PrepareCall
from rethinkdc.preparation.making import make_shards
from rethinkdc.preparation.place import clear, enter, refuse_other, write_saved
from rethinkdc.preparation.shards import find_made
from rethinkdc.preparation.sources import SourcePart, parts_of
from rethinkdc.registry.registry import Registry
from rethinkdc.storage import expand_home, lock, make_folder, show_path
from rethinkdc.types import Images

_BEST = 100
"""The highest quality of JPEG."""


def prepare_dataset(call: PrepareCall) -> tuple[Prepared, Path]:
    """Prepares a dataset, or goes on where an earlier try ended; whole shards are kept, damaged ones made again.

    Returns:
        What the folder holds, and where it is.

    Raises:
        RequestError: an option is wrong, the dataset cannot be read, or the folder holds something else.
        StorageError: there is no room; the same command goes on.
        DataError: an image cannot be read, or the source changed meanwhile.
    """
    cache = Cache(Path(call.cache_dir) if call.cache_dir else None)
    registry, recipe = Registry(cache_folder=cache.root), _recipe(call)
    folder = expand_home(Path(call.out)) if call.out else _default_folder(call)
    _check_apart(folder, recipe)
    registry.check_unambiguous("dataset", call.source)
    splits = registry.build(Dataset, call.source).load(cache.root, "encoded")
    parts = parts_of(splits, call.source)
    plan = Plan(recipe=recipe, source_fingerprint=splits.fingerprint)
    refuse_other(folder, plan)
    make_folder(folder)
    with lock(folder / ".lock") as lease:
        if lease is None:
            raise RequestError(
                f"{show_path(folder)} cannot be locked, and two commands would spoil each other's shards. "
                "Choose a folder on another file system with --out."
            )
        # Another command may have begun or finished it meanwhile.
        finished = enter(folder, plan)
        shards = _make_all(call, folder, recipe, parts, finished)
        splits.check_unchanged()
        if finished and all(shards[shard.file] == shard for shard in finished.shards):
            prepared = finished
        else:
            prepared = _with_fingerprints(folder, _describe(plan, parts, shards, splits), parts)
            _tell_change(folder, finished, prepared)
            write_saved(folder, prepared)
            write_about(folder, prepared)
        clear(folder, list(shards))
    _remember(folder, prepared, cache)
    return prepared, folder


def _recipe(call: PrepareCall) -> Recipe:
    if call.quality > _BEST:
        raise RequestError(f"--quality {call.quality}: JPEG's is 1 to {_BEST}.")
    if call.short_side is None and (call.codec != PrepareCall.codec or call.quality != PrepareCall.quality):
        raise RequestError(
            "--codec and --quality are about images that are resized, and others keep their bytes: give --short-side "
            "too, such as 256."
        )
    if call.codec == "png" and call.quality != PrepareCall.quality:
        raise RequestError(f"--quality {call.quality} is JPEG's, and --codec png loses nothing. Leave one of them out.")
    if call.short_side is None and call.scaled:
        raise RequestError("--scaled is about images that are resized: give --short-side too, such as 256.")
    local = expand_home(Path(call.source))
    return Recipe(
        # Found from wherever the command that is printed is typed.
        dataset=os.path.abspath(local) if local.is_dir() else call.source,  # noqa: PTH100 - keeps links
        short_side=call.short_side,
        codec=call.codec,
        quality=call.quality,
        scaled=call.scaled,
        decoder=find_decoder(call.decoder),
    )


def _default_folder(call: PrepareCall) -> Path:
    local = expand_home(Path(call.source))
    # `.` and `..` have the name of what they are.
    named = Path(os.path.realpath(local)) if local.is_dir() else Path(call.source.rstrip("/"))
    name = named.name.partition(":")[0]
    return Path(f"{name}-{call.short_side}px" if call.short_side else f"{name}-prepared")


def _check_apart(folder: Path, recipe: Recipe) -> None:
    """Refuses a folder inside the source, which would be another dataset from then on."""
    source = os.path.realpath(recipe.dataset)
    if os.path.isabs(recipe.dataset) and is_within(os.path.realpath(folder), source):  # noqa: PTH117
        raise RequestError(
            f"--out {show_path(folder)} lies in the dataset {show_path(source)} itself. Choose a folder beside it."
        )


def _make_all(
    call: PrepareCall, folder: Path, recipe: Recipe, parts: tuple[SourcePart, ...], finished: Prepared | None
) -> dict[str, Shard]:
    """Every shard by its file: those that are whole already, and the others made."""
    workers = call.workers if call.workers is not None else cores()
    known = {shard.file: shard for shard in finished.shards} if finished else {}
    files = [file for part in parts for file in part.files]
    with ThreadPoolExecutor(max(1, workers)) as threads:
        found = threads.map(partial(find_made, folder, known=known), files)
        made = {shard.file: shard for shard in found if shard}
    progress = call.progress or Silent()
    with (
        interruption.going("the preparation") as work,
        progress.task("Preparing", sum(len(part.images) for part in parts)) as advance,
    ):

        def done(shard: Shard) -> None:
            made[shard.file] = shard
            work.kept = f"{len(made)} of {len(files)} shards"
            advance(shard.rows)

        for shard in list(made.values()):
            done(shard)
        whole = frozenset(made)
        tasks = (task for part in parts for task in part.tasks(folder, recipe, whole))
        make_shards(tasks, min(workers, len(files) - len(made)), done)
    return made


def _describe(plan: Plan, parts: tuple[SourcePart, SourcePart], shards: dict[str, Shard], splits: Splits) -> Prepared:
    train, test = (
        Part(
            name=part.name,
            form="pixels" if part.holds_pixels(plan.recipe) else "files",
            fingerprint=part.images.fingerprint,
            shards=tuple(shards[file] for file in part.files),
        )
        for part in parts
    )
    return Prepared(
        recipe=plan.recipe,
        made_by=_libraries(plan.recipe),
        source_fingerprint=plan.source_fingerprint,
        class_names=parts[0].images.class_names,
        train=train,
        test=test,
        facts=Facts(notes=(*splits.facts.notes, *plan.recipe.tell()), passed_over=splits.facts.passed_over),
    )


def _libraries(recipe: Recipe) -> tuple[str, ...]:
    jpeg = pillow_features.version("libjpeg_turbo")
    pillow = f"pillow {PIL.__version__}" + (f" (libjpeg-turbo {jpeg})" if jpeg else "")
    decoder = [str(recipe.decoder)] * (recipe.decoder.name != "pillow")
    return (pillow, *decoder, *[f"torch {torch.__version__}"] * (recipe.short_side is not None))


def _with_fingerprints(folder: Path, prepared: Prepared, parts: tuple[SourcePart, SourcePart]) -> Prepared:
    """The fingerprints of what lies on disk now: where no image is resized, they must be those of the source.

    Raises:
        DataError: they are not.
    """
    found = {}
    for key, part, source in zip(("train", "test"), prepared.parts, parts, strict=True):
        images = images_of(folder, prepared, part)
        resized = any(shard.resized for shard in part.shards)
        if not resized and not _are_of(images, source):
            raise DataError(
                f"The images of {prepared.recipe.dataset} changed while they were read: the {part.name} split that was "
                f"written is another one. Remove {show_path(folder)} and run again when they are complete."
            )
        found[key] = part.model_copy(update={"fingerprint": images.fingerprint})
    return prepared.model_copy(update=found)


def _are_of(images: Images, source: SourcePart) -> bool:
    """Whether images are those of the source, whoever decodes either."""
    if not isinstance(source.images, EncodedImages) or not isinstance(images, EncodedImages):
        return images.fingerprint == source.images.fingerprint
    if images.decoder == source.images.decoder:
        return images.fingerprint == source.images.fingerprint
    content = content_fingerprint(images.blobs, images.targets, images.class_names)
    return source.images.decoder.sign(content) == source.images.fingerprint


def _tell_change(folder: Path, before: Prepared | None, now: Prepared) -> None:
    """Says that a folder that was mended is another dataset now, as other libraries resized or encoded."""
    if before and before.fingerprint != now.fingerprint:
        warnings.warn(
            f"What lies in {show_path(folder)} is another dataset than before, with keys of its own: its fingerprint "
            f"is {now.fingerprint[:12]}, and was {before.fingerprint[:12]}. It was made by "
            f"{', '.join(before.made_by)}, and mended by {', '.join(now.made_by)}.",
            stacklevel=2,
        )


def _remember(folder: Path, prepared: Prepared, cache: Cache) -> None:
    """Tells the book of fingerprints, so that the first use reads no shard only to know it."""
    train, test = (images_of(folder, prepared, part, part.fingerprint) for part in prepared.parts)
    FolderDataset(path=str(folder)).remember(Splits(train, test, prepared.facts), cache.root, None)
