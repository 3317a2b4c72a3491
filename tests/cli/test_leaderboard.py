"""`rethinkdc leaderboard`: four forms of the same numbers."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.studies.study import Study

SHORT = {"training.steps": 5, "reference.epochs": 1, "proxy.training.epochs": 1, "proxy.scores.el2n.epochs": 1}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """Those of a small modified study, of one run that is not modified, and of two that cannot be run."""
    folder = tmp_path_factory.mktemp("boards") / "records"
    machine: dict[str, Any] = {"records": folder, "cache_dir": shared_cache, "device": "cpu"}
    rdc.sweep(
        Study(dataset="digits", compressors=("random", "pca", "full"), seeds=(0, 1, 2, 3, 4), overrides=SHORT),
        **machine,
    )
    rdc.run("random", dataset="digits", **machine)
    rdc.sweep(Study(dataset="digits", compressors=("random",), seeds=(0, 1), ipc=(1000,)), **machine)
    return folder


@pytest.fixture
def swept(cli: Callable[..., Any], records: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command line beside these records."""
    monkeypatch.setenv("RETHINKDC_RECORDS", str(records))
    return cli


def test_the_four_forms_hold_the_same_numbers(swept: Callable[..., Any]) -> None:
    plain, modified = json.loads(swept("leaderboard", "--ipc", "1", "--format", "json").out)
    assert (plain["modified"], modified["modified"]) == (False, True)
    assert plain["protocol_digest"] != modified["protocol_digest"]
    assert json.loads(swept("leaderboard", "--ipc", "1", "--json").out) == [plain, modified]
    ranked = modified["rows"][:2]
    assert {row["compressor"] for row in ranked} == {"random", "pca"}
    assert [row["rank"] for row in modified["rows"]] == [1, 2, None]

    lines = list(csv.DictReader(io.StringIO(swept("leaderboard", "--ipc", "1", "-f", "csv").out)))
    assert len(lines) == 4
    assert {line["protocol_digest"] for line in lines} == {plain["protocol_digest"], modified["protocol_digest"]}
    for row, line in zip([*plain["rows"], *modified["rows"]], lines, strict=True):
        assert float(line["mean"]) == row["result"]["mean"]
        assert line["difference"] == ("" if row["difference"] is None else str(row["difference"]["mean"]))

    pca = next(row for row in ranked if row["compressor"] == "pca")
    for form in ("rich", "md"):
        printed = swept("leaderboard", "--ipc", "1", "--format", form).out
        line = next(line for line in printed.splitlines() if re.search(r"\bpca\b", line))
        for number in (pca["result"]["mean"], pca["result"]["deviation"]):
            assert f" {100 * number:.2f} " in line
        assert f" {100 * pca['difference']['mean']:+.2f} " in line
        assert f" {100 * pca['difference']['half_width']:.2f} " in line
        assert modified["protocol_digest"][:12] + ", modified" in printed
        assert modified["dataset_fingerprint"][:12] in printed
        assert "n below 5 supports no claim" in printed
        assert "n counts students of one set: full" in printed


def test_markdown_is_a_table_of_equal_rows(swept: Callable[..., Any]) -> None:
    table = [line for line in swept("leaderboard", "--ipc", "1", "-f", "md").out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 1 + 2 + 3
    assert len({line.count("|") for line in table[3:]}) == 1


def test_what_has_no_result_is_shown_with_its_reason(swept: Callable[..., Any]) -> None:
    printed = swept("leaderboard", "--ipc", "1000").out
    assert "random, seed 0; 1: unsupported: random at ipc 1000 needs 1,000" in printed
    (board,) = json.loads(swept("leaderboard", "--ipc", "1000", "--json").out)
    assert [(row["rank"], row["result"]) for row in board["rows"]] == [(None, None)]


def test_boards_of_a_protocol_and_a_metric_are_chosen(swept: Callable[..., Any]) -> None:
    words = ("leaderboard", "--ipc", "1", "--metric", "loss")
    plain, modified = json.loads(swept(*words, "--json", "--protocol", "digits-hard").out)
    assert (plain["metric"], plain["better"]) == ("loss", "lower")
    means = [row["result"]["mean"] for row in modified["rows"] if row["rank"]]
    assert means == sorted(means)
    (chosen,) = json.loads(swept(*words, "--json", "--protocol", plain["protocol_digest"][:12]).out)
    assert chosen == plain
    # A loss is no percentage.
    assert f" {means[0]:.4f} " in swept(*words, "--format", "md").out


def test_no_record_names_the_next_command(cli: Callable[..., Any]) -> None:
    done = cli("leaderboard", "--records", "nowhere")
    assert (done.code, done.out) == (2, "")
    assert "nowhere" in done.err
    assert "rethinkdc run" in done.err


def test_a_damaged_record_is_warned_of(swept: Callable[..., Any], records: Path, tmp_path: Path) -> None:
    shutil.copytree(records, tmp_path / "copy")
    sorted((tmp_path / "copy").rglob("*.json"))[0].write_text("{")
    done = swept("leaderboard", "--records", "copy")
    assert done.code == 0
    assert "0001.json is not a readable record" in done.out


def test_a_board_fits_80_columns_and_tells_of_what_it_leaves_out(swept: Callable[..., Any]) -> None:
    narrow, wide = (swept("leaderboard", *more).out for more in ((), ("--wide",)))
    lines = [line for line in narrow.splitlines() if not line.startswith("  rethinkdc ")]
    # A command stays on one line, to be copied.
    assert max(map(len, lines)) <= 80
    left = next(line for line in narrow.splitlines() if line.startswith("More columns with --wide: "))
    assert "recipe" in narrow[narrow.index(left) :].split(".")[0].replace("\n", " ")
    assert "More columns" not in wide
    assert max(map(len, wide.splitlines())) > 80


def test_a_study_brings_what_it_has_as_reported(swept: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "values.toml").write_text(
        'dataset = "digits"\nprotocol = "digits-hard"\nlabeler = "hard"\nsource = "A paper, Table 1"\n'
        'values = [{ compressor = "random", ipc = 1, value = 0.7 }, { compressor = "pca", ipc = 1, value = 0.8 },\n'
        '  { compressor = "pca", ipc = 50, value = 0.9 }]\n'
    )
    study = tmp_path / "table.toml"
    study.write_text('dataset = "digits"\ncompressors = ["random", "pca"]\nreported = "values.toml"\n')
    done = swept("leaderboard", "--study", str(study), "--json")
    (board,) = json.loads(done.out)
    assert [(row["compressor"], row["published"][0]["value"]) for row in board["rows"]] == [("random", 0.7)]
    assert [(one["compressor"], one["published"]["value"]) for one in board["unmeasured"]] == [("pca", 0.8)]
    assert "1 reported value belongs on no board here: digits-hard on digits, ipc 50." in done.err
    study.write_text('dataset = "digits"\ncompressors = ["noise"]\n')
    refused = swept("leaderboard", "--study", str(study))
    assert refused.code == 2
    assert "None of the 1 runs" in refused.err
    assert f"rethinkdc sweep {study}" in refused.err
