"""Errors between processes: each arrives as what it was."""

from __future__ import annotations

import pickle

import pytest

from rethinkdc import errors
from rethinkdc.context.ranks import RankError
from rethinkdc.errors import (
    DamagedError,
    DataError,
    DivergedError,
    DivergedImagesError,
    IncompleteError,
    PluginError,
    RecordError,
    RequestError,
    RethinkError,
    UnsupportedError,
)

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
            RankError,
        )
    ),
    DivergedError("what is wrong", epoch=3, step=7),
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
