"""Datasets of the Hugging Face hub: their names, and the upload of one."""

from __future__ import annotations

import re
from pathlib import Path

from rethinkdc.errors import RequestError
from rethinkdc.layouts.opening import tell_cause

HUB = "hub:"
"""How a place on the hub begins: ``hub:OWNER/NAME``."""


def find_repo(place: str) -> str:
    """``OWNER/NAME`` of a place ``hub:OWNER/NAME``; empty for a folder.

    Raises:
        RequestError: it is no such name.
    """
    if not place.startswith(HUB):
        return ""
    repo = place.removeprefix(HUB)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise RequestError(f"--out {place}: expected hub:OWNER/NAME, for example hub:me/pca-cifar10-ipc-10.")
    return repo


def upload(folder: Path, repo: str, *, private: bool) -> str:
    """Makes a dataset of the hub out of a folder, and returns its address.

    Raises:
        RequestError: the dataset exists already, nobody is logged in, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi

    hub = HfApi(library_name="rethinkdc")
    step = "make the dataset"
    try:
        if hub.repo_exists(repo, repo_type="dataset"):
            raise RequestError(f"The dataset {repo} exists already on the hub. Choose another name.")
        address = hub.create_repo(repo, repo_type="dataset", private=private)
        step = "upload to the new dataset"
        hub.upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset", commit_message="Export of rethinkdc")
    except RequestError:
        raise
    except Exception as error:  # the library below raises its own, unrelated types, and those of the network
        cause = tell_cause(error).rstrip(".")
        raise RequestError(
            f"Cannot {step} {repo}: {cause}. Log in with `hf auth login` where there is a network; or "
            f"export to a folder, and send that later: `hf upload {repo} FOLDER --repo-type dataset`."
        ) from error
    return str(address)
