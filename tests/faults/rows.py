"""All rows of the matrix."""

from __future__ import annotations

from tests.faults.bad_surroundings import bad_surroundings
from tests.faults.damaged_files import damaged_files
from tests.faults.matrix import Fault, Promise, State

ROWS: tuple[Fault, ...] = (*damaged_files(), *bad_surroundings())

ERRORS = {
    "ENOSPC": "the disk is full",
    "EDQUOT": "the quota is used up",
    "EIO": "the disk fails",
    "EROFS": "the file system is only read",
    "EINTR": "the call is interrupted",
}
SITES: tuple[Fault, ...] = tuple(
    Fault(
        "Writing that fails, at every place where a run writes",
        f"{what} ({name})",
        "",
        Promise.REFUSED,
        "The file is named, and what to do; what can be done without is left out, and the result is the same.",
        state=State.EMPTY,
    )
    for name, what in ERRORS.items()
)
"""What ``test_sites.py`` tries at each site."""
