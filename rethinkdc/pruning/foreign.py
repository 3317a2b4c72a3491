"""What methods that read rows or scores from a file have in common: the copy of the data that it was made on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rethinkdc.method import Content, Method
from rethinkdc.row_files.order import ORDERS, Foreign, find_foreign
from rethinkdc.types import Images


class OfCopy(Method):
    """Base of methods whose file may speak of the rows of another copy of the data."""

    order: str | None = Field(
        default=None,
        description=f"Of the file's rows, if another copy's: {', '.join(ORDERS)}. None = this dataset's own: not "
        "verified, unless labels in the file or a fingerprint beside it prove it.",
    )
    like: Annotated[str | None, Content()] = Field(
        default=None, description="Folder of the copy that the file was made on: its images are found here."
    )

    def foreign(self, data: Images) -> Foreign | None:
        """Our row for each row of that copy; None where no other copy is named.

        Raises:
            RequestError: both ``order`` and ``like`` are given, or there is no such order.
            DataError: the rows of the copy cannot be told apart here.
        """
        return find_foreign(self.order, Path(self.like).expanduser() if self.like else None, data)
