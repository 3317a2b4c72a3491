"""Answers with the page of the records that they are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rethinkdc.boards.study_runs import StudyRuns
from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.question import STUDY_FILE
from rethinkdc.evidence.sensitivity import Sensitivity
from rethinkdc.evidence.writing import Answer, write_answer
from rethinkdc.reports.writing import write_report
from rethinkdc.runs.calls import ReportCall
from rethinkdc.runs.records import Records

REPORT_FILE = "report.html"


def write_answered(answer: Answer, folder: Path, records: Records) -> tuple[Path, ...]:
    """Writes an answer and the page of its records beside the study; returns all three files.

    Args:
        answer: to the question.
        folder: of the question.
        records: where its runs are on record.

    Raises:
        RequestError: none of its runs has a record, or a file cannot be written.
    """
    call = ReportCall(records=records.folder, out=folder / REPORT_FILE)
    runs = None
    if isinstance(answer, Sensitivity):
        # Under many protocols: its runs are told by their keys.
        survey = answer.survey
        keys = (key for setting in survey.settings for cell in setting.cells.values() for key in cell.records)
        runs = StudyRuns(survey.family, frozenset(keys), ())
    else:
        conditions = answer.conditions
        protocol = conditions.protocol.rpartition(" v")[0]
        call = replace(call, ipc=conditions.ipc, protocol=protocol, dataset=conditions.dataset)
    drawn = [answer] if isinstance(answer, Explanation | Sensitivity) else []
    return folder / STUDY_FILE, write_answer(answer, folder), write_report(call, drawn, runs).path
