"""From a path to all that it may be: which readers are asked, and what they said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rethinkdc.choices import FileKind
from rethinkdc.compressed.card import CARD
from rethinkdc.compressed.preview import check_preview, write_preview
from rethinkdc.compressed.tensor_folders import SUFFIXES, find_pair
from rethinkdc.errors import DataError, RequestError
from rethinkdc.files.arrays import read_arrays
from rethinkdc.inspection import texts
from rethinkdc.inspection.companions import narrow, tell_companion
from rethinkdc.inspection.contents import list_parts
from rethinkdc.inspection.datasets import find_dataset, images_of_dataset
from rethinkdc.inspection.findings import Finding, Inspection, Part
from rethinkdc.inspection.rows import find_rows, find_scores, images_of_rows
from rethinkdc.inspection.sets import find_set, opened
from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.inspection.weights import find_weights
from rethinkdc.runs.calls import InspectCall
from rethinkdc.training.trace_folder import SOURCE

_READERS: dict[FileKind, Callable[[Surroundings], Finding]] = {
    "protocol": texts.find_protocol,
    "study": texts.find_study,
    "record": texts.find_record_file,
    "records": texts.find_records,
    "trace": texts.find_trace,
    "dataset": find_dataset,
    "set": find_set,
    "rows": find_rows,
    "scores": find_scores,
    "weights": find_weights,
}
_FACTS: dict[str, tuple[FileKind, ...]] = {
    **dict.fromkeys(("labels", "soft_labels", "mean", "std", "experiment", "student_lr", "teacher"), ("set",)),
    **dict.fromkeys(("column", "order", "like"), ("rows", "scores")),
    **dict.fromkeys(("entry", "model"), ("weights",)),
}
"""What a user says -> what it can be said of."""
_WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors")
_SHOWN = 6


def inspect_file(call: InspectCall) -> Inspection:
    """Looks at a file or folder; trains nothing but a teacher that is asked for, and writes nothing but the preview.

    Raises:
        RequestError: there is none, it cannot be read, or it is nothing that is known; says what is.
    """
    around = Surroundings(replace(call, labels=_expand(call.labels)))
    if call.preview:
        check_preview(call.preview)
    kinds = _kinds(call, around.path)
    around = around.of_own_dataset()
    parts = () if around.path.is_dir() or kinds[0] in ("protocol", "study", "record") else _parts(around.path)
    if not call.kind:
        kinds = narrow(kinds, parts) or kinds
    findings: list[Finding] = []
    refused: dict[str, str] = {}
    for kind in kinds:
        if kind == "set" and _is_dataset_alone(findings, call):
            refused[kind] = "it would be of another dataset, which --dataset or --protocol names"
            continue
        try:
            findings.append(_READERS[kind](around))
        except RequestError as error:
            if len(kinds) == 1:
                raise
            refused[kind] = str(error)
    if not findings:
        raise DataError(_tell_unknown(around, parts, refused))
    if hint := tell_companion(around.path, parts):
        findings = [found.model_copy(update={"warnings": (*found.warnings, hint)}) for found in findings]
    # What nothing speaks against comes first.
    findings.sort(key=lambda found: (bool(found.refused), bool(found.warnings)))
    return Inspection(
        file=str(call.file),
        bytes=None if around.path.is_dir() else around.path.stat().st_size,
        parts=parts,
        findings=tuple(findings),
        refused=refused,
        preview=_draw(around, findings) if call.preview else "",
    )


def _kinds(call: InspectCall, path: Path) -> list[FileKind]:
    """What a path may be, and what the user says of it admits.

    Raises:
        RequestError: there is nothing there, or what is said is of two kinds.
    """
    if not path.exists():
        raise DataError(
            f"There is no file or folder {call.file}. Datasets, methods and protocols by name: `rethinkdc show NAME`."
        )
    possible = _of_folder(path) if path.is_dir() else _of_file(path)
    asked = [call.kind] if call.kind else possible
    said = [name for name in _FACTS if getattr(call, name) is not None]
    kinds = [kind for kind in asked if all(kind in _FACTS[name] for name in said)]
    if call.kind and call.kind not in possible:
        raise RequestError(f"--as {call.kind}: {call.file} may be {' or '.join(possible)}.")
    if not kinds:
        words = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise RequestError(f"{words}: {call.file} may be {' or '.join(asked)}, of which not all of this can be said.")
    return kinds


def _of_folder(path: Path) -> list[FileKind]:
    if (path / SOURCE).exists():
        return ["trace"]
    if any(path.glob("*/[0-9][0-9][0-9][0-9].json")):
        return ["records"]
    if (path / CARD).exists():
        return ["set"]
    try:
        if find_pair(path):
            return ["set"]
    except RequestError:
        return ["set"]
    return ["dataset", "set"]


def _of_file(path: Path) -> list[FileKind]:
    suffix = path.suffix.lower()
    if suffix == ".toml":
        return ["study" if texts.is_study(path) else "protocol"]
    if suffix == ".json" and texts.is_record(path):
        return ["record"]
    kinds: list[FileKind] = ["rows", "scores"]
    if suffix in SUFFIXES:
        kinds.append("set")
    if suffix in _WEIGHTS:
        kinds.append("weights")
    return kinds


def _parts(path: Path) -> tuple[Part, ...]:
    return tuple(list_parts(read_arrays(path)))


def _is_dataset_alone(findings: list[Finding], call: InspectCall) -> bool:
    """Whether a folder is read as a dataset, and nobody says of which other one it would be a finished set."""
    named = call.dataset or call.protocol
    return not named and any(each.kind == "dataset" and not each.refused for each in findings)


def _tell_unknown(around: Surroundings, parts: tuple[Part, ...], refused: dict[str, str]) -> str:
    held = ", ".join(
        f"{part.dtype} {list(part.shape)}" + (f" ({part.name})" if part.name else "") for part in parts[:_SHOWN]
    )
    more = f" and {len(parts) - _SHOWN:,} more" if len(parts) > _SHOWN else ""
    first = f"{around.path} is nothing that can be used as it stands." + (f" It holds {held}{more}." if held else "")
    hint = [f"  {companion}"] if (companion := tell_companion(around.path, parts)) else []
    return "\n".join([first, *hint, *(f"  as {kind}: {reason}" for kind, reason in refused.items())])


def _draw(around: Surroundings, findings: list[Finding]) -> str:
    """Writes the contact sheet of the first finding that has images."""
    target = around.call.preview
    assert target is not None
    for found in findings:
        if found.kind == "set" and getattr(found, "images", None):
            with opened(around) as held:
                write_preview(held.compressed, target)
            return str(target)
        if found.kind in ("dataset", "rows"):
            images = images_of_dataset(around) if found.kind == "dataset" else images_of_rows(around)
            write_preview(images, target)
            return str(target)
    raise RequestError(f"--preview {target}: there are no images in {around.call.file} that can be shown.")


def _expand(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).expanduser()
