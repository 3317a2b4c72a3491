"""The finished trace of a proxy run: a few numbers per row and epoch.

``train.npy`` is float32 [columns, epochs, rows], ``clean.npy`` float32 [clean columns, clean epochs, rows].
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from torch import Tensor

from rethinkdc.documents import first_fault, parse_json
from rethinkdc.errors import DamagedError, RequestError, nearest
from rethinkdc.storage import map_table, read_regular, show_path
from rethinkdc.texts import visible

SCHEMA = 1
TRAIN, CLEAN, ABOUT = "train.npy", "clean.npy", "trace.json"


def _require_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("two columns have one name")
    return names


class About(BaseModel):
    """What lies beside the tables of a trace, and says what they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    written_as: int = Field(alias="schema", ge=SCHEMA, le=SCHEMA)
    epochs: PositiveInt
    rows: PositiveInt
    classes: int = Field(ge=2)
    clean_epochs: tuple[PositiveInt, ...]
    columns: Annotated[tuple[str, ...], AfterValidator(_require_names)]
    clean_columns: Annotated[tuple[str, ...], AfterValidator(_require_names)]
    accuracy: float = Field(ge=0, le=1)


class Trace:
    """A finished trace, read from the folder that a recorder filled; see ``trace_recorder.py``."""

    FILES = (TRAIN, CLEAN, ABOUT)
    """Names of the files that make a trace."""

    def __init__(self, folder: Path) -> None:
        about = _read_about(folder)
        self.folder = folder
        self.epochs, self.rows, self.classes, self.accuracy = about.epochs, about.rows, about.classes, about.accuracy
        self.clean_epochs = about.clean_epochs
        self._columns = {
            **{f"train.{name}": index for index, name in enumerate(about.columns)},
            **{f"clean.{name}": index for index, name in enumerate(about.clean_columns)},
        }
        self._shapes = {
            TRAIN: (len(about.columns), self.epochs, self.rows),
            CLEAN: (len(about.clean_columns), len(self.clean_epochs), self.rows),
        }

    @property
    def files(self) -> list[Path]:
        """The files that make the trace."""
        return [self.folder / name for name in self.FILES]

    def column(self, name: str, first: int, last: int) -> Tensor:
        """Column ``train.*`` or ``clean.*`` of the 1-based epochs ``first..last``.

        Returns:
            Float32 [last - first + 1, N], memory-mapped; writing to it changes nothing on disk.

        Raises:
            RequestError: no such column or epoch; names those that exist.
        """
        if name not in self._columns:
            raise RequestError(f"The trace has no column {name!r}. {nearest(name, self._columns)}")
        if first > last:
            raise RequestError(f"The epochs {first}..{last} of {name!r} are empty: the first comes after the last.")
        if name.startswith("train."):
            if first < 1 or last > self.epochs:
                raise RequestError(
                    f"{name!r} was asked for the epochs {first}..{last}, but the proxy trained for {self.epochs}: "
                    f"choose epochs from 1 to {self.epochs}, or a protocol with a longer proxy."
                )
            return self._map(TRAIN, self._columns[name], first - 1, last)
        begin = self._find_clean(name, first, last)
        return self._map(CLEAN, self._columns[name], begin, begin + last - first + 1)

    def _find_clean(self, name: str, first: int, last: int) -> int:
        missing = [epoch for epoch in range(first, last + 1) if epoch not in self.clean_epochs]
        if missing:
            listed = ", ".join(map(str, self.clean_epochs)) or "none"
            raise RequestError(
                f"{name!r} was asked for the epochs {first}..{last}, but the un-augmented rows were observed after "
                f"these epochs only: {listed}. Choose among them, use 'train.{name.partition('.')[2]}', or list "
                f"{missing[0]} under the protocol's [proxy] clean."
            )
        return self.clean_epochs.index(first)

    def _map(self, file: str, column: int, begin: int, end: int) -> Tensor:
        path = self.folder / file
        table = map_table(path)
        if table.dtype != np.float32 or table.shape != self._shapes[file]:
            raise DamagedError(
                f"{show_path(path)} is {table.dtype} {list(table.shape)}, and {ABOUT} beside it says float32 "
                f"{list(self._shapes[file])}. Delete the folder and run again."
            )
        return torch.from_numpy(table[column, begin:end])


def _read_about(folder: Path) -> About:
    """What the folder of a trace says of it."""
    try:
        content = parse_json(read_regular(folder / ABOUT))
        schema = content.get("schema") if isinstance(content, dict) else None
        if schema is not None and schema != SCHEMA:
            raise DamagedError(
                f"{show_path(folder)} holds a trace of schema {visible(str(schema))}, known is {SCHEMA}. Delete it and "
                "run again."
            )
        return About.model_validate(content)
    except (OSError, ValueError) as error:
        why = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise DamagedError(
            f"{show_path(folder)} holds no readable {ABOUT}: {why}. Delete the folder and run again."
        ) from error
