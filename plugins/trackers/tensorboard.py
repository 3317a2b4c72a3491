"""Writes runs as event files of TensorBoard: their settings, the loss of each epoch, what they measured and cost."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from rethinkdc.contracts import (
    Method,
    RequestError,
    Tracker,
    final_figures,
    flat_settings,
    hookimpl,
    run_title,
)

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_LONGEST = 120
"""Characters of a title in a folder's name."""
_KEY = 8
"""Hex digits of a key that tell a record from all others of a folder."""


class TensorBoard(Tracker):
    """Writes each run as a folder of TensorBoard: `tensorboard --logdir FOLDER` shows and compares them."""

    name: ClassVar[str] = "tensorboard"

    folder: str = Field(default="tensorboard", description="Where the runs' folders are written.")

    _writer: SummaryWriter | None = PrivateAttr(default=None)
    _settings: dict[str, str | int] = PrivateAttr(default_factory=dict)
    _epochs: int = PrivateAttr(default=0)

    def check(self) -> None:
        if find_spec("tensorboard") is None:
            raise RequestError(
                "The tracker tensorboard needs the package tensorboard, which is not installed: "
                "pip install 'rethinkdc[tensorboard]'."
            )

    def run_started(self, definition: dict[str, Any], names: dict[str, str], key: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._close()
        self._settings = {**flat_settings(definition, names), "key": key}
        self._writer = SummaryWriter(Path(self.folder).expanduser() / _folder_of(run_title(definition, names), key))
        self._writer.add_text("definition", f"```json\n{json.dumps(definition, indent=1)}\n```")

    def epoch_ended(self, epoch: int, loss: float) -> None:
        if self._writer is not None:
            self._writer.add_scalar("training/loss", loss, epoch)
            self._writer.flush()
            self._epochs = epoch + 1

    def run_finished(self, record: dict[str, Any]) -> None:
        if self._writer is None:
            return
        figures = final_figures(record)
        for name, value in figures.items():
            self._writer.add_scalar(name, value, self._epochs)
        if record["reason"]:
            self._writer.add_text("reason", record["reason"])
        measured = {name: value for name, value in figures.items() if name.startswith("metrics/")}
        # Beside the curves, not in a folder of its own: one run is one line of the table.
        self._writer.add_hparams({**self._settings, "status": record["status"]}, measured, run_name=".")
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._epochs = None, 0


def _folder_of(title: str, key: str) -> str:
    """A name that people can read, and that is the same when a killed run goes on."""
    plain = re.sub(r"[^\w.=+-]+", "_", title)[:_LONGEST]
    return f"{plain}-{key[:_KEY]}"


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the tracker ``tensorboard``."""
    return [TensorBoard]
