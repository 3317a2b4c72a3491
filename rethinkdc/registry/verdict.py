"""What became of a plugin when a process of its own imported it."""

from __future__ import annotations

import signal
from typing import Literal

from pydantic import BaseModel, ConfigDict

LIMIT = "RETHINKDC_PLUGIN_SECONDS"
"""Environment: seconds that the import of a third party's plugin may take; 0 = it is imported without a guard."""
MOST_PRINTED = 16 << 20
"""Bytes that a plugin may print when it is imported."""
MOST_MEMORY = 16 << 30
"""Bytes of memory that a plugin may ask for when it is imported, where the system can hold it to that."""

_MOST_TEXT = 2_000
"""Characters of an error that are kept."""

Outcome = Literal["fine", "raised", "exited", "killed", "slow", "lingering", "printed", "unwatched"]


class Verdict(BaseModel):
    """How the import of a plugin, and the questions to its hooks, ended.

    Attributes:
        outcome: ``fine``; or it ``raised``, ``exited`` the process, was ``killed`` by a signal, was too ``slow``, was
            ``lingering`` when Python should end, ``printed`` without end, or left itself ``unwatched`` by ending the
            process that watches.
        number: the exit code, the signal, the seconds that it had, or the bytes that it printed.
        text: what it raised.
        patches: what of torch, numpy and the framework it replaced, as dotted names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    number: float = 0
    text: str = ""
    patches: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether this process may import it."""
        return self.outcome == "fine"

    @property
    def ran_out_of_time(self) -> bool:
        """Whether it might have ended well, had it had longer than ``number`` seconds."""
        return self.outcome in ("slow", "lingering")

    @property
    def reason(self) -> str:
        """What is wrong with it."""
        longer = f"{LIMIT}={max(2 * int(self.number), 1)} gives it longer"
        return {
            "fine": "",
            "raised": self.text,
            "exited": f"it ends Python with exit code {int(self.number)} when it is imported",
            "killed": f"its import is ended by {_signal_name(int(self.number))}",
            "slow": f"its import did not end within {self.number:g} s ({longer})",
            "lingering": f"it does not let Python end: a thread, or what it does at the end, took longer than "
            f"{self.number:g} s ({longer})",
            "unwatched": "its import ends, or stops, the process that watches over it",
            "printed": f"it prints more than {int(self.number):,} bytes when it is imported",
        }[self.outcome]


def explain(error: BaseException) -> str:
    """What was raised, as far as it can be told."""
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({error.code!r}) when it is imported"
    name = type(error).__name__
    try:
        said = f"{name}: {error}" if str(error) else name
    except BaseException:
        # What others raise may raise again when it is asked what it is.
        return name
    if isinstance(error, EOFError):
        said += " (nobody can answer what it asks for when it is imported)"
    return said[:_MOST_TEXT].encode("utf-8", "backslashreplace").decode()


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
