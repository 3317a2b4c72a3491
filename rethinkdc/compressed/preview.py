"""Pictures of compressed sets: a labelled contact sheet, one row for each class."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import RequestError
from rethinkdc.storage import writable, write_atomic
from rethinkdc.types import Fit, Interpolation

CLASSES = 20
PER_CLASS = 10
SIDE = 64
"""Pixels that a canvas is enlarged to, about: by a whole number, so that every stored pixel is a square."""

_LARGEST = 2 * SIDE
_NAMES = 160
"""Pixels at most for the names of the classes."""
_TITLE = 2000
"""Pixels at most for the title."""
_GAP = 4
_PAPER, _INK = "white", "black"

_Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def contact_sheet(
    compressed: CompressedSet,
    *,
    size: int | None = None,
    fit: Fit = "squash",
    interpolation: Interpolation = "bilinear",
    classes: int = CLASSES,
    per_class: int = PER_CLASS,
    cell: int = _LARGEST,
    caption: str | None = None,
) -> Image.Image:
    """Draws the first canvases of the first classes, each class a row with its name at the left.

    Canvases below 64 px are enlarged by a whole number, without blending; those above ``cell`` are shrunk to it.

    Args:
        compressed: any set.
        size: side in pixels at which a subset's rows are drawn; None = the set's own, or 64.
        fit: how rows become squares.
        interpolation: how rows are resized.
        classes: the most classes that are drawn.
        per_class: the most canvases of each.
        cell: the most pixels across that a canvas is drawn with.
        caption: text above; None = method, ipc and seed from the card, and a learned student rate; no protocol, so that
            a set has one picture under all that use it.

    Returns:
        An RGB picture.

    Raises:
        RequestError: fewer than one class or canvas is asked for.
    """
    if classes < 1 or per_class < 1:
        raise RequestError(f"A contact sheet shows at least one canvas of one class; found {classes} x {per_class}.")
    side = compressed.size or size or SIDE
    counts = compressed.histogram()
    shown = [index for index, count in enumerate(counts) if count][:classes]
    rows = [(compressed.targets == index).nonzero().flatten()[:per_class] for index in shown]
    font = ImageFont.load_default()
    title = [_shorten(text, font, _TITLE) for text in _write_title(compressed, caption, len(shown), per_class)]
    names = [_shorten(compressed.class_names[index], font, _NAMES) for index in shown]
    left = max(_measure_width(name, font) for name in names) + 2 * _GAP
    drawn = min(_enlarge(side), cell)
    line = _measure_height(font) + _GAP
    top = line * len(title) + 2 * _GAP
    across = max(len(row) for row in rows)
    width = max(left + across * (drawn + _GAP), max(_measure_width(text, font) for text in title) + 2 * _GAP)
    sheet = Image.new("RGB", (width, top + len(rows) * (drawn + _GAP)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, text in enumerate(title):
        pen.text((_GAP, _GAP + index * line), text, _INK, font)
    for index, (name, chosen) in enumerate(zip(names, rows, strict=True)):
        y = top + index * (drawn + _GAP)
        pen.text((_GAP, y + (drawn - _measure_height(font)) // 2), name, _INK, font)
        for place, canvas in enumerate(compressed.canvases(chosen, side, fit, interpolation)):
            sheet.paste(_draw(canvas, drawn), (left + place * (drawn + _GAP), y))
    return sheet


def write_preview(
    compressed: CompressedSet,
    path: str | Path,
    *,
    size: int | None = None,
    fit: Fit = "squash",
    interpolation: Interpolation = "bilinear",
    caption: str | None = None,
) -> None:
    """Writes :func:`contact_sheet` to a file of any format that Pillow writes; an older picture is replaced.

    Raises:
        RequestError: the ending is no picture's, or the file cannot be written.
    """
    path = Path(path)
    check_preview(path)
    buffer = io.BytesIO()
    sheet = contact_sheet(compressed, size=size, fit=fit, interpolation=interpolation, caption=caption)
    sheet.save(buffer, Image.registered_extensions()[path.suffix.lower()])
    write_atomic(path, buffer.getvalue())


def check_preview(path: str | Path) -> None:
    """Refuses to begin work whose picture could not be written.

    Raises:
        RequestError: says why.
    """
    path = Path(path)
    if not _saves(path.suffix):
        raise RequestError(f"--preview {path}: name a picture, such as grid.png.")
    if path.is_dir() or not writable(path.absolute().parent):
        why = "it is a folder" if path.is_dir() else f"{path.absolute().parent} cannot be written"
        raise RequestError(f"--preview {path}: {why}. Choose another file.")


def _saves(suffix: str) -> bool:
    """Whether Pillow writes colour pictures of this ending; tried, because some formats that it names only fail."""
    try:
        Image.new("RGB", (8, 8)).save(io.BytesIO(), Image.registered_extensions().get(suffix.lower()))
    except (OSError, ValueError, KeyError):
        return False
    return True


def _write_title(compressed: CompressedSet, caption: str | None, classes: int, per_class: int) -> list[str]:
    """The caption, and what is left out if anything is."""
    present = sum(count > 0 for count in compressed.histogram())
    most = max(compressed.histogram())
    left_out = [
        *([f"{classes} of {present:,} classes"] if classes < present else []),
        *([f"{per_class} of up to {most:,} images per class"] if per_class < most else []),
    ]
    return [caption or _describe(compressed), *([f"shown: {', '.join(left_out)}"] if left_out else [])]


def _describe(compressed: CompressedSet) -> str:
    card, rate = compressed.card, compressed.student_lr
    known = [
        card.method or "a set without a card",
        f"ipc {card.ipc}" if card.ipc else "",
        f"seed {card.seeds['set']}" if "set" in card.seeds else "",
        f"student lr {rate:g}" if rate is not None else "",
    ]
    return ", ".join(part for part in known if part)


def _enlarge(side: int) -> int:
    """Finds how many pixels a canvas of ``side`` is drawn with."""
    return side * max(1, round(SIDE / side))


def _draw(canvas: Tensor, side: int) -> Image.Image:
    picture = Image.fromarray(canvas.permute(1, 2, 0).contiguous().to(torch.uint8).numpy())
    resample = Image.Resampling.NEAREST if picture.width <= side else Image.Resampling.BOX
    return picture if picture.width == side else picture.resize((side, side), resample)


def _shorten(name: str, font: _Font, width: int) -> str:
    # No letter is narrower than a pixel, and what follows need not be measured again and again.
    text = _make_printable(name, font)[:width]
    while len(text) > 1 and _measure_width(text, font) > width:
        text = text.removesuffix("...")[:-1] + "..."
    return text


def _make_printable(text: str, font: _Font) -> str:
    """The text itself, or with a question mark for what Pillow's built-in font of pixels cannot draw."""
    if isinstance(font, ImageFont.FreeTypeFont):
        return text
    return text.encode("latin-1", "replace").decode("latin-1")


def _measure_width(text: str, font: _Font) -> int:
    return int(font.getlength(text) + 0.5)


def _measure_height(font: _Font) -> int:
    box = font.getbbox("Agy")
    return int(box[3])
