"""Errors between processes: each arrives as what it was."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from rethinkdc import errors
from rethinkdc.errors import (
    ContractError,
    DamagedError,
    DataError,
    DivergedError,
    DivergedImagesError,
    ExitError,
    IncompleteError,
    LeaseLostError,
    MethodError,
    PluginError,
    RecordError,
    RequestError,
    RethinkError,
    StorageError,
    TimeLimitError,
    UnsupportedError,
)
from rethinkdc.ranks import RankError
from rethinkdc.texts import MOST_CHARACTERS

ERRORS = [
    *(
        kind("what is wrong")
        for kind in (
            RethinkError,
            RequestError,
            UnsupportedError,
            PluginError,
            DataError,
            DamagedError,
            IncompleteError,
            ExitError,
            MethodError,
            ContractError,
            TimeLimitError,
            RankError,
            StorageError,
        )
    ),
    DivergedError("what is wrong", epoch=3, step=7),
    LeaseLostError("what is wrong", lock=Path("a.lock")),
    RecordError("what is wrong", fault="its seal"),
    DivergedImagesError("what is wrong", iteration=9),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_in_another_process_as_it_was(error: RethinkError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert str(arrived) == "what is wrong"
    assert arrived.exit_code == error.exit_code
    assert vars(arrived) == vars(error)


def test_every_kind_of_error_is_tried() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RethinkError)}
    assert kinds <= {type(error) for error in ERRORS}


def test_what_an_error_quotes_has_a_picture_and_can_be_read() -> None:
    error = RequestError("Cannot read \x1b[2J\u202e\ud800.\nThe second line.")
    assert str(error) == "Cannot read ⟨001B⟩[2J⟨202E⟩⟨D800⟩.\nThe second line."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_of_a_long_message_the_beginning_and_the_end_are_said() -> None:
    told = str(RequestError(f"Cannot read {'x' * 10**6}. Mend it."))
    assert told.startswith("Cannot read xxx")
    assert told.endswith("xxx. Mend it.")
    assert len(told) <= 2_000
    assert len(str(RequestError("\n".join(["fault"] * 10**5)))) <= MOST_CHARACTERS
    assert len(str(RequestError("\x00" * 7_000))) <= MOST_CHARACTERS
