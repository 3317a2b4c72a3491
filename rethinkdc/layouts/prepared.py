"""Prepared datasets: what lies in their folder, and what they were made of.

A split is a row of Arrow streams as Hugging Face ``datasets`` saves them: any row is read from a memory map, and
``datasets.load_from_disk`` opens the folder too. ``prepared.json`` is written last, behind the digest of what it says.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rethinkdc.choices import Codec
from rethinkdc.data.decoders import PILLOW, Decoder
from rethinkdc.data.splits import splits_fingerprint
from rethinkdc.errors import DataError
from rethinkdc.notes import Facts
from rethinkdc.storage import canonical_json, digest, read_regular, show_path, write_atomic

ABOUT = "prepared.json"
PLAN = "preparing.json"
"""What stands in the folder while it is made."""
_MOST = 1 << 28
_Count = Annotated[int, Field(ge=0)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Recipe(_Value):
    """What was asked for.

    Attributes:
        dataset: the reference of the source.
        short_side: pixels of the shorter side to which larger images are resized; None = the original bytes.
        codec: what resized images are written as.
        quality: of JPEG, as Pillow counts it.
        scaled: whether much larger JPEG images are decoded at a half, a quarter or an eighth of their size.
        decoder: of ordinary images, those of the source and those of the result.
    """

    dataset: str
    short_side: int | None = None
    codec: Codec = "jpeg"
    quality: int = 90
    scaled: bool = False
    decoder: Decoder = PILLOW

    def command(self, out: Path) -> str:
        """What is typed to make it, or to mend it."""
        words = ["rethinkdc", "prepare", self.dataset]
        if self.short_side is not None:
            words += ["--short-side", str(self.short_side), "--codec", self.codec]
            words += ["--quality", str(self.quality)] * (self.codec == "jpeg") + ["--scaled"] * self.scaled
        if self.decoder.name != "pillow":
            words += ["--decoder", self.decoder.name]
        return shlex.join([*words, "--out", show_path(out)])

    def tell(self) -> tuple[str, ...]:
        """What became of the images, a sentence each; none where they are the source's, and Pillow decodes them."""
        told = []
        if self.short_side is not None:
            coded = f"JPEG of quality {self.quality}" if self.codec == "jpeg" else "lossless PNG"
            how = ", from scaled decoding of much larger ones" if self.scaled else ""
            told = [f"Images were resized to a shorter side of {self.short_side} px and stored as {coded}{how}."]
        if self.decoder.name != "pillow":
            told.append(f"Ordinary images are decoded by {self.decoder}.")
        return tuple(told)


class Plan(_Value):
    """What is being made in a folder.

    Attributes:
        recipe: what was asked for.
        source_fingerprint: of the dataset that it is made of.
    """

    recipe: Recipe
    source_fingerprint: str


class Loss(_Value):
    """What resized images lost by how they are stored, against the same ones decoded in full and not encoded.

    Attributes:
        images: of the sample.
        squared_error: sum of their mean squared errors, pixels in 0..255.
        worst: the largest of these.
    """

    images: _Count = 0
    squared_error: float = 0.0
    worst: float = 0.0

    def __add__(self, other: Loss) -> Loss:
        return Loss(
            images=self.images + other.images,
            squared_error=self.squared_error + other.squared_error,
            worst=max(self.worst, other.worst),
        )

    @property
    def psnr(self) -> float:
        """Decibels of the mean error; infinite where nothing was lost."""
        return _decibels(self.squared_error / self.images) if self.images else math.inf

    @property
    def worst_psnr(self) -> float:
        """Decibels of the image that lost most."""
        return _decibels(self.worst)

    def tell(self) -> tuple[str, ...]:
        """What was lost, a sentence; none where nothing was resized."""
        if not self.images:
            return ()
        told = "Nothing was lost beside the resize"
        if self.squared_error:
            told = f"Loss beside the resize: PSNR {self.psnr:.1f} dB, {self.worst_psnr:.1f} dB at the worst"
        return (f"{told}, over {self.images:,} sampled images.",)


class Shard(_Value):
    """One file of a split.

    Attributes:
        file: its place below the folder.
        rows: images in it.
        size: bytes of these images.
        source_size: bytes that they have in the source.
        resized: how many of them are not the source's own bytes.
        sha256: of the file.
        loss: of a sample of the resized ones.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*/data-\d{5}-of-\d{5}\.arrow$")
    rows: _Count
    size: _Count
    source_size: _Count
    resized: _Count
    sha256: str
    loss: Loss = Loss()


class Part(_Value):
    """A split.

    Attributes:
        name: what the source calls it.
        form: ``files`` as they were found or encoded; ``pixels`` of a source that has no files, as lossless PNG.
        fingerprint: of its images.
        shards: its files, in the order of their rows.
    """

    name: str
    form: Literal["files", "pixels"]
    fingerprint: str
    shards: tuple[Shard, ...]


class Prepared(_Value):
    """A prepared dataset.

    Attributes:
        version: of this format.
        recipe: what was asked for.
        made_by: libraries that decoded, resized and encoded, with their versions.
        source_fingerprint: of the dataset that it was made of.
        class_names: names of the classes, in the order of their indices.
        train: what is trained on.
        test: what is tested on.
        facts: what was told of the source's files.
    """

    version: Literal[1] = 1
    recipe: Recipe
    made_by: tuple[str, ...]
    source_fingerprint: str
    class_names: tuple[str, ...]
    train: Part
    test: Part
    facts: Facts = Facts()

    @property
    def parts(self) -> tuple[Part, Part]:
        """Both splits."""
        return self.train, self.test

    @property
    def fingerprint(self) -> str:
        """That of the dataset."""
        return splits_fingerprint(self.train.fingerprint, self.test.fingerprint)

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The files of both."""
        return self.train.shards + self.test.shards

    @property
    def loss(self) -> Loss:
        """That of both splits."""
        return sum((shard.loss for shard in self.shards), Loss())


def write_about(folder: Path, prepared: Prepared) -> None:
    """Writes what makes a folder a prepared dataset.

    Raises:
        StorageError: it cannot be written.
    """
    told = prepared.model_dump(mode="json")
    write_atomic(folder / ABOUT, json.dumps({"digest": digest(told), "prepared": told}, indent=1).encode())


def read_about(folder: Path) -> Prepared | None:
    """What a folder says of itself; None where it is no prepared dataset.

    Raises:
        DataError: it is damaged, or not finished.
    """
    if not (folder / ABOUT).exists():
        if (plan := read_plan(folder)) is not None:
            raise DataError(
                f"The prepared dataset {show_path(folder)} is not finished. Go on with: {plan.recipe.command(folder)}"
            )
        return None
    try:
        written = read_regular(folder / ABOUT, _MOST)
    except OSError as error:
        raise DataError(f"Cannot read {show_path(folder / ABOUT)}: {error.strerror}.") from error
    try:
        content = json.loads(written)
        if not isinstance(content, Mapping) or digest(content.get("prepared")) != content.get("digest"):
            raise ValueError("what it says is not what its digest is of")
        return Prepared.model_validate_json(canonical_json(content["prepared"]))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{show_path(folder / ABOUT)} does not say what was prepared ({_first_line(error)}): it is damaged, or of "
            "another release. Remove the folder and prepare the dataset again."
        ) from error


def read_plan(folder: Path) -> Plan | None:
    """What is being made in a folder; None where nothing is, or it cannot be told."""
    try:
        return Plan.model_validate_json(read_regular(folder / PLAN, _MOST))
    except (OSError, ValidationError):
        return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _decibels(squared_error: float) -> float:
    return 10 * math.log10(255**2 / squared_error) if squared_error else math.inf
