"""Images: decoding, backings, splits, stores, and the contract of a dataset.

Importing this package imports neither ``datasets`` nor ``sklearn`` nor ``pyarrow``.
"""

from rethinkdc.data.backing import DECODE_REVISION, DECODED_LIMIT, Backing, choose_backing
from rethinkdc.data.blobs import Blobs
from rethinkdc.data.by_class import rows_by_class
from rethinkdc.data.chunks import CHUNK
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decode import decode
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.device_store import DeviceStore, place_store
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.fingerprint import FingerprintBook, stat_signature
from rethinkdc.data.resize import kept_boxes, resize
from rethinkdc.data.rows import RowsOf
from rethinkdc.data.splits import Schema, Splits, schema_of
from rethinkdc.data.store import CANVAS_LIMIT, CanvasStore, NativeStore, Store
from rethinkdc.data.stratified import stratified_folds, stratified_rows, stratified_split

__all__ = [
    "CANVAS_LIMIT",
    "CHUNK",
    "DECODED_LIMIT",
    "DECODE_REVISION",
    "Backing",
    "Blobs",
    "CanvasStore",
    "Dataset",
    "DecodedImages",
    "DeviceStore",
    "EncodedImages",
    "FingerprintBook",
    "NativeStore",
    "RowsOf",
    "Schema",
    "Splits",
    "Store",
    "choose_backing",
    "decode",
    "kept_boxes",
    "place_store",
    "resize",
    "rows_by_class",
    "schema_of",
    "stat_signature",
    "stratified_folds",
    "stratified_rows",
    "stratified_split",
]
