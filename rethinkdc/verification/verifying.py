"""From a place to what holds of the records in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import VerifyCall
from rethinkdc.runs.records import Records
from rethinkdc.storage import show_path
from rethinkdc.verification.checking import check_record, closed_folder
from rethinkdc.verification.finding import find_files, find_gaps
from rethinkdc.verification.results import Checked, Verification

if TYPE_CHECKING:
    from rethinkdc.verification.replaying import Replayer

Telling = Callable[[Checked], None]


def verify_records(call: VerifyCall, tell: Telling = lambda _: None) -> Verification:
    """Computes again what records say, one by one; what replays give is told as it comes.

    Args:
        call: which records, and whether their runs are trained again.
        tell: hears of each record when it was looked at.

    Raises:
        RequestError: there is no such record or folder.
    """
    if call.from_scratch and not call.replay:
        raise RequestError("--from-scratch says how runs are trained again: give --replay too.")
    root, files, closed = find_files(call.place, Records(Path(call.records) if call.records else None))
    checked = [closed_folder(place, root, why) for place, why in closed]
    for one in checked:
        tell(one)
    with ExitStack() as stack:
        replayer = stack.enter_context(_replayer(call)) if call.replay else None
        for file in files:
            found = _look(file, root, replayer)
            checked.append(found)
            tell(found)
    # One record that is named says nothing of the others.
    gaps = find_gaps(files) if call.place is None or Path(call.place).is_dir() else []
    return Verification(show_path(root), tuple(checked), tuple(gaps))


def _look(file: Path, root: Path, replayer: Replayer | None) -> Checked:
    checked, record = check_record(file, root)
    if replayer is None or record is None or not checked.holds:
        # A result that is not believed is not worth a training.
        return checked
    return replace(checked, replay=replayer.replay(record, file.parent))


def _replayer(call: VerifyCall) -> AbstractContextManager[Replayer]:
    # Not imported above: it imports torch, which records of no replay need nowhere.
    from rethinkdc.verification.replaying import replayer

    return replayer(call)
