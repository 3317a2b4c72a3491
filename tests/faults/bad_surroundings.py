"""Rows of surroundings: folders and their permissions, limits, locks, clocks, outputs and full disks."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.faults.commands import BOARD, COMPRESS, RUN, Command, Place, Shim, nothing
from tests.faults.matrix import Fault, Mend, Promise, State

DAY = 86400.0
ROOT = os.geteuid() == 0
NOT_ROOT = "" if ROOT else "needs root, to give files to another user"
BOUND: Shim = ("drop_powers", {})
PLAIN = Command(tuple(word for word in RUN.argv if word != "--json"), nothing)
"""The run as people call it: its tables have lines that are no ASCII."""
BOARD_TEXT = Command(tuple(word for word in BOARD.argv if word != "--json"), nothing)


def cached_in(name: str) -> Command:
    """The run with its cache at another path."""
    return replace(RUN, argv=tuple(f"{{folder}}/{name}" if word == "{cache}" else word for word in RUN.argv))


def without(command: Command, option: str) -> Command:
    """A command without an option and its value."""
    at = command.argv.index(option)
    return replace(command, argv=command.argv[:at] + command.argv[at + 2 :])


def forbid(mode: int, names: str, place: Place, *, whole: bool = False, owner: int | None = None) -> Mend:
    """Takes permissions from folders of a place, or gives them to another user; ``whole``: all below too."""
    changed: list[tuple[Path, int]] = []
    for name in names.split():
        top = place.folder / name
        if not top.exists():
            top.mkdir()
        below = sorted(top.rglob("*"), reverse=True) if whole else []
        for path in (*below, top):
            changed.append((path, path.stat().st_mode & 0o777))
            if owner is not None:
                os.chown(path, owner, owner)
            path.chmod(mode if path == top or path.is_dir() else mode & 0o666)

    def mend() -> None:
        for path, before in reversed(changed):
            if path.exists():
                os.chown(path, os.getuid(), os.getgid())
                path.chmod(before)

    return mend


def put(name: str, make: Callable[[Path], None], place: Place) -> Mend:
    """Something else lies where a folder of a place should be; what was there is put back."""
    path, away = place.folder / name, place.folder / f"{name}-away"
    if path.exists():
        path.rename(away)
    make(path)

    def mend() -> None:
        path.unlink(missing_ok=True)
        if away.exists():
            away.rename(path)

    return mend


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def nowhere(path: Path) -> None:
    path.symlink_to("nowhere/at/all")


def leave_locks(place: Place) -> Mend:
    """Every lock has a note of a process that is dead."""
    (place.cache / "locks").mkdir(parents=True, exist_ok=True)
    for path in list((place.cache / "locks").glob("*.lock")):
        told = {"user": "nobody", "host": "elsewhere", "process": 2**22 - 1, "since": "2020-01-01T00:00:00+00:00"}
        path.with_suffix(".holder").write_text(json.dumps(told))
    return _nothing


def date_files(seconds: float, place: Place) -> Mend:
    """Every file is from another day."""
    for path in place.folder.rglob("*"):
        os.utime(path, (time.time() + seconds,) * 2)
    return _nothing


def mount_small(size: int, place: Place) -> Mend:
    """The cache and the records lie on a disk that takes so many bytes; it is mended by a larger one."""
    for folder in (place.cache, place.records):
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)

    def mend() -> None:
        for folder in (place.cache, place.records):
            kept = folder.with_name(f"{folder.name}-kept")
            shutil.copytree(folder, kept, symlinks=True)
            subprocess.run(["umount", str(folder)], check=True)
            shutil.rmtree(folder)
            kept.rename(folder)

    return mend


def can_mount() -> bool:
    """Whether small disks can be had here: root may mount, but in some containers."""
    if not ROOT or not shutil.which("unshare"):
        return False
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


def _nothing() -> None:
    """What needs no mending."""


def _folders() -> Iterator[Fault]:
    row = partial(Fault, "Folders", how="")
    kept_out = "What can be read is used, what cannot be kept is made for this process, and this is said."
    for names, mode, what, whole in (
        ("cache", 0o555, "a cache that is only read", True),
        ("cache/locks cache/work", 0o555, "folders for locks and work that are only read", False),
        ("cache", 0o600, "a cache without the execute bit", False),
        ("cache/proxies cache/sets", 0o000, "kinds of artefacts that may not be looked at", False),
    ):
        yield row(what, promise=Promise.UNHARMED, seen=kept_out, says="cannot be", shims=(BOUND,),
                  harm=partial(forbid, mode, names, whole=whole))  # fmt: skip
    yield row("an empty cache that is only read", promise=Promise.UNHARMED, seen=kept_out, says="cannot be written",
              state=State.EMPTY, shims=(BOUND,), harm=partial(forbid, 0o555, "cache"))  # fmt: skip
    for mode, what in ((0o755, "a cache of another user"), (0o700, "a cache that another user keeps to himself")):
        yield row(what, promise=Promise.UNHARMED, seen=kept_out, says="cannot be", shims=(BOUND,), unless=NOT_ROOT,
                  harm=partial(forbid, mode, "cache", whole=True, owner=54001))  # fmt: skip
    refused = "Nothing is begun whose result could not be kept; the folder is named."
    for mode, what, owner in (
        (0o555, "records that are only read", None),
        (0o600, "records without the execute bit", None),
        (0o755, "records of another user", 54001),
        (0o700, "records that another user keeps to himself", 54001),
    ):
        yield row(what, promise=Promise.REFUSED, seen=refused, says="records", shims=(BOUND,),
                  unless="" if owner is None else NOT_ROOT,
                  harm=partial(forbid, mode, "records", owner=owner))  # fmt: skip
    yield row("a folder that a set is to be written into, which is only read", promise=Promise.REFUSED,
              seen="The folder is named.", says="Cannot write", command=COMPRESS, shims=(BOUND,),
              harm=partial(forbid, 0o555, "."))  # fmt: skip
    for make, what, promise, says in (
        (Path.touch, "a file where the cache should be", Promise.UNHARMED, "cannot be"),
        (loop, "a link to itself where the cache should be", Promise.UNHARMED, "cannot be"),
        (nowhere, "a link to nowhere where the cache should be", Promise.UNHARMED, ""),
    ):
        yield row(what, promise=promise, seen=kept_out if says else "The folder is made where the link leads.",
                  says=says, harm=partial(put, "cache", make))  # fmt: skip
    for make, what in (
        (Path.touch, "a file where the records should be"),
        (loop, "a link to itself where the records should be"),
    ):
        yield row(what, promise=Promise.REFUSED, seen=refused, says="records", harm=partial(put, "records", make))
    for name, what in (
        ("a b/c d", "a cache whose path has spaces"),
        ("größe-缓存-\U0001f4e6", "a cache whose path is no ASCII"),
        ("line\nbreak", "a cache whose path has a line break"),
    ):
        yield row(what, promise=Promise.UNHARMED, seen="The path is a path.", state=State.EMPTY,
                  command=cached_in(name), likewise=RUN)  # fmt: skip
    yield row("a cache whose name is too long", promise=Promise.UNHARMED, seen=kept_out, says="cannot be",
              state=State.EMPTY, command=cached_in("x" * 300), likewise=RUN)  # fmt: skip


def _outputs() -> Iterator[Fault]:
    row = partial(Fault, "Outputs and environment", how="")
    fine = "The command does what it does."
    told = "The record is kept; that the answer could not be printed is said, and the exit code tells it."
    yield row("standard output that is closed", promise=Promise.UNHARMED,
              seen="The record is kept; nobody is told of it.", command=replace(RUN, read=nothing), ends=True,
              shims=(("close_output", {"number": 1}),))  # fmt: skip
    yield row("standard output on a full disk", promise=Promise.REFUSED, seen=told, says="Error",
              shims=(("print_to", {"path": "/dev/full"}),), ends=True)  # fmt: skip
    yield row("a pipe that nobody reads any more", promise=Promise.REFUSED,
              seen="The record is kept; the exit code is 141, as that of all who print there.",
              shims=(("print_to", {"path": "|"}),), ends=True)  # fmt: skip
    yield row("standard error that is closed", promise=Promise.UNHARMED, seen=fine, ends=True,
              shims=(("close_output", {"number": 2}),))  # fmt: skip
    for command, state, what in ((PLAIN, State.CACHED, "a run"), (BOARD_TEXT, State.RECORDED, "a board")):
        yield row(f"a terminal of one column, {what}", promise=Promise.UNHARMED, seen=fine, command=command,
                  state=state, shims=(("set_environment", {"values": {"COLUMNS": "1"}}),))  # fmt: skip
        yield row(f"a locale without UTF-8, {what}", promise=Promise.UNHARMED, seen="What has no letter is spelled.",
                  command=command, state=state, shims=(("speak_ascii", {}),))  # fmt: skip
    yield row("no HOME", promise=Promise.UNHARMED, seen=fine,
              shims=(("set_environment", {"values": {"HOME": None}}),))  # fmt: skip
    yield row("a HOME that cannot be written, and no cache named", promise=Promise.UNHARMED,
              seen="What cannot be kept is made for this process, and this is said.", says="cannot be written",
              command=without(RUN, "--cache-dir"), likewise=RUN,
              shims=(("set_environment", {"values": {"HOME": "/proc/nowhere", "RETHINKDC_CACHE": None,
                                                     "XDG_CACHE_HOME": None}}),))  # fmt: skip
    yield row("a TMPDIR that is not there", promise=Promise.UNHARMED, seen=fine,
              shims=(("set_environment", {"values": {"TMPDIR": "/nowhere"}}),))  # fmt: skip
    yield row("no folder for temporary files", promise=Promise.UNHARMED, seen=fine,
              shims=(("lose_temporary_folders", {}),))  # fmt: skip
    yield row("no folder for temporary files, and a cache that is only read", promise=Promise.REFUSED,
              seen="Both are named.", says="emporary", shims=(BOUND, ("lose_temporary_folders", {})),
              harm=partial(forbid, 0o555, "cache", whole=True))  # fmt: skip
    gone: Shim = ("lose_working_folder", {"folder": "/tmp/rethinkdc-gone"})
    yield row("a working folder that was removed", promise=Promise.UNHARMED, seen=fine, shims=(gone,))
    yield row("a working folder that was removed, and records in it", promise=Promise.REFUSED, seen="It is named.",
              command=without(RUN, "--records"), likewise=RUN, says="records", shims=(gone,))  # fmt: skip


def _limits() -> Iterator[Fault]:
    row = partial(Fault, "Limits", how="")
    for count in (1, 4):
        yield row(f"files that may be open: {count} more than are", promise=Promise.REFUSED,
                  seen="The limit is named, and how to raise it.", says="open files", state=State.EMPTY,
                  shims=(("limit", {"name": "RLIMIT_NOFILE", "value": count, "more": True}),))  # fmt: skip
    yield row("files that may not be larger than 4,096 bytes", promise=Promise.REFUSED, state=State.EMPTY,
              seen="The file is named that cannot be written.", says="File too large",
              shims=(("limit", {"name": "RLIMIT_FSIZE", "value": 4096}),))  # fmt: skip
    short = "That memory is short is said; what was finished is kept."
    yield row("memory that does not suffice", promise=Promise.REFUSED, state=State.EMPTY, says="Error",
              seen="What could not be had is named.",
              shims=(("limit", {"name": "RLIMIT_AS", "value": 8 << 20, "more": True}),))  # fmt: skip
    for module, name, what in (
        ("rethinkdc.data.backing", "empty_canvases", "images are decoded"),
        ("rethinkdc.training.loop", "_Training._train", "a network trains"),
        ("rethinkdc.runs.predictions", "np.savez_compressed", "predictions are kept"),
    ):
        yield row(f"memory that is short when {what}", promise=Promise.REFUSED, seen=short, state=State.EMPTY,
                  says="Memory does not suffice",
                  shims=(("fail_calls", {"module": module, "name": name, "error": "MemoryError"}),))  # fmt: skip


def _locks() -> Iterator[Fault]:
    row = partial(Fault, "Locks and clocks", how="")
    yield row("locks that a dead process left", promise=Promise.UNHARMED,
              seen="A lock is free when its process is dead.", harm=leave_locks)  # fmt: skip
    for name in ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL", "EIO"):
        yield row(f"a file system without locks ({name})", promise=Promise.UNHARMED,
                  seen="The work is done in a folder of the process, and this is said.", says="Locks cannot be had",
                  shims=(("fail_calls", {"module": "fcntl", "name": "flock", "error": "OSError",
                                         "number": getattr(errno, name)}),))  # fmt: skip
    for seconds, word in ((-DAY, "back"), (DAY, "forward")):
        yield row(f"a clock that goes {word} by a day", promise=Promise.UNHARMED, seen="Times of day decide nothing.",
                  state=State.IN_STUDENT, shims=(("shift_clock", {"seconds": seconds}),))  # fmt: skip
        yield row(f"a clock that goes {word} by a day, met by a board", promise=Promise.UNHARMED,
                  seen="Times of day decide nothing.", state=State.INDEXED, command=BOARD,
                  shims=(("shift_clock", {"seconds": seconds}),))  # fmt: skip
        yield row(f"files of a clock that went {word} by a day", promise=Promise.UNHARMED,
                  seen="Times of day decide nothing.", harm=partial(date_files, seconds))  # fmt: skip


SIZES = (0, 1_000, 4_000, 10_000, 20_000, 40_000, 80_000, 120_000, 160_000, 200_000, 240_000, 280_000)


def _disks() -> Iterator[Fault]:
    said = "The file is named, what it takes and what is free; what was finished is kept."
    row = partial(Fault, "Full disks", promise=Promise.REFUSED, seen=said, says="No space left", state=State.EMPTY)
    for size in SIZES:
        yield row("no room after so many bytes", f"{size:,}", shims=(("fill_disk", {"left": size}),))
    unless = "" if can_mount() else "needs root, to mount a small disk"
    for size in (8, 16, 24, 32, 64, 96, 128, 160, 192, 224, 256, 288):
        yield row("a disk for cache and records of so many kB each", str(size), harm=partial(mount_small, size << 10),
                  unless=unless, slow=True)  # fmt: skip


def bad_surroundings() -> list[Fault]:
    """A row for everything around a command that may be wrong; by default every third is tried."""
    rows = [*_folders(), *_outputs(), *_limits(), *_locks(), *_disks()]
    return [replace(row, slow=row.slow or row.ends or index % 3 != 0) for index, row in enumerate(rows)]
