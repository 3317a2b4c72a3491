"""Atomic, checksummed storage of files and folders.

A reader sees an artefact whole or not at all: everything is written under a temporary name beside its place, flushed
to disk and renamed. Folders carry a manifest of SHA-256 sums; single files ("sealed") begin with theirs.
"""

from rethinkdc.storage.digests import canonical_json, content_digest, digest, file_digest
from rethinkdc.storage.folders import MANIFEST, commit_folder, verify_folder
from rethinkdc.storage.locks import lock, try_lock
from rethinkdc.storage.parts import Part, keep_part, kept_part
from rethinkdc.storage.permissions import can_keep, temporary_folder, writable_throughout
from rethinkdc.storage.reading import check_regular, read_regular, show_path
from rethinkdc.storage.writing import open_temporary, read_sealed, writable, write_atomic, write_sealed

__all__ = [
    "MANIFEST",
    "Part",
    "can_keep",
    "canonical_json",
    "check_regular",
    "commit_folder",
    "content_digest",
    "digest",
    "file_digest",
    "keep_part",
    "kept_part",
    "lock",
    "open_temporary",
    "read_regular",
    "read_sealed",
    "show_path",
    "temporary_folder",
    "try_lock",
    "verify_folder",
    "writable",
    "writable_throughout",
    "write_atomic",
    "write_sealed",
]
