"""From a finished set to the folder or the hub where others find it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rethinkdc.compressed import CompressedSet
from rethinkdc.compressed.encoding import with_files
from rethinkdc.compressed.publishing import publish_folder
from rethinkdc.errors import RequestError
from rethinkdc.offline import is_offline
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import ExportCall
from rethinkdc.runs.exports import check_new
from rethinkdc.runs.opening import name_of, open_set
from rethinkdc.sharing.dataset_card import write_dataset_card
from rethinkdc.sharing.hub import find_repo, upload
from rethinkdc.sharing.origin import find_origin, without_paths


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        place: the folder, or the address on the hub.
        evaluate: the command that evaluates it.
        images: how many.
        fingerprint: of the set as it is read back: records of its evaluation name it.
    """

    place: str
    evaluate: str
    images: int
    fingerprint: str


def export_set(call: ExportCall) -> Exported:
    """Writes a finished set to a folder, or uploads it to the Hugging Face hub, with all that a stranger needs of it.

    Raises:
        RequestError: the set cannot be read, the place exists or cannot be written, or the hub refuses.
    """
    repo = find_repo(str(call.out))
    if call.private and not repo:
        raise RequestError(f"--private: only a dataset of the hub is private; {call.out} is a folder.")
    if repo and is_offline():
        raise RequestError(
            f"--offline: {call.out} is reached over a network. Export to a folder, and send that later: "
            f"`hf upload {repo} FOLDER --repo-type dataset`."
        )
    if not repo:
        check_new(Path(call.out))
    with tempfile.TemporaryDirectory() as kept:
        # As files: they are handed on as they are, and the fingerprint of the set with them.
        compressed, name = open_set(call, Path(kept), "encoded"), name_of(call)
        if compressed.size is None:
            raise RequestError(
                f"The set {name} is a list of rows, whose pixels lie in the training set. Export the folder that "
                "`rethinkdc compress` wrote of it."
            )
        stored = without_paths(with_files(compressed, compressed.size))
        origin = find_origin(stored, name, Registry(), place=repo or Path(call.out).name)
        readme = write_dataset_card(stored, origin, license=call.license)
        place = _upload(stored, readme, repo, private=call.private) if repo else _write(stored, readme, Path(call.out))
        return Exported(place, origin.evaluation_of(repo or place), len(stored), stored.fingerprint)


def _write(stored: CompressedSet, readme: str, folder: Path) -> str:
    publish_folder(stored, folder, readme)
    return str(folder)


def _upload(stored: CompressedSet, readme: str, repo: str, *, private: bool) -> str:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        publish_folder(stored, folder, readme)
        return upload(folder, repo, private=private)
