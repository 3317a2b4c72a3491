"""``rethinkdc prepare``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.preparation.calls import PrepareCall

if TYPE_CHECKING:
    from rethinkdc.layouts.prepared import Prepared


@dataclass(frozen=True)
class PrepareCommand(Printed, PrepareCall):
    """What the command takes beside what the function does."""


@takes_options(PrepareCommand)
def prepare(command: PrepareCommand) -> None:
    """Read a dataset once, and write shards of which any row is read at once; the same command goes on after a kill.

    Example: rethinkdc prepare imagenet-1k --short-side 256 --out imagenet-256px

    Example: rethinkdc prepare FOLDER --out FOLDER-prepared

    Example: rethinkdc prepare --study digits-small
    """
    from rethinkdc.cli.progress import Bars
    from rethinkdc.cli.tables import print_json
    from rethinkdc.preparation.fetching import fetch_study
    from rethinkdc.preparation.prepare import prepare_dataset

    if command.study is not None:
        fetched = fetch_study(replace(command, progress=Bars()))
        if command.as_json:
            print_json({"study": str(command.study), "fetched": [one._asdict() for one in fetched]})
            return
        for what, seconds in fetched:
            say(f"{what}: here, {seconds:.1f} s")
        say(f"Nothing else of it needs a network: rethinkdc sweep {command.study} --offline")
        return
    prepared, folder = prepare_dataset(replace(command, progress=Bars()))
    if command.as_json:
        print_json({"folder": str(folder), "fingerprint": prepared.fingerprint, **prepared.model_dump(mode="json")})
    else:
        _print(prepared, folder)


def _print(prepared: "Prepared", folder: Path) -> None:
    train, test = (sum(shard.rows for shard in part.shards) for part in prepared.parts)
    stored, source = (sum(getattr(each, name) for each in prepared.shards) for name in ("size", "source_size"))
    say(
        f"{folder} holds {train:,} training and {test:,} test images of {len(prepared.class_names)} classes in "
        f"{len(prepared.shards)} shards."
    )
    say(f"Disk: {stored:,} bytes of images, {stored / max(1, source):.0%} of the source's {source:,}.")
    for told in (*prepared.recipe.tell(), *prepared.loss.tell()):
        say(told)
    same = prepared.fingerprint == prepared.source_fingerprint
    whose = "that of the source: keys and boards are the same" if same else "not the source's: keys are its own"
    say(f"Fingerprint: {prepared.fingerprint[:12]}, {whose}.")
    say(f"Use it with: rethinkdc run --compressor random --dataset {folder}")
