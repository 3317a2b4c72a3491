"""From a folder of records to a page, or to one picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rethinkdc.boards import Board
from rethinkdc.boards.leaderboard import rank_records
from rethinkdc.boards.study_runs import StudyRuns
from rethinkdc.errors import RequestError, nearest
from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.reading import read_answers
from rethinkdc.evidence.sensitivity import Sensitivity
from rethinkdc.reports.figures import Figure
from rethinkdc.reports.finding import find_explanations
from rethinkdc.reports.material import Material
from rethinkdc.reports.page import Content, render_page
from rethinkdc.reports.sections import KINDS, draw_sections
from rethinkdc.reports.sheets import collect_sheets
from rethinkdc.reports.tables import make_table
from rethinkdc.runs.calls import DrawnCall, PlotCall, ReportCall
from rethinkdc.runs.records import Records
from rethinkdc.storage import writable, write_atomic
from rethinkdc.texts import visible

Drawn = Explanation | Sensitivity
"""Answers that have figures of their own."""


@dataclass(frozen=True)
class ReportFile:
    """A page that was written.

    Attributes:
        path: where.
        bytes: its size.
        boards: how many it shows.
        figures: how many it draws.
    """

    path: Path
    bytes: int
    boards: int
    figures: int


def write_report(call: ReportCall, answers: Sequence[Drawn] = (), runs: StudyRuns | None = None) -> ReportFile:
    """Writes the page; an older one is replaced.

    Args:
        call: which records, and where to.
        answers: that stand beside their boards.
        runs: those that boards are made of; None = the call says.

    Raises:
        RequestError: there is no record, none that was asked for, or the file cannot be written.
    """
    out = Path(call.out)
    _check_out(out, (".html", ".htm"))
    content = make_content(_collect(call, answers, runs))
    payload = render_page(content).encode()
    write_atomic(out, payload)
    return ReportFile(out, len(payload), len(content.tables), sum(len(one.figures) for one in content.sections))


def make_content(material: Material) -> Content:
    """All that the page of some boards shows."""
    boards = material.boards
    rows = [row for board in boards for row in board.rows]
    sections = draw_sections(material)
    runs = {key for row in rows for key in row.keys}
    return Content(
        summary=(
            ("runs with a result", f"{len(runs):,}"),
            ("without", f"{sum(len(row.missing) for row in rows):,}"),
            ("boards", f"{len(boards):,}"),
            ("methods", f"{len({(row.compressor, row.labeler) for row in rows}):,}"),
            ("figures", f"{sum(len(section.figures) for section in sections):,}"),
        ),
        tables=tuple(make_table(board) for board in boards),
        sections=sections,
        sheets=collect_sheets(material),
        conditions=tuple(_conditions(boards)),
        environments=tuple((name, str(count)) for name, count in sorted(_environments(material).items())),
        notes=tuple(
            visible(f"Left out, because no run wrote it: {one.file} {one.fault}.") for one in material.left_out
        ),
    )


def list_figures(call: PlotCall) -> list[Figure]:
    """Every figure that can be plotted of the chosen records.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    return [figure for section in draw_sections(_collect(call)) for figure in section.figures]


def write_plot(call: PlotCall) -> Path:
    """Draws one figure into a file of a format that matplotlib writes, such as PNG, PDF or SVG.

    Raises:
        RequestError: no figure has this name, or several have; matplotlib is missing; the file cannot be written.
    """
    from rethinkdc.reports.matplotlib_figures import FORMATS, draw

    out = Path(call.out) if call.out else Path(f"{call.figure}.png")
    _check_out(out, FORMATS)
    figure = _find(list_figures(call), call.figure or "")
    write_atomic(out, draw(figure, KINDS[figure.label.kind].title, out.suffix.lower()))
    return out


def _find(figures: list[Figure], wanted: str) -> Figure:
    """The figure of this name, or the only one of this kind."""
    found = [figure for figure in figures if wanted in (figure.label.name, figure.label.kind)]
    if len(found) == 1:
        return found[0]
    if not found:
        names = [name for figure in figures for name in (figure.label.kind, figure.label.name)]
        raise RequestError(
            f"No figure is called {wanted!r}. {nearest(wanted, names)} `rethinkdc plot --list` shows all."
        )
    listed = "\n".join(f"  {figure.label.name}" for figure in found)
    raise RequestError(
        f"{len(found)} figures are of the kind {wanted}; name one, or choose with --protocol, --ipc:\n{listed}"
    )


def _collect(call: DrawnCall, answers: Sequence[Drawn] = (), runs: StudyRuns | None = None) -> Material:
    records = Records(Path(call.records) if call.records else None)
    boards, left_out = rank_records(call, runs)
    left = [*(read_answers(Path(call.answers).expanduser()) if call.answers else ()), *answers]
    # Corners are changed protocols: without a board of one there is nothing to be found.
    found = find_explanations(records, boards) if any(board.modified for board in boards) else ()
    # What was answered tells more than what records say: it knows finished sets, and why a corner is missing.
    known = {_identify(one): one for one in [*found, *(one for one in left if isinstance(one, Explanation))]}
    surveyed = {_name(one): one for one in left if isinstance(one, Sensitivity)}
    return Material(tuple(boards), records, tuple(known.values()), tuple(left_out), tuple(surveyed.values()))


def _identify(explanation: Explanation) -> tuple[object, ...]:
    return explanation.method, explanation.labeler, explanation.conditions


def _name(sensitivity: Sensitivity) -> tuple[object, ...]:
    survey = sensitivity.survey
    return survey.family, survey.dataset, survey.ipc, survey.methods, survey.sets, survey.design


def _conditions(boards: tuple[Board, ...]) -> list[tuple[str, ...]]:
    """Protocols and datasets with their whole digests, and the versions of the core that the runs were made under."""
    listed = {
        *(("protocol", visible(board.protocol_as_run), board.protocol_digest) for board in boards),
        *(("dataset", visible(board.dataset), board.dataset_fingerprint) for board in boards),
        *(
            ("core", ", ".join(f"{name} {version}" for name, version in sorted(board.semantics.items())), "")
            for board in boards
        ),
    }
    return sorted(listed)


def _environments(material: Material) -> Counter[str]:
    return sum((training.environments for _, rows in material.trainings for _, training in rows), Counter())


def _check_out(out: Path, endings: tuple[str, ...]) -> None:
    if out.suffix.lower() not in endings:
        raise RequestError(f"--out {out}: the name must end in {' or '.join(endings)}.")
    if out.is_dir() or not writable(out.absolute().parent):
        why = "it is a folder" if out.is_dir() else f"{out.absolute().parent} cannot be written"
        raise RequestError(f"--out {out}: {why}. Choose another file.")
