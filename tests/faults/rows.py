"""All rows of the matrix."""

from __future__ import annotations

from tests.faults.damaged_files import damaged_files
from tests.faults.matrix import Fault

ROWS: tuple[Fault, ...] = (*damaged_files(),)
