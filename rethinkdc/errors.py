"""Errors that a user can act on.

Every message says what is wrong, where, the value found, what is known, and the next thing to try. It has no characters
without a picture and a length that can be read, whatever it quotes. The command line prints the message alone; the
stack trace needs ``--debug``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rethinkdc.texts import shorten, visible_lines

_FEW = 8
"""As many known names are all listed."""
_SHOWN = 5


class RethinkError(Exception):
    """Base of every error raised on purpose. ``exit_code`` is the command line's.

    ``keeps_work``: whether finished parts of what failed stay on disk for the next try; else they are cleared away.
    """

    exit_code = 1
    keeps_work = False

    def __str__(self) -> str:
        # What strangers wrote is quoted in it: names of files and columns, values, words of other libraries.
        return shorten(visible_lines(shorten(super().__str__())))

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers send their errors to the process that started them; not every kind is made of its message alone.
        return _restore, (type(self), self.args), self.__dict__


class RequestError(RethinkError):
    """The request itself was wrong: nothing was computed and nothing was written."""

    exit_code = 2


class UnsupportedError(RequestError):
    """A well-formed request that this method or dataset cannot serve; inside a sweep it is recorded, not fatal."""


class PluginError(RequestError):
    """A plugin is missing, broken, or shares its name with another one."""


class DataError(RequestError):
    """A dataset cannot be read: names the path or the row."""


class DamagedError(RethinkError):
    """A stored artefact does not match its checksum."""


class StorageError(RethinkError, OSError):
    """A file or folder cannot be written; what was whole before is kept, and so is the work that needed it.

    ``full``: whether there is no room left, rather than something about the place that making room would not mend.
    """

    keeps_work = True
    full = False

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        restore, made_of, state = super().__reduce__()
        # What an OSError holds lies outside its __dict__.
        return restore, made_of, {**state, "errno": self.errno, "strerror": self.strerror, "filename": self.filename}


class LeaseLostError(RethinkError):
    """Another process has taken over what this one held; whoever held it waits for what the other makes.

    Attributes:
        lock: which lock.
    """

    keeps_work = True

    def __init__(self, message: str, *, lock: Path) -> None:
        super().__init__(message)
        self.lock = lock


class RecordError(RethinkError):
    """A file in the place of a record is none that a run wrote. ``fault``: what is wrong with it, without its path."""

    def __init__(self, text: str, *, fault: str) -> None:
        super().__init__(text)
        self.fault = fault

    @classmethod
    def at(cls, path: object, fault: str) -> RecordError:
        """The error of a file, which is named with its fault."""
        return cls(f"{path} {fault}. Move it away.", fault=fault)


class IncompleteError(RethinkError):
    """The maker of an artefact left out a file that it had declared; nothing of it was kept."""


class DivergedError(RethinkError):
    """Training produced a loss that is not finite."""

    def __init__(self, message: str, *, epoch: int, step: int) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step


class DivergedImagesError(DivergedError):
    """Images that are being optimised have a loss that is not finite; the parts of the set that are done are kept."""

    keeps_work = True

    def __init__(self, message: str, *, iteration: int) -> None:
        super().__init__(message, epoch=0, step=iteration)


class MethodError(RethinkError):
    """A method raised what is no error of the framework; its run is recorded as failed, and says whose method it is."""

    # What it made before stays whole: a mended one goes on from there.
    keeps_work = True


class ContractError(MethodError):
    """A method returned, or left behind, what its contract does not allow; nothing that it made meanwhile is kept."""

    keeps_work = False


class TimeLimitError(RethinkError):
    """A run took longer than it may."""

    keeps_work = True


class ExitError(RethinkError):
    """What was called would have ended the process, as if all was well."""


@contextmanager
def refusing_exit() -> Iterator[None]:
    """Inside, methods, datasets and trackers cannot end the process by ``sys.exit``: that is a failure like any other.

    Raises:
        ExitError: one tried to.
    """
    try:
        yield
    except SystemExit as end:
        raise ExitError(
            f"A plugin that was called ended the process with sys.exit({'' if end.code is None else repr(end.code)}) "
            "instead of raising an error. The option --debug, before the command, shows where."
        ) from end


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns a sentence naming the closest known names; of many the five nearest, and how many there are."""
    names = sorted(set(known))
    if not names:
        return "None is known."
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(repr(item) for item in close)}? " if close else ""
    if len(names) <= _FEW:
        return f"{meant}Known: {', '.join(names)}."
    shown = difflib.get_close_matches(name, names, n=_SHOWN, cutoff=0.0)
    return f"{meant}Known: {', '.join(shown)} and {len(names) - len(shown)} more."


def _restore(kind: type[RethinkError], args: tuple[Any, ...]) -> RethinkError:
    return kind.__new__(kind, *args)
