"""``rethinkdc compress``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from pathlib import Path

from rethinkdc import ranks
from rethinkdc.cli.options import Printed, takes_options, with_bars
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import CompressCall


@dataclass(frozen=True)
class CompressCommand(Printed, CompressCall):
    """What the command takes beside what the function does."""


@takes_options(CompressCommand)
def compress(command: CompressCommand) -> None:
    """Make a compressed set and write it as a folder that `datasets.load_dataset` reads.

    Example: rethinkdc compress --compressor pca --out pca-digits
    """
    from rethinkdc.cli import tables
    from rethinkdc.runs.exports import write_set

    compressed = write_set(with_bars(command))
    if not ranks.leads():
        return
    out = Path(command.out)
    if command.as_json:
        card = compressed.card.model_dump(mode="json")
        tables.print_json({"folder": str(out), "images": len(compressed), "card": card})
        return
    tables.print_files_read(compressed.card.told)
    say(f"Wrote {len(compressed):,} images of {len(compressed.class_names)} classes to {out}.")
    given = {"--dataset": command.dataset, "--protocol": command.protocol, "--seed": command.seed or None}
    chosen = "".join(f" {flag} {value}" for flag, value in given.items() if value is not None)
    say(f"Evaluate it with: rethinkdc evaluate {out}{chosen}")
