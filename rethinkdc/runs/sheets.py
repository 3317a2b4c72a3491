"""Contact sheets beside records: a small picture of each set that a student was trained on."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import features

from rethinkdc.compressed import CompressedSet
from rethinkdc.compressed.preview import contact_sheet
from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import StoreSpec
from rethinkdc.runs.kept_files import keep_file, read_file
from rethinkdc.runs.record import KeptFile, Record
from rethinkdc.runs.records import Records
from rethinkdc.runs.schemas import KEEPS_SHEETS

SHEET_BYTES = 64_000
"""The most that a sheet takes: it shows as many images as fit."""
_CLASSES, _PER_CLASS, _CELL = 10, 10, 64
_QUALITY = 80


def check_sheets() -> None:
    """Refuses to begin work whose sheet could not be drawn.

    Raises:
        RequestError: Pillow was built without WebP.
    """
    if not features.check("webp"):
        raise RequestError(
            "Contact sheets are kept as WebP, which this Pillow was built without. Install one with it "
            "(`pip install --force-reinstall pillow`), or keep none with --no-sheet."
        )


def keep_sheet(records: Records, key: str, compressed: CompressedSet, store: StoreSpec) -> KeptFile:
    """Draws a set and writes the picture beside the records of a run.

    Args:
        records: where.
        key: of the run.
        compressed: the set.
        store: how rows of a subset become canvases.

    Raises:
        StorageError: it cannot be written.
    """
    return keep_file(records, key, draw_small(compressed, store), ".webp", "a contact sheet")


def read_sheet(record: Record, records: str | Path | None = None) -> bytes:
    """Reads the contact sheet of the set that a run's student was trained on: a WebP picture of at most 64 kB.

    Args:
        record: of the run.
        records: the folder that it lies in; None = ``RETHINKDC_RECORDS`` or ``./records``.

    Raises:
        RequestError: none was kept; says why.
        DamagedError: the file is gone or was changed.
    """
    folder = Records(Path(records) if records else None)
    return read_file(record, record.sheet, folder, "contact sheet", KEEPS_SHEETS, "--no-sheet")


def draw_small(compressed: CompressedSet, store: StoreSpec) -> bytes:
    """A WebP picture of the first images of the first ten classes, ten of each, or as many as fit; the same each time.

    Args:
        compressed: the set.
        store: how rows of a subset become canvases.
    """
    classes, per_class = _CLASSES, _PER_CLASS
    while True:
        sheet, held = (
            contact_sheet(
                compressed,
                size=store.size,
                fit=store.fit,
                interpolation=store.interpolation,
                classes=classes,
                per_class=per_class,
                cell=_CELL,
            ),
            io.BytesIO(),
        )
        sheet.save(held, "WEBP", quality=_QUALITY)
        share = SHEET_BYTES / held.tell()
        if share >= 1 or classes == per_class == 1:
            return held.getvalue()
        # First fewer images of each class, then fewer classes: as many as should fit, and one less at least.
        if per_class > 1:
            per_class = max(1, min(per_class - 1, int(per_class * share)))
        else:
            classes = max(1, min(classes - 1, int(classes * share)))
