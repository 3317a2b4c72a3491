"""What a tracker is told of a run, as the framework's own model of a record takes it."""

from __future__ import annotations

from typing import Any, NamedTuple

from rethinkdc.runs.record import Record
from rethinkdc.seeds import Seeds


class ToldRun(NamedTuple):
    """The arguments of the run events, as JSON data."""

    definition: dict[str, Any]
    names: dict[str, str]
    key: str
    record: dict[str, Any]


def make_told_run() -> ToldRun:
    """What would be told of a run of ``random`` on digits that ended well."""

    def method(kind: str, name: str) -> dict[str, Any]:
        return {"kind": kind, "name": name, "revision": 1, "parameters": {}}

    digests = {"dataset": "d" * 64, "protocol": "e" * 64}
    names = {"compressor": "random", "labeler": "hard", "evaluator": "standard", "dataset": "digits"}
    names |= {"protocol": "digits-hard v1", "student": "convnet", "ipc": "1"}
    definition = {
        **digests,
        **{kind: method(kind, names[kind]) for kind in ("compressor", "labeler", "evaluator")},
        "student": method("model", names["student"]),
        "ipc": 1,
        "seeds": Seeds().model_dump(),
        "tune": False,
        "semantics": {"views": 1, "loop": 1, "trace": 1, "set": 1},
    }
    evaluation = {"metrics": {"top1": 0.5, "loss": 2.5}, "per_class": [0.5] * 10, "curve": [], "views": 30, "steps": 3}
    evaluation |= {"seconds": 1.0, "peak_memory": 1, "result_digest": "f" * 64}
    record = {
        "key": "a" * 24,
        "status": "ok",
        "created": "2026-01-01T00:00:00+00:00",
        "names": names,
        "definition": definition,
        "protocol_digest": digests["protocol"],
        "dataset_fingerprint": digests["dataset"],
        "modified": False,
        "tune": False,
        "track": "hard",
        "metrics": [{"name": "top1", "better": "higher", "unit": "fraction"}],
        "evaluation": evaluation,
        "result_digest": evaluation["result_digest"],
    }
    told = Record.model_validate(record).model_dump(mode="json")
    return ToldRun(told["definition"], told["names"], told["key"], told)
