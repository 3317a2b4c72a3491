"""The whole extension surface on one page.

A plugin is a module named by an entry point of the group ``rethinkdc``. It implements any of these hooks with
:data:`hookimpl`. The entry point's name is the name of the method that it registers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from rethinkdc.method import Method

GROUP = "rethinkdc"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def register_methods() -> list[type[Method]]:  # type: ignore[empty-body]
    """Returns the compressors, scores, labelers and evaluators that the module provides."""


@hookspec
def register_datasets() -> list[type[Method]]:  # type: ignore[empty-body]
    """Returns the datasets that the module provides."""


@hookspec
def register_models() -> list[type[Method]]:  # type: ignore[empty-body]
    """Returns the network architectures that the module provides."""


@hookspec
def register_protocols() -> list[Path]:  # type: ignore[empty-body]
    """Returns protocol files (TOML), or folders of them (less a folder ``studies``), that the module provides."""


@hookspec
def run_started(definition: dict[str, Any]) -> None:
    """Called when a run begins to compute, with the definition that its record will hold."""


@hookspec
def epoch_ended(epoch: int, loss: float) -> None:
    """Called after each epoch of a student's training with the 0-based epoch and its mean loss."""


@hookspec
def run_finished(record: dict[str, Any]) -> None:
    """Called when a run's record has been written, with the record as JSON data."""
