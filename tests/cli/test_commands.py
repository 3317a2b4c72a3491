"""Every command does what it says, and `--json` prints JSON and nothing else."""

from __future__ import annotations

import errno
import json
import re
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from rethinkdc.cli import main

CONSOLE = str(Path(sys.executable).with_name("rethinkdc"))


def _console(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CONSOLE, *words], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("run", "--help"), ("show", "-h"), ("sweep", "-h")])
def test_help_and_version_import_neither_torch_nor_datasets(words: tuple[str, ...]) -> None:
    script = (
        "import sys; from rethinkdc.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'datasets', 'numpy', 'pandas', 'sklearn', 'pyarrow', 'timm'} & set(sys.modules)\n"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_installed_command_tells_its_version(tmp_path: Path) -> None:
    from importlib.metadata import version

    done = _console(tmp_path, "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"rethinkdc {version('rethinkdc')}")


def test_without_a_command_the_help_is_printed(tmp_path: Path) -> None:
    done = _console(tmp_path)
    shown = ("run", "compress", "evaluate", "score", "sweep", "leaderboard", "list-plugins", "list-protocols", "show")
    for command in shown:
        assert command in done.stdout + done.stderr


def test_the_installed_command_ends_with_2_and_no_trace_on_a_wrong_request(tmp_path: Path) -> None:
    done = _console(tmp_path, "show", "nothing-of-the-kind")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_trace(tmp_path: Path) -> None:
    done = _console(tmp_path, "--debug", "show", "nothing-of-the-kind")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P" if sys.version_info >= (3, 11) else "-I", "-m", "rethinkdc", "--version"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rethinkdc ")


def test_run_prints_a_table_and_where_the_record_is(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli("run", "-d", "digits", "--compressor", "pca", "--labeler", "hard")
    assert done.code == 0, done.err
    for word in ("pca + hard", "top-1", "top-5", "proxy", "training", "PNG", "label bytes", "record: "):
        assert word in done.out
    record = Path(done.out.split("record: ")[1].splitlines()[0])
    assert json.loads((tmp_path / record).read_text())["status"] == "ok"


def test_an_existing_record_is_found_and_said(cli: Callable[..., Any], tmp_path: Path) -> None:
    first, second = cli("run", "-d", "digits", "-c", "random"), cli("run", "-d", "digits", "-c", "random")
    assert (first.code, second.code) == (0, 0)
    assert "existing record" not in first.out
    assert "existing record" in second.out
    assert len(list((tmp_path / "records").rglob("*.json"))) == 1


def test_force_adds_an_attempt_with_the_same_result(cli: Callable[..., Any], tmp_path: Path) -> None:
    cli("run", "-d", "digits", "-c", "random")
    again = cli("run", "-d", "digits", "-c", "random", "--force", "--json")
    assert json.loads(again.out)[0]["attempt"] == 2
    files = sorted((tmp_path / "records").rglob("*.json"))
    assert [file.name for file in files] == ["0001.json", "0002.json"]
    first, second = (json.loads(file.read_text()) for file in files)
    assert first["result_digest"] == second["result_digest"]


def test_json_of_run_is_the_record_and_nothing_else(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli("run", "-d", "digits", "-c", "random", "--json")
    (printed,) = json.loads(done.out)
    (file,) = (tmp_path / "records").rglob("*.json")
    assert printed == json.loads(file.read_text())


def test_several_seeds_make_a_record_each_and_a_mean(cli: Callable[..., Any]) -> None:
    done = cli("run", "-d", "digits", "-c", "random", "--seeds", "0,1,2")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["seed", "0"], ["seed", "1"], ["seed", "2"]]
    assert len(lines) == 4, "a line each, and what they say together"
    # Of shared parts a run costs what their making took, whenever that was: it is not what the run took now.
    assert all(re.search(r"  cost [0-9.]+ s \([0-9.]+ s now\)  record ", line) for line in lines[:3])
    again = cli("run", "-d", "digits", "-c", "random", "--seeds", "0,1,2").out.splitlines()
    assert all(re.search(r"  cost [0-9.]+ s  existing record ", line) for line in again[:3])
    records = json.loads(cli("run", "-d", "digits", "-c", "random", "--seeds", "0,1,2", "--json").out)
    assert [set(record["definition"]["seeds"].values()) for record in records] == [{0}, {1}, {2}]
    assert len({record["result_digest"] for record in records}) == 3
    values = [record["evaluation"]["metrics"]["top1"] for record in records]
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    assert f"top-1 {mean:.2%} ± {deviation:.2%}, top-5 " in lines[3]
    assert lines[3].endswith("(mean, standard deviation)")
    for line, value in zip(lines, values, strict=False):
        assert f"{value:.2%}" in line


def test_several_seeds_are_compared_with_random_by_pairs_or_the_command_that_makes_it_is_told(
    cli: Callable[..., Any],
) -> None:
    short = ("-d", "digits", "--ipc", "2", "--set", "training.steps=8")
    alone = cli("run", "-c", "noise", "--seeds", "0,1,2", *short)
    (hint,) = [line for line in alone.out.splitlines() if line.startswith("No random is on record under")]
    told = shlex.split(hint.split("This makes it: ")[1])
    assert told[0] == "rethinkdc"
    assert cli(*told[1:]).code == 0
    beside = cli("run", "-c", "noise", "--seeds", "0,1,2,3", *short)
    ours = json.loads(cli("run", "-c", "noise", "--seeds", "0,1,2", *short, "--json").out)
    random = json.loads(cli(*told[1:], "--json").out)
    values = [[one["evaluation"]["metrics"]["top1"] for one in records] for records in (ours, random)]
    differences = [100 * (mine - other) for mine, other in zip(*values, strict=True)]
    interval = scipy.stats.t.interval(0.95, 2, statistics.mean(differences), scipy.stats.sem(differences))
    assert f"{interval[0]:+.2f} to {interval[1]:+.2f} points against random" in beside.out
    assert "n = 3 sets" in beside.out
    assert f"{differences[1]:+.2f} to random" in beside.out.splitlines()[1]
    assert "to random" not in beside.out.splitlines()[3]
    assert "No random is on record beside 1 of the seeds" in beside.out
    assert "--seeds 3" in beside.out


def test_seeds_of_one_axis_keep_the_set(cli: Callable[..., Any]) -> None:
    done = cli("run", "-d", "digits", "-c", "random", "--seeds", "student=0,1", "--seed", "5", "--json")
    first, second = json.loads(done.out)
    assert first["definition"]["seeds"] == {"set": 5, "proxy": 5, "teacher": 5, "labels": 5, "student": 0}
    assert second["definition"]["seeds"] == {"set": 5, "proxy": 5, "teacher": 5, "labels": 5, "student": 1}
    assert first["cost"]["image_bytes"] == second["cost"]["image_bytes"]
    assert first["result_digest"] != second["result_digest"]


def test_the_difference_to_random_is_printed_only_under_the_same_conditions(cli: Callable[..., Any]) -> None:
    alone = cli("run", "-d", "digits", "-c", "pca")
    assert "random under the same conditions" not in alone.out
    random = json.loads(cli("run", "-d", "digits", "-c", "random", "--json").out)[0]
    beside = cli("run", "-d", "digits", "-c", "pca")
    pca = json.loads(cli("run", "-d", "digits", "-c", "pca", "--json").out)[0]
    points = 100 * (pca["evaluation"]["metrics"]["top1"] - random["evaluation"]["metrics"]["top1"])
    assert f"{abs(points):.2f} points {'better' if points >= 0 else 'worse'} than random" in beside.out
    other_seed = cli("run", "-d", "digits", "-c", "pca", "--seed", "1")
    assert "random under the same conditions" not in other_seed.out


def test_an_override_marks_the_record_modified(cli: Callable[..., Any]) -> None:
    done = cli("run", "-d", "digits", "-c", "random", "--set", "training.batch=5", "--set", "training.steps=6")
    assert "modified protocol" in done.out
    record = json.loads(
        cli(
            "run", "-d", "digits", "-c", "random", "--set", "training.batch=5", "--set", "training.steps=6", "--json"
        ).out
    )[0]
    assert (record["modified"], record["evaluation"]["steps"]) == (True, 6)


def test_tune_never_shows_the_test_images(cli: Callable[..., Any]) -> None:
    record = json.loads(cli("run", "-d", "digits", "-c", "random", "--tune", "--json").out)[0]
    assert record["tune"] is True
    assert "tuning split" in cli("run", "-d", "digits", "-c", "random", "--tune").out


def test_a_student_of_a_library_takes_the_protocols_place(cli: Callable[..., Any]) -> None:
    given = (
        "run",
        "-d",
        "digits",
        "-c",
        "random",
        "--student",
        "convnet:depth=1,width=8",
        "--set",
        "training.steps=5",
        "--json",
    )
    record = json.loads(cli(*given).out)[0]
    assert record["names"]["student"] == "convnet:depth=1,width=8"


def test_compress_then_evaluate_gives_the_result_of_run(cli: Callable[..., Any], tmp_path: Path) -> None:
    made = cli("compress", "-d", "digits", "-c", "pca", "--out", "written")
    assert made.code == 0, made.err
    assert "rethinkdc evaluate written" in made.out
    evaluated = cli("evaluate", "written", "--json")
    assert evaluated.code == 0, evaluated.err
    run = json.loads(cli("run", "-d", "digits", "-c", "pca", "--json").out)[0]
    assert json.loads(evaluated.out)[0]["result_digest"] == run["result_digest"]
    again = cli("evaluate", "written")
    assert "existing record" in again.out


def test_json_of_compress_is_one_object(cli: Callable[..., Any]) -> None:
    about = json.loads(cli("compress", "-d", "digits", "-c", "random", "--out", "written", "--json").out)
    assert (about["folder"], about["images"], about["card"]["method"]) == ("written", 10, "random")


def test_score_writes_a_number_for_every_training_row(cli: Callable[..., Any], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    done = cli("score", "-d", "digits", "--score", "el2n:observe=clean", "--out", "scores")
    assert done.code == 0, done.err
    about = json.loads((tmp_path / "scores.json").read_text())
    scores = load_file(tmp_path / "scores.safetensors")["scores"]
    assert len(scores) == about["rows"] > 1400
    assert about["score"] == "el2n:observe=clean"
    assert json.loads(cli("score", "-d", "digits", "-s", "el2n:observe=clean", "-o", "scores", "--json").out)[
        "rows"
    ] == len(scores)


@pytest.mark.parametrize("name", ["pca", "random", "el2n", "hard", "standard", "digits", "resnet-light", "digits-hard"])
def test_show_prints_one_thing_as_text_and_as_json(cli: Callable[..., Any], name: str) -> None:
    text = cli("show", name)
    assert text.code == 0, text.err
    assert name in text.out
    shown = json.loads(cli("show", name, "--json").out)
    assert {item.get("name") or item.get("id") for item in shown} == {name}


def test_show_names_every_kind_that_has_the_name(cli: Callable[..., Any]) -> None:
    shown = json.loads(cli("show", "random", "--json").out)
    assert {item["kind"] for item in shown} == {"compressor", "score"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("pca:grid=3", [("compressor", "pca", "grid", 3)]),
        ("el2n:observe=clean", [("score", "el2n", "observe", "clean")]),
        ("el2n:direction=easy", [("compressor", "select", "direction", "easy")]),
        ("soft-mse-gt:weight=0.15", [("labeler", "soft-mse-gt", "weight", 0.15)]),
    ],
)
def test_show_takes_a_reference_and_shows_what_it_gives(
    cli: Callable[..., Any], name: str, shown: list[tuple[str, str, str, object]]
) -> None:
    told = json.loads(cli("show", name, "--json").out)
    assert [
        (one["kind"], one["name"], key, one["values"][key]) for one, (*_, key, _) in zip(told, shown, strict=True)
    ] == shown
    text = cli("show", name)
    assert (text.code, "given" in text.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pca:gird=3",), "pca has no parameter 'gird'"),
        (("pcaa:grid=3",), "Nothing is named 'pcaa:grid=3'. Did you mean 'pca'"),
        (("soft-mse-gt:wieght=1", "--dataset", "cifar100"), "soft-mse-gt has no parameter 'wieght'"),
        (("nothing-such", "--dataset", "cifar100"), "Unknown compressor 'nothing-such'"),
    ],
)
def test_show_says_what_of_a_reference_is_wrong(cli: Callable[..., Any], words: tuple[str, ...], said: str) -> None:
    done = cli("show", *words)
    assert (done.code, said in done.err) == (2, True), done.err


def test_show_tells_what_a_method_would_use_on_a_dataset_and_why(cli: Callable[..., Any]) -> None:
    text = cli("show", "sre2l", "--dataset", "tiny-imagenet")
    assert text.code == 0, text.err
    assert "recover_tiny.sh" in text.out
    shown = json.loads(cli("show", "sre2l:lr=0.5", "--dataset", "imagenet-1k", "--json").out)
    assert (shown["protocol"], shown["ipc"]) == ("imagenet1k-soft", 10)
    at_fifty = json.loads(cli("show", "sre2l", "--dataset", "imagenet-1k", "--ipc", "50", "--json").out)
    assert at_fifty["ipc"] == 50
    assert "Add --dataset" in cli("show", "sre2l", "--ipc", "50").err
    assert shown["settings"]["lr"] == {"value": 0.5, "source": "given"}
    assert shown["settings"]["iterations"]["value"] == 4000
    assert shown["settings"]["roll"]["value"] == [0, 32]
    assert "8 px" in json.loads(cli("show", "cda", "-d", "digits", "--json").out)["settings"]["lr"]["source"]
    text = cli("show", "gvbsm", "--dataset", "cifar10").out
    assert "recover.sh for CIFAR-10" in " ".join(text.split())
    several = cli("show", "edc:teachers=[trained,trained:model=convnet]", "--dataset", "cifar10", "--json").out
    assert json.loads(several)["settings"]["teachers"]["value"] == ["trained", "trained:model=convnet"]
    plain = json.loads(cli("show", "pca:grid=3", "--dataset", "digits", "--json").out)
    assert plain["settings"]["grid"] == {"value": 3, "source": "given"}
    assert {one["source"] for key, one in plain["settings"].items() if key != "grid"} == {"default"}
    whole = cli("show", "full", "--dataset", "digits", "--ipc", "5")
    assert (whole.code, "leave --ipc out" in whole.err) == (2, True)


def test_list_plugins_names_every_method_and_none_is_broken(cli: Callable[..., Any]) -> None:
    rows = json.loads(cli("list-plugins", "--json").out)
    named = {(row["kind"], row["name"]) for row in rows}
    assert {("compressor", "pca"), ("score", "el2n"), ("labeler", "hard"), ("dataset", "digits")} <= named
    assert {row["status"] for row in rows} == {"ok"}
    assert all(row["distribution"] == "rethinkdc" for row in rows)
    text = cli("list-plugins")
    assert text.code == 0
    assert "pca" in text.out


def test_list_studies_names_every_study_with_its_title(cli: Callable[..., Any]) -> None:
    listed = {study["name"]: study["title"] for study in json.loads(cli("list-studies", "--json").out)}
    assert {"digits-small", "small/hard"} <= set(listed)
    assert all(listed.values())
    text = cli("list-studies").out
    assert all(name in text for name in listed)


def test_list_protocols_names_every_protocol_with_its_digest(cli: Callable[..., Any]) -> None:
    listed = json.loads(cli("list-protocols", "--json").out)
    found = {item["id"]: item["digest"] for item in listed}
    assert {"digits-hard", "cifar10-small-hard"} <= set(found)
    text = cli("list-protocols")
    assert "digits-hard" in text.out
    assert json.loads(cli("show", "digits-hard", "--json").out)[0]["digest"] == found["digits-hard"]


def test_a_tracker_hears_the_run(cli: Callable[..., Any], install: Callable[..., None], tmp_path: Path) -> None:
    source = f"""
from pathlib import Path
from rethinkdc.contracts import hookimpl
LOG = Path({str(tmp_path / "heard.txt")!r})

def _heard(word):
    with LOG.open("a") as file:
        file.write(word + "\\n")

@hookimpl
def run_started(definition):
    _heard("started " + definition["compressor"]["name"])

@hookimpl
def epoch_ended(epoch, loss):
    if epoch == 0:
        _heard("first epoch")

@hookimpl
def run_finished(record):
    _heard("finished " + record["status"])
"""
    install("some-tracker", {"listening": source})
    done = cli("run", "-d", "digits", "-c", "random", "--set", "training.steps=5", "--tracker", "listening")
    assert done.code == 0, done.err
    assert (tmp_path / "heard.txt").read_text().split("\n")[:3] == ["started random", "first epoch", "finished ok"]


def test_brackets_are_printed_as_they_are(cli: Callable[..., Any]) -> None:
    done = cli(
        "run", "-d", "digits", "-c", "combine:select=[el2n:epochs=1,direction=easy],grid=2", "--set", "training.steps=5"
    )
    assert done.code == 0, done.err
    assert "combine:select=[el2n:epochs=1,direction=easy]" in done.out.replace("\n", "")


def test_scores_keep_the_whole_name_that_was_asked_for(cli: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("a-0.5", "a-0.7.safetensors"):
        assert cli("score", "-d", "digits", "--score", "random", "--out", name).code == 0
    assert sorted(path.name for path in tmp_path.glob("a-*")) == [
        "a-0.5.json",
        "a-0.5.safetensors",
        "a-0.7.json",
        "a-0.7.safetensors",
    ]


def test_a_teachers_architecture_is_printed_with_its_brackets(cli: Any) -> None:
    teacher = "trained:recipe=weak,model=[convnet:depth=1,width=4]"
    done = cli("run", "-d", "digits", "--compressor", "random", "--labeler", f"soft:teachers=[{teacher}]")
    assert done.code == 0, done.err
    assert teacher in re.sub(r"[\s│]", "", done.out.partition("teacher  ")[2])


def test_a_result_that_cannot_be_right_says_so(cli: Callable[..., Any], tmp_path: Path) -> None:
    words = ("run", "-d", "digits", "-c", "random", "--set", "training.steps=30", "--set", "training.optimizer.lr=1e-9")
    printed = cli(*words).out
    assert "Doubtful: The training loss never fell" in printed
    assert "cannot be told from chance" in printed
    (file,) = (tmp_path / "records").rglob("*.json")
    assert len(json.loads(file.read_text())["notes"]["doubts"]) == 2


def test_show_prints_a_record_as_its_run_was_printed(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("3\n17\n40\n")
    ran = cli("run", "-d", "digits", "-c", f"rows:path={tmp_path / 'rows.txt'}", "--set", "training.steps=2").out
    path = Path(re.findall(r"record: (\S+\.json)", ran)[0])
    for name, more in ((str(path), ()), (path.parent.name, ("--records", str(path.parent.parent)))):
        shown = cli("show", name, *more).out
        assert "order: not verified" in shown
        # What it took then is not what it takes to show it, and makes the column wider.
        then = re.sub(r" \([0-9.]+ s now\)", "", ran)
        told, said = (re.sub("[│┌└─┬┴┐┘]", "", text).split() for text in (shown, then))
        assert " ".join(told).replace("existing record", "record") == " ".join(said)
        assert json.loads(cli("show", name, *more, "--json").out)["key"] == path.parent.name


def test_a_share_may_be_given_in_percent(cli: Callable[..., Any]) -> None:
    short = ("run", "-d", "digits", "-c", "random", "--set", "training.steps=2", "--json")
    first, second = (json.loads(cli(*short, "--keep", share).out)[0]["key"] for share in ("10%", "0.1"))
    assert first == second
    assert "such as 0.3 or 30%" in cli(*short, "--keep", "0,3").err


def test_what_a_user_may_not_see_ends_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where nobody has thought of it."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/data/theirs/\x1b[2J.bin")

    monkeypatch.setattr(main, "app", refuse)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "Error: /data/theirs/⟨001B⟩[2J.bin: Permission denied. Ask its owner, or name another place.\n"
    )


def test_show_sets_what_the_authors_ran_beside_what_a_run_would_have(cli: Callable[..., Any]) -> None:
    shown = json.loads(cli("show", "edc:lr=0.1", "--dataset", "tiny-imagenet", "--json").out)
    assert (shown["settings"]["lr"]["value"], shown["authors"]["lr"]["value"]) == (0.1, 0.05)
    assert shown["authors"]["teachers"]["value"][:2] == ["trained:model=resnet18-3x3", "trained:model=convnet"]
    apart = shown["deviations"]
    # Four processes share a batch of 100; two whole classes of ten are what 25 images hold.
    assert (apart["images of a step"]["authors"], apart["images of a step"]["here"]) == ("25", "20")
    assert {"pixels", "moving averages", "patches of a class", "precision"} <= set(apart)
    kept = json.loads(cli("show", "edc:as_published=true", "--dataset", "tiny-imagenet", "--json").out)["deviations"]
    assert set(apart) - set(kept) == {"pixels", "moving averages", "patches of a class"}
    labels = json.loads(cli("show", "soft-mse-gt", "--dataset", "cifar100", "--json").out)
    assert labels["settings"]["weight"]["value"] == labels["authors"]["weight"]["value"] == 0.15
    assert len(labels["authors"]["teachers"]["value"]) == 5
    text = " ".join(cli("show", "sre2l", "--dataset", "digits").out.split())
    assert "same elsewhere" in text
    assert "differs from what the authors ran" in text
    assert cli("show", "none-such", "--dataset", "digits").code == 2
