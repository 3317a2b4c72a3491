"""The folder of a prepared dataset: what may lie there before, and what is cleared away after."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rethinkdc.errors import DataError, RequestError
from rethinkdc.layouts.arrow_shards import features
from rethinkdc.layouts.prepared import ABOUT, PLAN, Plan, Prepared, read_about, read_plan
from rethinkdc.preparation.shards import seal_of
from rethinkdc.storage import show_path, write_atomic

_SHOWN = 5


def refuse_other(folder: Path, plan: Plan) -> Prepared | None:
    """Checks that a folder is empty, or was begun or finished by the same plan.

    Returns:
        What it says of itself where it was finished.

    Raises:
        RequestError: it holds something else.
    """
    finished = None
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"--out {show_path(folder)} is a file. Choose another folder.")
    if (folder / ABOUT).exists():
        finished = _read_finished(folder)
        _check_same(folder, Plan(recipe=finished.recipe, source_fingerprint=finished.source_fingerprint), plan)
    elif (begun := read_plan(folder)) is not None:
        _check_same(folder, begun, plan)
    elif folder.exists() and (found := sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))):
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise RequestError(
            f"--out {show_path(folder)} exists, and is no prepared dataset: it holds "
            f"{', '.join(map(show_path, found[:_SHOWN]))}{more}. Choose another folder."
        )
    return finished


def enter(folder: Path, plan: Plan) -> Prepared | None:
    """Begins in a folder whose lock is held, or goes on; see :func:`refuse_other`.

    Raises:
        StorageError: it cannot be written.
    """
    finished = refuse_other(folder, plan)
    if finished is None:
        write_atomic(folder / PLAN, plan.model_dump_json(indent=1).encode())
    return finished


def write_saved(folder: Path, prepared: Prepared) -> None:
    """Writes beside the shards what ``datasets.load_from_disk`` reads.

    Raises:
        StorageError: it cannot be written.
    """
    columns = features(prepared.class_names)
    for part in prepared.parts:
        state: dict[str, Any] = {
            "_data_files": [{"filename": Path(shard.file).name} for shard in part.shards],
            "_fingerprint": part.fingerprint[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": part.name,
        }
        info = {"citation": "", "description": "", "features": columns, "homepage": "", "license": ""}
        write_atomic(folder / part.name / "state.json", json.dumps(state, indent=1).encode())
        write_atomic(folder / part.name / "dataset_info.json", json.dumps(info, indent=1).encode())
    names = {"splits": [part.name for part in prepared.parts]}
    write_atomic(folder / "dataset_dict.json", json.dumps(names).encode())


def clear(folder: Path, files: Sequence[str]) -> None:
    """Removes the plan, and what served while the shards ``files`` were made."""
    for file in files:
        seal_of(folder / file).unlink(missing_ok=True)
    (folder / PLAN).unlink(missing_ok=True)


def _read_finished(folder: Path) -> Prepared:
    try:
        finished = read_about(folder)
    except DataError as error:
        raise RequestError(str(error)) from error
    assert finished is not None
    return finished


def _check_same(folder: Path, there: Plan, plan: Plan) -> None:
    if (
        there.recipe.decoder.name == plan.recipe.decoder.name != "pillow"
        and there.recipe.decoder != plan.recipe.decoder
    ):
        raise RequestError(
            f"--out {show_path(folder)} is prepared for {there.recipe.decoder}, and installed here is "
            f"{plan.recipe.decoder}, whose images have other keys. Choose another folder, or install that release: pip "
            f"install {there.recipe.decoder.name}=={there.recipe.decoder.version}"
        )
    if there.recipe.command(folder) != plan.recipe.command(folder):
        raise RequestError(
            f"--out {show_path(folder)} holds what another command made: {there.recipe.command(folder)}. Choose "
            "another folder, or remove this one."
        )
    if there.source_fingerprint != plan.source_fingerprint:
        raise RequestError(
            f"The dataset {plan.recipe.dataset} is another than when {show_path(folder)} was begun: its fingerprint "
            f"is {plan.source_fingerprint[:12]}, and was {there.source_fingerprint[:12]}. Choose another folder, or "
            "remove this one."
        )
