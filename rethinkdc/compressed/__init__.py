"""Compressed sets: what every compressor returns and every student trains on."""

from rethinkdc.compressed.budget import check_budget
from rethinkdc.compressed.folder import export_folder, image_bytes, import_folder
from rethinkdc.compressed.set import Card, CompressedSet, grid_boxes
from rethinkdc.compressed.working import load_working, save_working

__all__ = [
    "Card",
    "CompressedSet",
    "check_budget",
    "export_folder",
    "grid_boxes",
    "image_bytes",
    "import_folder",
    "load_working",
    "save_working",
]
