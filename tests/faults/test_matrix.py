"""Every row of the matrix keeps its promise: no trace, no wrong number, and the same result once the fault is gone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.commands import Seen
from tests.faults.matrix import Fault, Promise
from tests.faults.rows import ROWS

GOES_ON = {Promise.UNHARMED, Promise.MADE_AGAIN}


@pytest.mark.parametrize(
    "fault", [pytest.param(row, id=str(row), marks=[pytest.mark.slow] if row.slow else []) for row in ROWS]
)
def test_a_fault_ends_as_promised(fault: Fault, surroundings: Any) -> None:
    if fault.unless:
        pytest.skip(fault.unless)
    usual = surroundings.answer(fault.usual)
    place = surroundings.begin(fault.state)
    mend = fault.harm(place) if fault.harm else None
    try:
        seen: Seen = surroundings.commands.call(place, fault.command.argv, fault.shims, ends=fault.ends)
        seen.check_manners()
        _check_promise(fault, seen, usual)
    finally:
        if mend:
            mend()
    if fault.promise is not Promise.UNHARMED:
        again: Seen = surroundings.commands.call(place, fault.command.argv)
        again.check_manners()
        assert again.code == 0, again.err
        assert fault.command.read(again) == usual


def _check_promise(fault: Fault, seen: Seen, usual: Any) -> None:
    said = seen.out + seen.err
    assert fault.says in said, seen.err or said[-2000:]
    if fault.promise is Promise.REFUSED:
        assert seen.code, said[-3000:]
        return
    assert seen.code == 0, said[-3000:]
    answer = fault.command.read(seen)
    if fault.promise in GOES_ON:
        assert answer == usual
    elif fault.promise is Promise.TOLD_APART:
        assert {run["key"] for run in answer}.isdisjoint(run["key"] for run in usual)
    else:
        # Of what is left nothing changes.
        assert answer != usual
        assert all(row in usual for row in answer)
        assert answer


def test_the_rows_are_many_and_each_is_one() -> None:
    assert len(ROWS) >= 60
    assert len({(row.kind, str(row)) for row in ROWS}) == len(ROWS)
