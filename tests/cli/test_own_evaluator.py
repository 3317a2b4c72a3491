"""An evaluator of somebody's, without top-1 and with a metric of which less is better, through every command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.storage import digest

EVALUATOR = """
from typing import ClassVar

from rethinkdc.contracts import Evaluation, Evaluator, Metric, hookimpl


class Farthest(Evaluator):
    '''How late in the training set the first rows lie: no student is trained.'''

    name: ClassVar[str] = "farthest"
    metrics: ClassVar = (Metric("gap", "lower", "fraction"), Metric("rows", "higher", "number"))

    def evaluate(self, compressed, supervision, test, context):
        return Evaluation(
            metrics=MEASURED,
            per_class=[],
            curve=[],
            views=0,
            steps=0,
            seconds=0.0,
            peak_memory=0,
            result_digest=compressed.fingerprint,
        )


@hookimpl
def register_methods():
    return [Farthest]
"""
MEASURED = '{"gap": float(compressed.sources[:, 0].min()) / 2000, "rows": float(len(compressed))}'
METHODS = ("random", "el2n:direction=easy", "el2n:direction=hard")
SHORT = ("proxy.training.epochs=1", "proxy.scores.el2n.epochs=1")


@pytest.fixture
def install_evaluator(install: Callable[..., None]) -> Callable[..., None]:
    def installed(measured: str = MEASURED) -> None:
        # Of a name of its own, since modules stay imported from test to test.
        install(f"far-{digest(measured)[:8]}", {"farthest": EVALUATOR.replace("MEASURED", measured)})

    return installed


def test_it_goes_through_every_command_and_less_is_better(
    cli: Callable[..., Any], install_evaluator: Callable[..., None], tmp_path: Path
) -> None:
    install_evaluator()
    shown = cli("show", "farthest")
    assert (shown.code, "How late in the training set" in shown.out) == (0, True), shown.err

    short = [word for value in SHORT for word in ("--set", value)]
    lists = f"dataset = 'digits'\ncompressors = {json.dumps(list(METHODS))}\nseeds = [0, 1, 2, 3, 4]\n"
    study = f"{lists}evaluator = 'farthest'\n[overrides]\n"
    (tmp_path / "study.toml").write_text(study + "\n".join(SHORT))
    swept = cli("sweep", "study.toml")
    assert swept.code == 0, swept.err
    assert "] ok gap " in swept.out

    (board,) = json.loads(cli("leaderboard", "--json").out)
    assert (board["metric"], board["better"], board["unit"]) == ("gap", "lower", "fraction")
    means = {row["compressor"]: row["result"]["mean"] for row in board["rows"]}
    assert len(set(means.values())) == 3
    assert [row["compressor"] for row in board["rows"]] == sorted(means, key=lambda name: means[name])
    assert [row["rank"] for row in board["rows"]] == [1, 2, 3]
    best = board["rows"][0]
    assert f" {100 * best['result']['mean']:.2f} " in cli("leaderboard", "--format", "md").out
    assert "gap" in cli("leaderboard").out
    assert "--metric NAME ranks by it: rows." in cli("leaderboard").out
    lines = list(csv.DictReader(io.StringIO(cli("leaderboard", "--format", "csv").out)))
    assert [line["compressor"] for line in lines] == [row["compressor"] for row in board["rows"]]
    (others,) = json.loads(cli("leaderboard", "--json", "--metric", "rows").out)
    assert (others["metric"], others["better"], others["unit"]) == ("rows", "higher", "number")
    assert " 10.0000 " in cli("leaderboard", "--format", "md", "--metric", "rows").out

    for name in METHODS[1:]:
        ran = cli("run", "-d", "digits", "-c", name, "--evaluator", "farthest", "--seeds", "0,1,2,3,4", *short)
        assert ran.code == 0, ran.err
        assert f"{means[name]:.2%}" in ran.out
        assert ", rows 10 ± 0 (mean, standard deviation)" in ran.out
        assert "top-1" not in ran.out
        (between,) = [line for line in ran.out.splitlines() if "against random" in line]
        assert "points (lower is better) against random under the same conditions" in between
        assert f"mean {100 * (means[name] - means['random']):+.2f}" in between
        assert between.endswith("n = 5 sets")


def test_a_record_says_which_way_a_metric_goes(cli: Callable[..., Any], install_evaluator: Callable[..., None]) -> None:
    install_evaluator()
    (record,) = json.loads(cli("run", "-d", "digits", "-c", "random", "--evaluator", "farthest", "--json").out)
    assert record["metrics"] == [
        {"name": "gap", "better": "lower", "unit": "fraction"},
        {"name": "rows", "better": "higher", "unit": "number"},
    ]
    assert record["evaluation"]["metrics"].keys() == {"gap", "rows"}


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ('{"gap": 0.5}', "declared are the metrics gap, rows; measured were gap"),
        ('{"gap": 0.5, "rows": 1.0, "top1": 0.5}', "measured were gap, rows, top1"),
        ('{"gap": float("nan"), "rows": 1.0}', "gap is nan, and a fraction lies in 0..1"),
    ],
)
def test_what_was_measured_must_be_what_was_declared(
    cli: Callable[..., Any], install_evaluator: Callable[..., None], tmp_path: Path, measured: str, said: str
) -> None:
    install_evaluator(measured)
    done = cli("run", "-d", "digits", "-c", "random", "--evaluator", "farthest")
    assert done.code == 1
    assert said in done.err.replace("\n", " ")
    (record,) = (json.loads(file.read_text()) for file in (tmp_path / "records").rglob("*.json"))
    assert record["status"] == "failed"
    assert said in record["reason"]


def test_an_evaluator_without_metrics_is_refused_before_any_work(
    cli: Callable[..., Any], install: Callable[..., None], tmp_path: Path
) -> None:
    declared = 'metrics: ClassVar = (Metric("gap", "lower", "fraction"), Metric("rows", "higher", "number"))'
    install("far-and-empty", {"farthest": EVALUATOR.replace(declared, "metrics: ClassVar = ()")})
    done = cli("run", "-d", "digits", "-c", "random", "--evaluator", "farthest")
    assert done.code == 2
    assert "must declare metrics" in done.err
    assert not (tmp_path / "records").exists()
