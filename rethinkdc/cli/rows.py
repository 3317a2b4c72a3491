"""``rethinkdc rows``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass

from rethinkdc import ranks
from rethinkdc.cli.options import NewFiles, Printed, takes_options, with_bars
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import RowsCall


@dataclass(frozen=True, kw_only=True)
class RowsCommand(Printed, RowsCall, NewFiles):
    """What the command takes beside what the function does."""


@takes_options(RowsCommand)
def rows(command: RowsCommand) -> None:
    """Write the training rows that a selector picks.

    Example: rethinkdc rows --compressor k-means --ipc 10 --out k-means-digits
    """
    from rethinkdc.cli import tables
    from rethinkdc.notes import Notes
    from rethinkdc.row_files.files import write_row_file
    from rethinkdc.runs.exports import check_out, pick_rows

    check_out(command.out)
    tensors, about = pick_rows(with_bars(command))
    if not ranks.leads():
        return
    files = write_row_file(tensors, about, command.out)
    if command.as_json:
        tables.print_json(about)
        return
    tables.print_files_read(Notes.model_validate(about["notes"]))
    say(f"Wrote {len(tensors['rows']):,} rows to {files[0]} and {files[1]}.")
    say(f"Use them with: --compressor rows:path={files[0]}")
