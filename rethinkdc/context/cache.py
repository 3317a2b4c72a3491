"""The cache: artefacts that are made once and shared by every method, process, user and host.

An artefact is a folder ``<kind>/<key>`` with a manifest. While it is made, its working folder ``work/<kind>-<key>``
outlives a kill, so the next process resumes there. A lock lets one process make and the others wait; who holds it and
gives no sign of life loses it, and its working folder, to one of them.

What a process cannot share it has alone: in place of each folder that it cannot write, and of each working folder whose
lock it cannot hold or of which another user left something, it takes one of its own below a temporary folder.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

from rethinkdc import interruption, ranks
from rethinkdc.context.cache_folders import LOCKS, WORK, CacheFolders
from rethinkdc.context.replacing import REPLACED, begin_anew, give_way, remove_folder
from rethinkdc.errors import DamagedError, RequestError, RethinkError
from rethinkdc.storage import (
    Lease,
    commit_folder,
    expand_home,
    fault_of_machine,
    fence,
    holding,
    is_anothers,
    is_held,
    lock,
    make_folder,
    renew_folder,
    show_path,
    storing,
    temporary_folder,
    try_lock,
    verify_folder,
    writable_throughout,
)

ENVIRONMENT = "RETHINKDC_CACHE"


def default_cache_folder() -> Path:
    """``RETHINKDC_CACHE``, or the platform's folder for caches."""
    if chosen := os.environ.get(ENVIRONMENT):
        return expand_home(Path(chosen))
    from platformdirs import user_cache_path

    return user_cache_path("rethinkdc")


class Hold(NamedTuple):
    """A piece of work that this process holds.

    Attributes:
        folder: where it lies, which need not be there yet.
        lease: under which it is held; None where the folder is this process's alone.
    """

    folder: Path
    lease: Lease | None


class Cache:
    """Finds, makes and verifies artefacts under ``root``.

    A folder below it that cannot be written is still read; what is missing there is made in a temporary folder of this
    process, with a warning. What is not there is looked for in the cache that is only read.
    """

    def __init__(self, root: Path | None = None) -> None:
        # Not Path.resolve, which takes a link that leads to itself for a mistake in the program.
        self.root = Path(os.path.realpath(expand_home(root or default_cache_folder())))
        self.folders = CacheFolders(self.root)
        self._verified: set[Path] = set()
        self._anew: dict[tuple[str, str], Path] = {}
        if ranks.world() > 1:
            for name in (LOCKS, WORK):
                if self.folders.home(name) != self.root / name:
                    raise _unshared(self.root / name)
            ranks.join(self.root)

    def find(self, kind: str, key: str) -> Path | None:
        """The verified folder of an artefact, or None; a damaged one is reported, moved away and not used."""
        # What this process made again, it may not have been able to put in the place of what was there.
        made = [self._anew[kind, key]] if (kind, key) in self._anew else []
        for folder in [*made, *self.folders.places(kind, key)]:
            if not os.path.isdir(folder):  # noqa: PTH112 - does not raise where this user may not look
                continue
            if folder in self._verified:
                self.folders.mark_used(folder)
                return folder
            try:
                verify_folder(folder)
            except DamagedError as error:
                warnings.warn(f"{error} It is rebuilt.", stacklevel=2)
                if self.folders.home(kind) in folder.parents:
                    remove_folder(folder)
                continue
            except OSError as error:
                warnings.warn(
                    f"{show_path(folder)} cannot be read ({error.strerror}): it is made again, for this process.",
                    stacklevel=2,
                )
                continue
            self._verified.add(folder)
            self.folders.mark_used(folder)
            return folder
        return None

    def holds(self, kind: str, key: str) -> Path | None:
        """The folder of an artefact, not verified: enough for a plan."""
        return next((folder for folder in self.folders.places(kind, key) if os.path.isdir(folder)), None)  # noqa: PTH112

    def make(self, kind: str, key: str, build: Callable[[Path, Path], None], *, anew: bool = False) -> Path:
        """Returns the artefact's folder, building it if need be.

        Ranks that work together all call ``build``. The first finds the artefact or holds its lock; what the others
        fill is thrown away.

        Args:
            kind: what it is, as a folder name: ``traces``, ``scores``, ``sets``.
            key: digest of all that it depends on.
            build: called with the working folder (survives a kill) and the folder to fill.
            anew: build it although it is there. What is there stays where it holds the same files, and is set aside
                among those of the kind ``replaced`` where it holds others: nothing that records rest on is removed.
        """
        if not anew and (found := self._told_place(kind, key)):
            if ranks.writes():
                self._clear_leftover(kind, key)
            return found
        while (made := self._try_make(kind, key, build, anew=anew)) is None:
            # Another process has taken the work over: it is waited for.
            pass
        return made

    @contextmanager
    def hold_together(self, kind: str, key: str) -> Iterator[Hold]:
        """As :meth:`hold`; of ranks that work together the first holds it, and tells the others when it does."""
        shared = self.folders.shared_work(kind, key)
        with self.hold(kind, key) if ranks.writes() else nullcontext(Hold(shared, None)) as held:

            def require_shared() -> None:
                if ranks.world() > 1 and held.folder != shared:
                    raise _unshared(shared)

            ranks.decided(require_shared, f"the lock of {kind} {key}")
            yield held

    @contextmanager
    def hold(self, kind: str, key: str) -> Iterator[Hold]:
        """Holds a piece of work, waiting for whoever does.

        Its working folder is the one that all share and that outlives a kill, where the lock is held and all in it can
        be written; else one of this process. What a holder left that gives no sign of life is gone on with.
        """
        shared, own = self.folders.shared_work(kind, key), self.folders.own_work(kind, key)
        if own is not None:
            yield Hold(own, None)
            return
        with lock(self.folders.lock_path(kind, key)) as lease:
            usable = lease is not None and writable_throughout(shared)
            if lease and not usable:
                warnings.warn(
                    f"{show_path(shared)} was left by another user and cannot be written: its work begins anew, in a "
                    "temporary folder of this process.",
                    stacklevel=4,
                )
            if not usable:
                yield Hold(self.folders.own_place(WORK) / shared.name, None)
                return
            assert lease
            with holding(lease):
                if lease.inherited:
                    renew_folder(shared)
                yield Hold(shared, lease)

    @contextmanager
    def try_hold(self, kind: str, key: str) -> Iterator[Path | None]:
        """Holds a piece of work if nobody does, without waiting; gives the folder that all share, None if it is not."""
        if self.folders.own_work(kind, key) is not None:
            yield None
            return
        with try_lock(self.folders.lock_path(kind, key)) as held:
            yield self.folders.shared_work(kind, key) if held else None

    def work(self, kind: str, key: str) -> Path:
        """The working folder of a piece of work that all ranks do: kept over kills, removed by whoever finishes it."""
        folder = self.folders.shared_work(kind, key)
        make_folder(folder)
        return folder

    def _try_make(self, kind: str, key: str, build: Callable[[Path, Path], None], *, anew: bool) -> Path | None:
        """As :meth:`make`; None where another process took the work over from this one."""
        with self.hold_together(kind, key) as (work, lease):
            if not anew and (found := self._told_place(kind, key)):
                return found
            make_folder(work)
            if anew:
                ranks.decided(lambda: begin_anew(work), f"the work of {kind} {key}, anew")
            final = self.folders.home(kind) / key if anew else self.folders.place(kind, key)
            made = _begin_making(final, lease) if ranks.writes() else _begin_unused(work)
            try:
                build(work, made)
                if not ranks.writes():
                    shutil.rmtree(made, ignore_errors=True)
                # Then nobody is at the work any more, which goes.
                ranks.meet(f"the end of {kind} {key}")
                replaced = self._replaced(kind, key) if anew else None
                kept = Path(ranks.decided(lambda: _commit(made, final, replaced), f"{kind} {key}, made"))
            except Exception as error:
                # What ranks told each other cannot be told again: with them the loss is an error.
                if not ranks.together() and is_anothers(lease, error):
                    return None
                if fault := fault_of_machine(error):
                    raise fault from error
                # Refused, not interrupted: nobody will come back for this work.
                if isinstance(error, RethinkError) and not error.keeps_work and ranks.writes():
                    shutil.rmtree(work, ignore_errors=True)
                raise
            finally:
                # Of a lost lease, it may be the other's.
                if not (lease and lease.lost):
                    shutil.rmtree(made, ignore_errors=True)
            if ranks.writes():
                shutil.rmtree(work, ignore_errors=True)
        interruption.finished(kind)
        self._verified.add(kept)
        if anew:
            self._anew[kind, key] = kept
        return kept

    def is_left(self, kind: str, key: str) -> bool:
        """Whether there is a working folder that outlived its process, or one that somebody is at."""
        return os.path.isdir(self.folders.shared_work(kind, key))  # noqa: PTH112

    def is_held(self, kind: str, key: str) -> bool:
        """Whether somebody is at a piece of work, as far as can be told from here."""
        return self.folders.own_work(kind, key) is None and is_held(self.folders.lock_path(kind, key))

    def _clear_leftover(self, kind: str, key: str) -> None:
        """Removes the work of a process that was killed after it kept the artefact, unless somebody is at it."""
        if not self.is_left(kind, key):
            return
        with self.try_hold(kind, key) as work:
            if work:
                shutil.rmtree(work, ignore_errors=True)

    def _replaced(self, kind: str, key: str) -> Path:
        """The place of what an artefact was before it was made again, less the end of its name."""
        return self.folders.home(REPLACED) / f"{kind}-{key}"

    def _told_place(self, kind: str, key: str) -> Path | None:
        """The verified folder of an artefact, or None: of ranks that work together the first looks."""

        def look() -> str | None:
            found = self.find(kind, key)
            return str(found) if found else None

        found = ranks.decided(look, f"{kind} {key}")
        if found is None:
            return None
        self._verified.add(Path(found))
        return Path(found)


def _begin_making(final: Path, lease: Lease | None) -> Path:
    """A new folder beside ``final``."""
    make_folder(final.parent)
    prefix = f".making-{final.name}"
    with storing(final):
        if lease:
            # A fixed name under the lock: what a killed process left here is cleared away, not piled up.
            made = final.with_name(prefix)
            shutil.rmtree(made, ignore_errors=True)
            # But a former holder that comes back would fill it too.
            with suppress(FileExistsError):  # another user's, which stays
                if not lease.inherited:
                    made.mkdir()
                    return made
        return temporary_folder(final.parent, prefix)


def _begin_unused(work: Path) -> Path:
    """A folder for what a rank beside the first fills; in the working folder, so that nothing stays after a kill."""
    unused = work / f".rank-{ranks.rank()}"
    shutil.rmtree(unused, ignore_errors=True)
    unused.mkdir()
    return unused


def _commit(made: Path, final: Path, replaced: Path | None) -> str:
    """Puts what was made into its place; ``replaced``: the place of what it is made again of, None = of nothing."""
    fence()
    if replaced is None or give_way(final, made, replaced):
        commit_folder(made, final)
    return str(final)


def _unshared(folder: Path) -> RequestError:
    return RequestError(
        f"Ranks share their work through {show_path(folder)}, which this one cannot write or lock. Choose a cache that "
        f"all can write to with --cache-dir or {ENVIRONMENT}."
    )
