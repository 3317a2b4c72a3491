"""The dataset card of a set: the ``README.md`` that the Hugging Face hub shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rethinkdc.compressed import Card, CompressedSet
from rethinkdc.compressed.encoding import read_files
from rethinkdc.compressed.publishing import PARQUET, features_of
from rethinkdc.context.books import by_stage
from rethinkdc.data.image_files import open_image
from rethinkdc.runs.cost import order_stages
from rethinkdc.sharing.origin import Origin

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
"""Below so many images -> the hub's word for it."""
_LARGEST = "10M<n<100M"
_COLUMNS = {
    "image": "the image, {size} x {size} px ({format})",
    "class_id": "its class, an index into the names above",
    "sources": "the row of the training set that each cell shows; -1 = none, the cell is synthetic",
    "source_boxes": "the part of that row's image: y, x, height and width in pixels for each cell, one after the other",
    "weight": "the weight of the image in the loss; the mean is 1",
    "soft_target": "the soft label that was learned with the image, as logits of all classes",
}


def write_dataset_card(stored: CompressedSet, origin: Origin, *, license: str) -> str:  # noqa: A002
    """Writes the card: a head in YAML for the hub, and a body in Markdown for people.

    Args:
        stored: the set, its images as files.
        origin: where it comes from.
        license: an identifier of the hub, such as ``mit``; ``unknown``.
    """
    title = f"{origin.name}: {len(stored):,} images of {len(stored.class_names):,} classes"
    sections = [f"# {_plain(title)}", _introduce(stored, origin), _describe_use(stored, origin)]
    sections += [_describe_making(stored, origin), _describe_columns(stored)]
    return f"---\n{_write_head(stored, title, license)}\n---\n\n" + "\n\n".join(sections) + "\n"


def _write_head(stored: CompressedSet, title: str, license: str) -> str:  # noqa: A002
    from huggingface_hub import DatasetCardData

    folder, _, file = PARQUET.partition("/")
    head = DatasetCardData(
        license=license,
        pretty_name=title,
        size_categories=next((word for limit, word in _SIZES if len(stored) < limit), _LARGEST),
        task_categories=["image-classification"],
        tags=["dataset-compression", "dataset-distillation", "rethinkdc"],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": f"{folder}/{file}"}]}],
        dataset_info={"features": features_of(stored)._to_yaml_list()},
    )
    text: str = head.to_yaml()
    return text.strip()


def _introduce(stored: CompressedSet, origin: Origin) -> str:
    card = stored.card
    facts = {
        "method": f"`{_code(origin.compressor)}`" if origin.compressor else _plain(origin.name),
        "paper": _plain(origin.paper),
        "training set": _plain(origin.dataset),
        "fingerprint of the training set": _digest(card.dataset_fingerprint),
        "protocol": _plain(card.protocol),
        "digest of the protocol": _digest(card.protocol_digest),
        "images per class": "" if card.ipc is None else f"{card.ipc:,}",
        "images of each class": _span(stored.histogram()),
        "seeds": ", ".join(f"{axis} {seed}" for axis, seed in card.seeds.items()),
        "learned student rate": "" if stored.student_lr is None else f"{stored.student_lr:.9g}",
        "data beyond the training set": _plain(", ".join(card.external_data)),
        "fingerprint of this set": _digest(stored.fingerprint),
    }
    what = "A compressed training set: train on it in place of the whole one."
    known = [f"| {name} | {value} |" for name, value in facts.items() if value]
    return "\n".join([what, "", "| | |", "|---|---|", *known])


def _describe_use(stored: CompressedSet, origin: Origin) -> str:
    lines = ["## Use", ""]
    if stored.seen_in_cells:
        views = "each view is cut out of one cell, never across cells"
        lines += [f"Each image holds {stored.cells} cells: {views}. `card.json` has the boxes of the grid.", ""]
    load = f'images = datasets.load_dataset("{_code(origin.place)}", split="train")'
    lines += _fence("python", "import datasets", load)
    lines += ["", "Train and test a student on it under its protocol with `rethinkdc` (version 1.0 and later):", ""]
    lines += _fence("console", f"$ {origin.evaluation_of(origin.place)}")
    if origin.protocol and not origin.shipped:
        told = "does not come with `rethinkdc`: it follows from the data, or is a file of its author's"
        lines += ["", f"The protocol `{_code(origin.protocol)}` {told}."]
    return "\n".join(lines)


def _describe_making(stored: CompressedSet, origin: Origin) -> str:
    card = stored.card
    lines = ["## How it was made", ""]
    if origin.make:
        lines += [*_fence("console", f"$ {origin.make}"), ""]
    lines += [f"- {line}" for line in _tell_making(stored, card)] or ["- That is not known here."]
    return "\n".join(lines)


def _tell_making(stored: CompressedSet, card: Card) -> Iterator[str]:
    seconds = by_stage(card.seconds)
    if seconds:
        told = ", ".join(f"{stage} {seconds[stage]:,.1f}" for stage in order_stages(seconds))
        yield f"Seconds: {_plain(told)}."
    if card.versions:
        yield f"Versions: {_plain(', '.join(f'{name} {version}' for name, version in card.versions.items()))}."
    if bool((stored.sources >= 0).all()):
        yield f"Every cell shows an image of the training set: {_tell_recipe(stored)}."
    if source := card.told.source:
        yield f"It was made elsewhere, and read as {_plain(source)}."
    if card.clamp_error or card.rounding_error:
        most = max(card.clamp_error, card.rounding_error)
        yield f"Storing the images as bytes changed pixels by up to {most:.3g} of 1."


def _tell_recipe(stored: CompressedSet) -> str:
    if stored.source_boxes is not None:
        return "`sources` and `source_boxes` are the recipe of it"
    return "`sources` is the recipe of it" if stored.cells == 1 else "`sources` names it, not which part is shown"


def _format_of(file: bytes) -> str:
    with open_image(file) as image:
        return str(image.format)


def _describe_columns(stored: CompressedSet) -> str:
    kind = " or ".join(sorted({_format_of(file) for file in read_files(stored)}))
    rows = [f"| `{name}` | {_COLUMNS[name].format(size=stored.size, format=kind)} |" for name in features_of(stored)]
    return "\n".join(["## Columns", "", "| column | what it is |", "|---|---|", *rows])


def _span(counts: list[int]) -> str:
    """The least and the largest count, where they differ."""
    return "" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def _fence(language: str, *lines: str) -> list[str]:
    return [f"```{language}", *lines, "```"]


def _digest(value: str) -> str:
    return f"`{value}`" if value else ""


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line, in a table too."""
    return re.sub(r"([\\`*_{}\[\]<>#|&~!])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Text within backticks or quotes, in one line."""
    return re.sub(r"[`|\s\"]+", " ", text).strip()
