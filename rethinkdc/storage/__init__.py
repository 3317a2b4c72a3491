"""Atomic, checksummed storage of files and folders.

A reader sees an artefact whole or not at all: everything is written under a temporary name beside its place, flushed
to disk and renamed. Folders carry a manifest of SHA-256 sums; single files ("sealed") begin with theirs.
"""

from rethinkdc.storage.digests import canonical_json, content_digest, digest, file_digest
from rethinkdc.storage.faults import fault_of_machine, storage_error, storing
from rethinkdc.storage.folders import (
    MANIFEST,
    commit_folder,
    mark_used,
    new_folder,
    read_manifest,
    renew_folder,
    verify_folder,
)
from rethinkdc.storage.leases import Lease, end_lost_work, fence, holding, is_anothers
from rethinkdc.storage.locks import WaitingWarning, is_held, lock, try_lock
from rethinkdc.storage.parts import Part, keep_part, kept_part
from rethinkdc.storage.permissions import LOST, can_keep, temporary_folder, writable_throughout
from rethinkdc.storage.reading import check_regular, expand_home, read_regular, show_path
from rethinkdc.storage.sealed import read_sealed, remember, write_sealed
from rethinkdc.storage.tensors import flush_table, load_tensors, make_table, map_table, open_table, write_tensors
from rethinkdc.storage.upstream import upstream_of
from rethinkdc.storage.writing import (
    copy_file,
    make_folder,
    writable,
    write_atomic,
    write_file,
    write_new,
)

__all__ = [
    "LOST",
    "MANIFEST",
    "Lease",
    "Part",
    "WaitingWarning",
    "can_keep",
    "canonical_json",
    "check_regular",
    "commit_folder",
    "content_digest",
    "copy_file",
    "digest",
    "end_lost_work",
    "expand_home",
    "fault_of_machine",
    "fence",
    "file_digest",
    "flush_table",
    "holding",
    "is_anothers",
    "is_held",
    "keep_part",
    "kept_part",
    "load_tensors",
    "lock",
    "make_folder",
    "make_table",
    "map_table",
    "mark_used",
    "new_folder",
    "open_table",
    "read_manifest",
    "read_regular",
    "read_sealed",
    "remember",
    "renew_folder",
    "show_path",
    "storage_error",
    "storing",
    "temporary_folder",
    "try_lock",
    "upstream_of",
    "verify_folder",
    "writable",
    "writable_throughout",
    "write_atomic",
    "write_file",
    "write_new",
    "write_sealed",
    "write_tensors",
]
