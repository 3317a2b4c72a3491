"""Compressed sets: what every compressor returns and every student trains on."""

from rethinkdc.compressed.budget import check_budget
from rethinkdc.compressed.canvases import grid_boxes
from rethinkdc.compressed.card import Card
from rethinkdc.compressed.encoding import image_bytes
from rethinkdc.compressed.published import import_folder
from rethinkdc.compressed.publishing import export_folder
from rethinkdc.compressed.reading import is_hub_id, read_set, set_name
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.compressed.tensor_files import FileFacts, import_tensors
from rethinkdc.compressed.tensors import LabelForm, images_per_class, set_of_tensors
from rethinkdc.compressed.working import load_working, save_working

__all__ = [
    "Card",
    "CompressedSet",
    "FileFacts",
    "LabelForm",
    "check_budget",
    "export_folder",
    "grid_boxes",
    "image_bytes",
    "images_per_class",
    "import_folder",
    "import_tensors",
    "is_hub_id",
    "load_working",
    "read_set",
    "save_working",
    "set_name",
    "set_of_tensors",
]
