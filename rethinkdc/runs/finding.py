"""A record by its place or its key."""

from __future__ import annotations

import re
from pathlib import Path

from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.runs.definition import KEY_LENGTH
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records

_KEY = re.compile(rf"[0-9a-f]{{6,{KEY_LENGTH}}}")


def find_record(name: str) -> tuple[Record, Records] | None:
    """A record by its file, its run's folder, or the beginning of its key in the default folder; None = no such name.

    Of a run's attempts the first ok one counts, else the last.

    Raises:
        RequestError: the file is no record, or the beginning is that of several keys.
    """
    place = Path(name).expanduser()
    if place.is_file() and place.suffix == ".json":
        records = Records(place.absolute().parent.parent)
        try:
            return records.read(place), records
        except RethinkError as error:
            raise RequestError(f"{error} `rethinkdc inspect {name}` says what it is.") from error
    if not place.is_dir():
        places = sorted(Records().folder.glob(f"{name}*")) if _KEY.fullmatch(name) else []
        if len(places) > 1:
            known = ", ".join(each.name for each in places[:5])
            raise RequestError(f"{len(places)} records begin with {name}: {known}. Give more of the key.")
        if not places:
            return None
        (place,) = places
    records = Records(place.absolute().parent)
    attempts = records.attempts(place.name)
    if not attempts:
        return None
    return records.find(place.name) or attempts[-1], records
