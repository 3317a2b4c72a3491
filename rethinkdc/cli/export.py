"""``rethinkdc export``. Imports nothing heavy before the command is called."""

from dataclasses import asdict, dataclass

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import ExportCall


@dataclass(frozen=True)
class ExportCommand(Printed, ExportCall):
    """What the command takes beside what the function does."""


@takes_options(ExportCommand)
def export(command: ExportCommand) -> None:
    """Write a finished set as a dataset that the Hugging Face hub shows, to a folder or to the hub.

    Example: rethinkdc export pca-digits --out for-others --license mit

    Example: rethinkdc export pca-digits --out hub:OWNER/NAME --private
    """
    from rethinkdc.cli import tables
    from rethinkdc.sharing import export_set

    exported = export_set(command)
    if command.as_json:
        tables.print_json(asdict(exported))
        return
    say(f"Exported {exported.images:,} images to {exported.place} (fingerprint {exported.fingerprint[:12]}).")
    say(f"Evaluate them with: {exported.evaluate}")
