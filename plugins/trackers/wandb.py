"""Sends runs to Weights & Biases, or writes them to be sent later: settings, losses, what they measured and cost."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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
    import wandb


class WeightsAndBiases(Tracker):
    """Each run is one of Weights & Biases, in a project; offline it is a folder for `wandb sync`."""

    name: ClassVar[str] = "wandb"

    project: str = Field(default="rethinkdc", description="The project.")
    entity: str | None = Field(default=None, description="The user or team; none = your default.")
    group: str | None = Field(default=None, description="Groups runs in the project.")
    mode: Literal["online", "offline"] | None = Field(
        default=None, description="none = what WANDB_MODE says, or online."
    )
    folder: str = Field(default=".", description="Where the folder `wandb` is written.")

    _run: wandb.Run | None = PrivateAttr(default=None)

    def check(self) -> None:
        if find_spec("wandb") is None:
            raise RequestError(
                "The tracker wandb needs the package wandb, which is not installed: pip install 'rethinkdc[wandb]'."
            )
        import wandb

        if self.mode == "online" and os.environ.get("RETHINKDC_OFFLINE", "0") not in ("", "0"):
            raise RequestError(
                "wandb:mode=online sends what happens, and --offline opens no socket: use wandb:mode=offline, and send "
                "the runs later with `wandb sync`."
            )
        # Asked here: in the middle of a sweep nobody would see the prompt for a key.
        online = (self.mode or os.environ.get("WANDB_MODE", "online")) == "online"
        if online and not wandb.login(prompt=False, verify=False):
            raise RequestError(
                "The tracker wandb is online, and nobody is logged in: run `wandb login` first, or use "
                "wandb:mode=offline and send the runs later with `wandb sync`."
            )

    def run_started(self, definition: dict[str, Any], names: dict[str, str], key: str) -> None:
        import wandb

        self._finish(failed=True)
        self._run = wandb.init(
            project=self.project,
            entity=self.entity,
            group=self.group,
            mode=self.mode,
            dir=self.folder,
            name=run_title(definition, names),
            config={**flat_settings(definition, names), "key": key, "definition": definition},
            # Nothing of this machine's code, and not a word between the lines that are printed here.
            settings=wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True),
        )

    def epoch_ended(self, epoch: int, loss: float) -> None:
        if self._run is not None:
            self._run.log({"training/loss": loss}, step=epoch)

    def run_finished(self, record: dict[str, Any]) -> None:
        if self._run is None:
            return
        self._run.summary.update({**final_figures(record), "status": record["status"], "reason": record["reason"]})
        self._finish(failed=record["status"] != "ok")

    def _finish(self, *, failed: bool) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.finish(exit_code=int(failed))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the tracker ``wandb``."""
    return [WeightsAndBiases]
