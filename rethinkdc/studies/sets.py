"""Finished sets as a study names them, in the place of a compressor: by a path, a hub id, or a table."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo
from pydantic.dataclasses import dataclass as pydantic_dataclass

from rethinkdc.compressed import is_hub_id
from rethinkdc.compressed.tensor_folders import SUFFIXES
from rethinkdc.registry.providers import has_plugins
from rethinkdc.runs.calls import FinishedSet, SetFacts
from rethinkdc.runs.options import part_of

_AS_A_PATH = ("/", "./", "../", "~")


def locate(text: str | Path, info: ValidationInfo) -> Path:
    """The path that a study means: relative to its file, where it was read from one."""
    return Path(_folder(info), Path(text).expanduser()).resolve()


def _locate_set(text: str, info: ValidationInfo) -> str:
    path = locate(text, info)
    if path.exists():
        return str(path)
    if is_hub_id(text) and path.suffix not in SUFFIXES:
        return text
    raise ValueError(f"there is no file or folder {path}")


def _locate_file(value: Path | None, info: ValidationInfo) -> Path | None:
    return None if value is None else locate(value, info)


def _locate_rate(value: float | str | Path | None, info: ValidationInfo) -> float | str | Path | None:
    return locate(value, info) if isinstance(value, str | Path) else value


@pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class StudySet(SetFacts):
    """A finished set in the place of a compressor.

    Attributes:
        set: a folder, a tree of images or a file of tensors, or an id of the hub.
        name: what tables call it; None = by its place.
        labels: as ``--labels`` of ``evaluate``, and so are the others.
        mean: channel means of the normalisation.
        std: channel standard deviations of the same.
        student_lr: the learned rate of the student, or the file that holds it.
    """

    set: Annotated[str, Field(min_length=1), AfterValidator(_locate_set)]
    name: Annotated[str, Field(min_length=1)] | None = None
    labels: Annotated[Path | None, AfterValidator(_locate_file)] = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    experiment: Annotated[int, Field(strict=True, ge=0)] | None = None
    student_lr: Annotated[float | str | Path | None, AfterValidator(_locate_rate)] = None

    def __str__(self) -> str:
        return self.name or self.set

    @property
    def finished(self) -> FinishedSet:
        """The set as a run takes it."""
        return part_of(self, FinishedSet, images=self.set)


def read_compressor(value: Any, info: ValidationInfo) -> Any:
    """Reads an entry of ``compressors``: a text that names a set becomes one, all else stays.

    A set's text is a path, or ``OWNER/NAME`` where no distribution of that name has plugins. A bare word is a method.
    """
    return {"set": value} if isinstance(value, str) and _names_a_set(value, _folder(info)) else value


def _names_a_set(text: str, folder: Path) -> bool:
    name = text.partition(":")[0]
    if name.startswith(_AS_A_PATH) or Path(name).suffix in SUFFIXES:
        return True
    distribution, slash, _ = name.rpartition("/")
    if not slash or has_plugins(distribution):
        return False
    if not is_hub_id(name) and not (folder / text).exists():
        raise ValueError(
            f"this is no method, since no distribution {distribution} with plugins is installed, and no set, since "
            f"there is no file or folder {folder / text}"
        )
    return True


def _folder(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", ""))
