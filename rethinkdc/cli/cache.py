"""``rethinkdc cache list | verify | prune``. Imports nothing heavy before a command is called."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rethinkdc.cli.amounts import read_age, read_size, write_size
from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.errors import RequestError, refusing_exit
from rethinkdc.runs.calls import CacheFolder
from rethinkdc.runs.options import Option

if TYPE_CHECKING:
    from rethinkdc.context.cache import Cache
    from rethinkdc.context.inventory import Entry


@dataclass(frozen=True, kw_only=True)
class CacheCommand(Printed):
    """What every command on a cache takes: which, and what in it is meant."""

    cache_dir: CacheFolder = None
    kind: Annotated[str | None, Option("Only of this kind, such as sets, proxies or work.")] = None
    older: Annotated[
        float | None,
        Option("Only what nobody used for so long, e.g. 30d or 12h.", typed=str, read=partial(read_age, "--older")),
    ] = None
    larger: Annotated[
        int | None,
        Option("Only what has so many bytes, e.g. 1GB or 500MB.", typed=str, read=partial(read_size, "--larger")),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ListCommand(CacheCommand):
    """What ``cache list`` takes."""

    each: Annotated[bool, Option("A line for each artefact, the largest first, in place of one for each kind.")] = False


@dataclass(frozen=True, kw_only=True)
class PruneCommand(CacheCommand):
    """What ``cache prune`` takes."""

    dry_run: Annotated[bool, Option("Show what would be removed, and remove nothing.")] = False
    yes: Annotated[bool, Option("Remove without asking.", short="-y")] = False


@takes_options(ListCommand)
def list_cache(command: ListCommand) -> None:
    """List what the cache holds: sizes, ages, who may be using it, and the cache that is only read.

    Example: rethinkdc cache list --older 30d --each
    """
    from rethinkdc.cli import cache_tables

    cache, meant = _selected(command)
    if command.as_json:
        cache_tables.print_listed(cache, meant)
    else:
        cache_tables.print_entries(cache, meant, each=command.each)


@takes_options(CacheCommand)
def verify_cache(command: CacheCommand) -> None:
    """Compute the checksums of artefacts again; the exit code is 1 when one is damaged, and a run makes it again.

    Example: rethinkdc cache verify --kind proxies
    """
    from rethinkdc.cli import cache_tables
    from rethinkdc.cli.progress import Bars
    from rethinkdc.context.clearing import faults_of

    cache, meant = _selected(command)
    with Bars().task("artefacts", len(meant)) as done:
        faults = faults_of(meant, lambda: done(1))
    cache_tables.print_faults(cache, meant, faults, as_json=command.as_json)
    if faults:
        raise typer.Exit(1)


@takes_options(PruneCommand)
def prune_cache(command: PruneCommand) -> None:
    """Remove artefacts and unfinished work that nobody uses; what a run needs again, it makes again.

    While a process holds a lock of the cache, what was used since stays. Nothing is removed from the cache that is only
    read. Example: rethinkdc cache prune --older 30d --larger 1GB --dry-run
    """
    from rethinkdc.cli import cache_tables
    from rethinkdc.context.clearing import remove

    if (command.older, command.larger, command.kind) == (None, None, None):
        raise RequestError("cache prune: say what goes: --older 30d, --larger 1GB, --kind sets, or several of these.")
    cache, meant = _selected(command)
    meant = [entry for entry in meant if not (entry.shared or entry.other)]
    kept = {entry: f"it may be in use by {entry.users[0]}" for entry in meant if entry.users}
    going = [entry for entry in meant if entry not in kept]
    if not command.dry_run and going:
        _ask(command, going)
        for entry in going:
            if why := remove(entry, cache):
                kept[entry] = why
    gone = [entry for entry in going if entry not in kept]
    cache_tables.print_pruned(cache, gone, kept, dry_run=command.dry_run, as_json=command.as_json)


def _selected(command: CacheCommand) -> "tuple[Cache, list[Entry]]":
    """The cache, and what in it is meant."""
    from rethinkdc.context.cache import Cache
    from rethinkdc.context.clearing import Selection
    from rethinkdc.context.inventory import list_entries

    cache = Cache(Path(command.cache_dir) if command.cache_dir else None)
    selection = Selection(command.kind, command.older, command.larger)
    entries = list_entries(cache)
    kinds = sorted({entry.kind for entry in entries})
    if command.kind and command.kind not in kinds:
        known = f"Here: {', '.join(kinds)}." if kinds else "It is empty."
        raise RequestError(f"--kind {command.kind}: the cache {cache.root} has none of this kind. {known}")
    return cache, [entry for entry in entries if selection.holds(entry)]


def _ask(command: PruneCommand, going: "list[Entry]") -> None:
    """Asks before anything is removed.

    Raises:
        RequestError: nobody is there to answer.
        typer.Exit: the answer is no.
    """
    if command.yes:
        return
    told = f"{len(going):,} entries, {write_size(sum(entry.bytes for entry in going))}"
    if command.as_json or sys.stdin is None or not sys.stdin.isatty():
        raise RequestError(f"cache prune would remove {told}: add --yes to do so, or --dry-run to see them.")
    say(f"Remove {told} from the cache? [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        say("Nothing was removed.")
        raise typer.Exit(1)


app = typer.Typer(help="What the cache holds: list it, verify it, prune it.", no_args_is_help=True)
for _name, _command in {"list": list_cache, "verify": verify_cache, "prune": prune_cache}.items():
    app.command(_name)(refusing_exit()(_command))
