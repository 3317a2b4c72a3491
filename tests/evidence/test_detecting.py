"""How many sets a study needs: of how many claims, from whose deviation, and of what n counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.cli.evidence_tables import print_detection
from rethinkdc.errors import RequestError
from rethinkdc.evidence import detecting
from rethinkdc.evidence.calls import CompareCall
from rethinkdc.evidence.comparing import ask_comparison
from rethinkdc.evidence.detecting import Need, plan_detection, read_points
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.records import Records
from rethinkdc.runs.resolving import Run
from rethinkdc.statistics import compare_pairs, pairs_needed, pool_deviations

SHORT = {"training.steps": 2}


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu", "dataset": "digits"}


def runs_of(place: dict[str, Any], *methods: str, **more: Any) -> list[Run]:
    call = CompareCall(list(methods), ipc=1, seeds=2, out=Path(place["records"]), **more, **place)
    return ask_comparison(call, make_runner(call, call)).runs


def needs_of(runs: list[Run], place: dict[str, Any], difference: float = 0.01) -> dict[str, Need]:
    return {need.method: need for need in plan_detection(runs, Records(place["records"]), difference).needs}


def test_only_a_tuning_split_on_record_tells_nothing(place: dict[str, Any]) -> None:
    rdc.run("random", "hard", ipc=1, tune=True, overrides=SHORT, **place)
    assert needs_of(runs_of(place, "noise"), place)["noise + hard"].sets is None


def test_own_pairs_of_several_boards_are_pooled_equal_ones_do_not_count_and_claims_share_five_percent(
    place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random", "noise"):
        rdc.run(name, "hard", ipc=1, seed=0, **place)
    runs = runs_of(place, "noise", "shuffled")
    (board,) = rdc.leaderboard(place["records"])
    (row,) = [row for row in board.rows if row.compressor == "noise"]
    wide, narrow, equal = (compare_pairs(pairs) for pairs in ([0.01, 0.05], [0.02, 0.03, 0.01], [0.02, 0.02]))

    def told(*differences: Any) -> Need:
        boards = [replace(board, rows=(replace(row, difference=one),)) for one in differences]
        monkeypatch.setattr(detecting, "_boards", lambda _: boards)
        return needs_of(runs, place)["noise + hard"]

    both = told(wide, narrow)
    pooled = pool_deviations([wide, narrow])
    assert pooled is not None
    assert (both.deviation, both.pooled, both.pairs, both.claims) == (pooled, (), 5, 2)
    assert both.sets == max(5, pairs_needed(0.01, pooled.bound, 2))
    assert both.sets > pairs_needed(0.01, pooled.bound)
    assert told(equal).deviation is None
    tight = told(compare_pairs([0.02, 0.0201, 0.0199]))
    assert tight.sets == 5, "fewer are not ranked"


def test_students_count_for_a_finished_set_and_rows_tell_what_varies(
    place: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rdc.compress(
        "random",
        tmp_path / "set",
        ipc=1,
        protocol="digits-hard",
        cache_dir=place["cache_dir"],
        device="cpu",
        dataset="digits",
    )
    runs = runs_of(place, str(tmp_path / "set"), "noise", students=("convnet", "convnet:depth=1"))
    found = plan_detection(runs, Records(place["records"]), 0.01)
    counted = {(need.method == "noise + hard", need.counted, need.planned) for need in found.needs}
    assert counted == {(True, "sets", 2), (False, "students", 2)}
    assert len(found.needs) == 4
    print_detection(found)
    assert "noise + hard, convnet:depth=1, ipc 1" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "fraction"), [("1.0", 0.01), ("0.01", 0.01), ("0.5pt", 0.005), ("5", 0.05), ("1%", 0.01)]
)
def test_a_difference_is_read_in_points_or_as_a_fraction(text: str, fraction: float) -> None:
    assert read_points(text) == pytest.approx(fraction)


@pytest.mark.parametrize("text", ["0.5", "0.1", "0.99"])
def test_a_number_that_could_be_both_needs_a_unit(text: str) -> None:
    with pytest.raises(RequestError, match=f"Write {text}pt or"):
        read_points(text)
