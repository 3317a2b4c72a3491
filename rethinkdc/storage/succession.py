"""Who holds a lock next: one of all hosts that ask, whatever their clocks and the locks of the operating system say.

A note is made under a name that is free, by a hard link, which a file system that hosts share makes for one of them.
Nobody replaces or removes the note of a holding but the one heir of it, who is found in the same way: whoever first
makes the file that bears the token of the holding. A holder that gives its lock back is its own heir.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from rethinkdc.storage.holders import Note, heir_of, last_note, note_of, notes_of, this_holder
from rethinkdc.storage.writing import open_temporary


def claim(path: Path) -> str | None:
    """Holds a lock of which there is no note.

    Returns:
        The token of the holding; None where another was faster.

    Raises:
        OSError: no note can be made.
    """
    return _make(note_of(path))


def succeed(path: Path, note: Note) -> str | None:
    """Holds a lock in place of a former holder.

    Args:
        path: of the lock.
        note: of the former holder, as it was seen.

    Returns:
        The token of the holding; None where another was faster, or has been so long ago.

    Raises:
        OSError: the note cannot be replaced.
    """
    heir = heir_of(path, note.token)
    token = _make(heir)
    if token is None:
        return None
    try:
        before = notes_of(path)
        if not before or before[-1].token != token:
            # Seen too late: the holding had an heir already, who is the holder now.
            heir.unlink()
            return None
        heir.replace(note_of(path))
    except BaseException:
        heir.unlink(missing_ok=True)
        raise
    for ended in before[1:-1]:
        ended.path.unlink(missing_ok=True)
    return token


def give_back(path: Path, token: str) -> None:
    """Ends a holding, unless it is lost: then nothing is touched.

    Raises:
        OSError: the note cannot be removed.
    """
    heir = heir_of(path, token)
    own = _make(heir)
    if own is None:
        return
    try:
        last = last_note(path)
        if last and last.token == own:
            note_of(path).unlink()
    finally:
        heir.unlink()


def _make(file: Path) -> str | None:
    """Makes a note of this process under a name that is free; None where it is not.

    Not flushed to disk: nothing depends on it after a crash.
    """
    token = secrets.token_hex(8)
    content = json.dumps(this_holder(token)._asdict()).encode()
    descriptor, temporary = open_temporary(file.parent, file.name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        try:
            os.link(temporary, file)
        except FileExistsError:
            # A network file system may make it, lose its answer, and meet it when it asks again.
            return token if temporary.stat().st_nlink > 1 else None
        except OSError:
            return token if _make_exclusively(file, content) else None
    finally:
        temporary.unlink(missing_ok=True)
    return token


def _make_exclusively(file: Path, content: bytes) -> bool:
    """The same without hard links: for a moment the note is empty, which is a note too."""
    try:
        with file.open("xb") as opened:
            opened.write(content)
    except FileExistsError:
        return False
    return True
