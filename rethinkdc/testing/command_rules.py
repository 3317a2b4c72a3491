"""Rules of the way through the command line: from a name to a row of a board."""

from __future__ import annotations

from typing import Any

from rethinkdc.testing.case import Case
from rethinkdc.testing.commands import Said
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.verdicts import NotApplicableError, require


def _said(case: Case, place: int) -> Said:
    found = [plugin for plugin in case.bench.registry.plugins.installed if type(case.method) in plugin.methods]
    if not any(plugin.entry_point.dist is not None for plugin in found):
        raise NotApplicableError("its package is not installed; `pip install -e .` in its folder does that")
    said = case.commands[place]
    if said.code is None:
        raise NotApplicableError("a command before it failed")
    return said


def _listed(case: Case) -> str:
    said = _said(case, 0)
    rows = [row for row in said.json() if row["name"] == case.method.name]
    require(rows, f"`rethinkdc {' '.join(said.words)}` has no row of {case.method.name}", differs="list-plugins")
    faulty = [row for row in rows if row["status"] != "ok"]
    require(not faulty, f"listed as {faulty[:1]}", differs="list-plugins")
    return "the time is that of all five commands"


def _shown(case: Case) -> None:
    shown: Any = _said(case, 1).json()
    kinds = [row["kind"] for row in shown if row["name"] == case.method.name]
    require(case.kind in kinds, f"show tells of {kinds}, and not of the {case.kind}", differs="show")


def _run(case: Case) -> str:
    (record,) = _said(case, 2).json()
    require(record["status"] == "ok", f"the run ended as {record['status']}: {record.get('reason')}", differs="run")
    top1 = record["evaluation"]["metrics"].get("top1")
    return f"record {record['key'][:12]}" + (f", top-1 {top1:.3f} after a few steps" if top1 is not None else "")


def _swept(case: Case) -> str:
    (first,), records = case.commands[2].json(), _said(case, 3).json()
    wrong = [record for record in records if record["status"] != "ok"]
    require(not wrong, f"a run of the sweep ended as {wrong[0]['status']}: {wrong[0].get('reason')}" if wrong else "")
    keys = [record["key"] for record in records]
    require(first["key"] in keys, f"the sweep makes {keys}, and not the run's {first['key']}", differs="key")
    return f"{len(records)} runs, one of them on record before"


def _ranked(case: Case) -> str:
    (first,), boards = case.commands[2].json(), _said(case, 4).json()
    rows = [row for board in boards for row in board["rows"] if first["key"] in row["keys"]]
    require(len(rows) == 1, f"{len(rows)} rows of the boards hold the run {first['key']}", differs="rows")
    return f"row {rows[0]['compressor']}, n = {rows[0]['result']['n']}"


COMMANDS: tuple[Rule[Case], ...] = (
    Rule("list-plugins", "It is listed, and nothing is wrong with it.", _listed, ("works",), long=True),
    Rule("show", "Its parameters are shown.", _shown, ("works", "list-plugins"), long=True),
    Rule("run", "It runs on real digits, and its record is ok.", _run, ("works", "show"), long=True),
    Rule("sweep", "A study asks for the same run as the command.", _swept, ("works", "run"), long=True),
    Rule("leaderboard", "Its runs are one row of a board.", _ranked, ("works", "sweep"), long=True),
)
