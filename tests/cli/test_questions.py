"""``explain`` and ``compare`` from the command line to their files, and what a study needs to find a difference."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scipy.stats
from statsmodels.stats.power import TTestPower

PROTOCOLS = Path(__file__).resolve().parents[2] / "protocols"
STEPS = "steps = { 1 = 300, 10 = 600, 50 = 1200 }"


@pytest.fixture
def short(tmp_path: Path) -> Callable[[str], str]:
    """A shipped protocol that trains next to nothing, as a file."""

    def write(name: str) -> str:
        text = (PROTOCOLS / f"{name}.toml").read_text()
        assert text.count(STEPS) == 1
        text = text.replace(STEPS, "steps = 8").replace("epochs = 20\n", "epochs = 2\n").replace("[1, 10]", "[1, 2]")
        (tmp_path / f"{name}-short.toml").write_text(text)
        return f"{name}-short.toml"

    return write


def test_explain_writes_its_study_its_answer_and_its_report_and_finds_them_again(
    cli: Callable[..., Any], short: Callable[[str], str], tmp_path: Path
) -> None:
    asked = ("explain", "random", "-p", short("digits-soft"), "--ipc", "1", "--seeds", "1", "--out", "why")
    plan = json.loads(cli(*asked, "--plan", "--json").out)["runs"]
    assert len(plan) == 9, "eight corners and shuffled; random is the corner with all switches on"
    assert not (tmp_path / "why").exists()
    done = cli(*asked)
    assert done.code == 0, done.err
    assert "9 runs: none on record, 9 to run." in done.out
    assert "[1/9] its own images, soft labels, new views: ok" in done.out
    assert "split evenly between them" in " ".join(done.out.split())
    assert sorted(file.name for file in (tmp_path / "why").iterdir()) == ["answer.json", "report.html", "study.toml"]
    kept = (tmp_path / "why" / "answer.json").read_bytes()

    again = cli(*asked, "--json")
    assert "0 to run" in again.err
    answer = json.loads(again.out)
    # What is kept has a seal as well.
    sealed = json.loads(kept)
    assert sealed.pop("seal")
    assert answer == sealed
    assert (tmp_path / "why" / "answer.json").read_bytes() == kept
    assert answer["chance"] == pytest.approx(0.1)
    corners = {(one["images"], one["labels"], one["views"]): one["values"] for one in answer["corners"]}
    assert len(corners) == 8
    total = corners["own", "soft", "new"]["0"] - corners["noise", "hard", "fixed"]["0"]
    assert answer["total"]["mean"] == pytest.approx(total)
    assert sum(share["mean"] for share in answer["shares"].values()) == pytest.approx(answer["total"]["mean"])
    assert answer["beside"]["random"]["values"] == corners["own", "soft", "new"]
    listed = cli("plot", "--list", "--answers", ".").out
    assert "explain-random-what-each-switch-adds" in listed
    assert "explain-random-the-eight-corners" in listed
    swept = json.loads(cli("sweep", "why/study.toml", "--plan", "--json").out)["runs"]
    assert {run["key"] for run in swept} == {run["key"] for run in plan}
    assert not any(run["to_run"] for run in swept)


def test_compare_adds_what_is_missing_and_power_is_planned_from_it(
    cli: Callable[..., Any], short: Callable[[str], str]
) -> None:
    words = ["--ipc", "2", "--seeds", "2", "--out", "versus"]
    asked = ("compare", "noise", "pca:grid=1", "-p", short("digits-hard"), *words)
    done = cli(*asked)
    assert done.code == 0, done.err
    assert "8 runs: none on record, 8 to run." in done.out
    assert "[1/8] random: ok" in done.out
    assert "full (equal steps)" in done.out
    assert "The 2 intervals hold together at 95 %" in done.out
    answer = json.loads(cli(*asked, "--json").out)
    rows = {one["method"]: one for one in answer["contenders"]}
    assert {name: one["role"] for name, one in rows.items()} == {
        "noise": "method",
        "pca:grid=1": "method",
        "random": "random",
        "full": "full",
    }
    pairs = [rows["noise"]["values"][seed] - rows["random"]["values"][seed] for seed in ("0", "1")]
    found, error = rows["noise"]["difference"], scipy.stats.sem(pairs)
    assert found["mean"] == pytest.approx(statistics.mean(pairs))
    assert found["half_width"] == pytest.approx(scipy.stats.t.ppf(0.975, 1) * error)
    assert found["simultaneous"] == pytest.approx(scipy.stats.t.ppf(1 - 0.025 / 2, 1) * error)
    (line,) = [line for line in answer["says"] if line.startswith("noise: ")]
    assert line.endswith("n = 2") or "not told apart" in line

    # Five points, spelled in each way; the study asks for a method without a record too.
    Path("more.toml").write_text(Path("versus/study.toml").read_text().replace('"noise"', '"noise", "shuffled"'))
    plans = [
        json.loads(cli("sweep", "more.toml", "--plan", "--detect", text, "--json").out)["detect"]
        for text in ("5", "0.05", "5pt", "5%")
    ]
    assert all(plan == plans[0] for plan in plans)
    needs = {need["method"]: need for need in plans[0]["needs"]}
    bound = statistics.stdev(pairs) * (1 / scipy.stats.chi2.ppf(0.2, 1)) ** 0.5
    assert needs["noise + hard"]["bound"] == pytest.approx(bound)
    wanted = TTestPower().solve_power(effect_size=0.05 / bound, power=0.8, alpha=0.05 / 3)
    assert needs["noise + hard"]["sets"] == pytest.approx(max(5, wanted), abs=1)
    assert {need["claims"] for need in needs.values()} == {3}
    assert needs["noise + hard"]["pairs"] == needs["noise + hard"]["planned"] == 2
    assert sorted(needs["shuffled + hard"]["pooled"]) == ["noise", "pca:grid=1"]
    assert needs["shuffled + hard"]["pairs"] == 4
    printed = cli("sweep", "more.toml", "--plan", "--detect", "5").out
    assert "a difference of 5 points to random" in printed
    assert "4 pairs of" in printed
    refused = cli("sweep", "more.toml", "--detect", "5")
    assert refused.code == 2
    assert "add --plan" in refused.err


@pytest.mark.parametrize("text", ["0", "100", "-1", "many", ""])
def test_a_difference_that_nobody_can_plan_for_is_refused(cli: Callable[..., Any], text: str) -> None:
    done = cli("sweep", "digits-small", "--plan", f"--detect={text}")
    assert done.code == 2
    assert f"--detect {text}: " in done.err


def test_without_a_record_the_need_is_not_told(cli: Callable[..., Any]) -> None:
    done = cli("sweep", "digits-small", "--plan", "--detect", "1.0")
    assert done.code == 0, done.err
    assert "a difference of 1 point to random" in done.out
    assert "no method there has two unequal pairs on record: el2n:direction=easy + hard, ipc 1; pca" in " ".join(
        done.out.split()
    )
