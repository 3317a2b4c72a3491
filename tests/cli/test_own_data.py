"""Data of a user's own: it runs at once, under a derived protocol or one that is written for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run

SHORT = ("--set", "training.steps=5", "--set", "proxy.training.epochs=1", "--set", "proxy.scores.el2n.epochs=1")


@pytest.fixture
def folder(image_tree: Callable[..., Path]) -> Path:
    return image_tree({"a": 8, "b": 4, "c": 12}, {"a": 2, "b": 2, "c": 2})


@pytest.mark.parametrize("words", [("-c", "random"), ("-c", "pca"), ("-c", "random", "-l", "soft")])
def test_a_folder_runs_at_once(cli: Callable[..., Any], folder: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    more = ("--set", "teacher.recipes.standard.training.epochs=1") if "soft" in words else ()
    done = cli("run", *words, "-d", str(folder), *SHORT, *more)
    assert done.code == 0, done.err
    name = "auto-soft" if "soft" in words else "auto-hard"
    assert f"The protocol {name} was derived from the data: 8 px" in done.out
    (file,) = [path for path in (tmp_path / "records").rglob("*.json") if path.stem == "0001"]
    assert json.loads(file.read_text())["notes"]["derived_protocol"]["data"] == {"classes": 3, "train": 24, "test": 6}


def test_a_folder_without_a_test_split_says_so(
    cli: Callable[..., Any], image_tree: Callable[..., Path], tmp_path: Path
) -> None:
    folder = image_tree({"a": 10, "b": 10}, {})
    done = cli("run", "-c", "random", "-d", str(folder), *SHORT)
    assert done.code == 0, done.err
    assert "There is no test split: of each class one in 5" in done.err
    (file,) = (tmp_path / "records").rglob("0001.json")
    assert "no test split" in file.read_text()


def test_a_new_protocol_reads_back_and_runs(cli: Callable[..., Any], folder: Path) -> None:
    made = json.loads(cli("new-protocol", "mine", "--dataset", str(folder), "--out", "mine.toml", "--json").out)
    (listed,) = json.loads(cli("list-protocols", "mine.toml", "--json").out)
    assert (listed["id"], listed["digest"]) == ("mine", made["digest"])
    assert "student.model" in cli("show", "mine.toml").out
    assert cli("show", "mine.toml", "--toml").out == Path("mine.toml").read_text()
    done = cli("run", "-c", "random", "-d", str(folder), "-p", "mine.toml", *SHORT)
    assert done.code == 0, done.err
    assert "mine v1" in done.out


def test_a_new_protocol_may_begin_as_another(cli: Callable[..., Any], folder: Path) -> None:
    assert cli("new-protocol", "copy", "--from", "digits-hard").code == 0
    assert cli("new-protocol", "photos", "--from", "digits-soft", "--dataset", str(folder)).code == 0
    listed = {each["id"]: each for each in json.loads(cli("list-protocols", ".", "--json").out)}
    digits = json.loads(cli("show", "digits-hard", "--json").out)[0]
    different = {key for key in digits if digits[key] != listed["copy"][key]}
    assert different == {"id", "default", "digest"}
    assert listed["photos"]["data"] == {"classes": 3, "train": 24, "test": 6}
    # What was said of the other data is said of them.
    assert (listed["photos"]["status"], listed["photos"]["summary"]) == (
        "untuned",
        "digits-soft on other data, untuned.",
    )
    sources = listed["photos"]["sources"]
    assert sources.pop("data") == "this dataset"
    assert all(source.startswith("as in digits-soft: ") for source in sources.values())
    assert listed["photos"]["status"] == "untuned"


def test_the_dataset_of_a_file_is_found_from_the_file_wherever_a_run_begins(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, elsewhere = tmp_path / "mine.toml", tmp_path / "elsewhere"
    written = write_toml(Registry().protocols.find("digits-hard")).replace("classes = 10", "classes = 3")
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def dataset_of(named: str) -> str:
        file.write_text(written.replace('default_dataset = "digits"', f'default_dataset = "{named}"'))
        return resolve_run(Request("random", "hard", protocol=str(file)), Registry(), Cache(tmp_path)).names.dataset

    assert dataset_of(f"./{folder.name}") == folder.name
    for wrong, why in (("./nothing", "No such dataset folder"), ("digist", "Did you mean 'digits'")):
        with pytest.raises(RequestError, match=f"{file}: default_dataset = .*{why}"):
            dataset_of(wrong)
    # A bare word is a name, although the current folder has a folder of this name.
    Path("pictures").symlink_to(folder)
    with pytest.raises(RequestError, match="Unknown dataset 'pictures'"):
        dataset_of("pictures")


def test_show_prints_a_shipped_protocol_as_its_file(cli: Callable[..., Any]) -> None:
    Path("again.toml").write_text(cli("show", "cifar10-soft", "--toml").out)
    again, shipped = (json.loads(cli("show", name, "--json").out) for name in ("again.toml", "cifar10-soft"))
    assert again == shipped


def test_show_leaves_out_what_nothing_uses(cli: Callable[..., Any]) -> None:
    printed = cli("show", "digits-hard").out
    for unused in ("momentum", "nesterov", "milestones", "gamma"):
        assert unused not in printed
    assert "training.optimizer.lr" in printed


def test_plugins_are_listed_by_kind_and_family(cli: Callable[..., Any]) -> None:
    rows = json.loads(cli("list-plugins", "--kind", "compressor", "--family", "combination", "--json").out)
    assert {row["name"] for row in rows} == {"combine", "pca"}
    assert "'score'" in cli("list-plugins", "--kind", "scores").err
    assert "'pruning'" in cli("list-plugins", "--family", "prunning").err


@pytest.mark.parametrize("words", [("list-plugins",), ("list-protocols",), ("show", "digits-hard"), ("show", "sre2l")])
def test_tables_fit_80_columns(cli: Callable[..., Any], words: tuple[str, ...]) -> None:
    assert max(map(len, cli(*words).out.splitlines())) <= 80


def test_of_many_known_names_the_nearest_are_shown(cli: Callable[..., Any]) -> None:
    message = cli("run", "-c", "randm").err
    assert "Did you mean 'random'" in message
    assert "more. See `rethinkdc list-plugins --kind compressor`." in message
    assert message.count(", ") < 8


def test_a_written_protocol_is_the_users_and_no_longer_derived(cli: Callable[..., Any], folder: Path) -> None:
    """Its values may have been changed: no rule is claimed for them, and no file is offered for what has one."""
    assert cli("new-protocol", "mine", "--dataset", str(folder)).code == 0
    written = Path("mine.toml").read_text()
    assert 'status = "untuned"' in written
    Path("mine.toml").write_text(written.replace("batch = 64", "batch = 8"))
    done = cli("run", "-c", "random", "-d", str(folder), "-p", "mine.toml", *SHORT)
    assert done.code == 0, done.err
    assert "derived" not in done.out


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("norm=group", "norm=groop", ("student.model", "proxy.model", "'groop'", "'instance', 'group' or 'batch'")),
        ('"convnet:', '"convnett:', ("teacher.recipes.weak.model", "Did you mean 'convnet'?")),
        ("[proxy.scores.el2n]", "[proxy.scores.el2m]", ("proxy.scores.el2m", "Did you mean 'el2n'?")),
    ],
)
def test_show_refuses_a_file_that_names_what_there_is_not(
    cli: Callable[..., Any], folder: Path, was: str, now: str, said: tuple[str, ...]
) -> None:
    cli("new-protocol", "mine", "--dataset", str(folder))
    text = Path("mine.toml").read_text()
    assert was in text
    Path("mine.toml").write_text(text.replace(was, now))
    done = cli("show", "mine.toml")
    assert done.code == 2
    assert all(part in done.err for part in ("mine.toml: ", *said)), done.err


def test_a_set_made_under_a_file_asks_for_the_file(cli: Callable[..., Any], folder: Path) -> None:
    cli("new-protocol", "mine", "--dataset", str(folder))
    data = ("-d", str(folder))
    assert cli("compress", "-c", "random", *data, "-p", "mine.toml", "--ipc", "1", "--out", "set").code == 0
    done = cli("evaluate", "set")
    assert done.code == 2
    for part in ("made under the protocol mine, digest ", "--protocol FILE.toml and its data with --dataset"):
        assert part in done.err
    assert "--dataset" not in cli("evaluate", "set", *data).err


def test_soft_labels_under_a_file_for_hard_ones_name_a_protocol_for_them(cli: Callable[..., Any], folder: Path) -> None:
    cli("new-protocol", "mine", "--dataset", str(folder))
    done = cli("run", "-c", "random", "-d", str(folder), "-p", "mine.toml", "-l", "soft-stored")
    assert done.code == 2
    assert "--protocol auto-soft" in done.err


def test_sources_and_references_are_shown_in_full(cli: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cli("new-protocol", "mine", "--from", "digits-hard", "--out", "mine.toml")
    file = Path("mine.toml")
    long = "github.com/somebody/with-a-long-name/blob/main/and/a/path/that/is/wider/than/a/column/train.py"
    file.write_text(file.read_text().replace("the images' own size", long).replace("shift 1 px, rotation", "turned"))
    rows = [line.split("│")[1:4] for line in cli("show", "mine.toml").out.splitlines() if line.count("│") == 4]
    sources = "".join(row[2].strip() for row in rows)
    assert long in sources
    # The source of a list, whose items are rows of their own.
    assert "turned 10 degrees" in " ".join(row[2].strip() for row in rows)
    assert "convnet:depth=1,width=64,norm=group" in "".join(row[1].strip() for row in rows)


def test_names_of_values_are_broken_at_their_dots_alone(cli: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cells = [line.split("│")[1].strip() for line in cli("show", "digits-soft").out.splitlines() if line.count("│") == 4]
    assert "optimizer.weight_decay" in cells
    parts = {part for cell in cells for part in cell.split(".")}
    assert {"weight_decay", "recipes", "standard", "temperature"} <= parts
    assert not {"ht_decay", "aining", "d"} & parts


def test_what_is_found_again_is_said_once(cli: Callable[..., Any], image_tree: Callable[..., Path]) -> None:
    folder = image_tree({"a": 10, "b": 10}, {})
    lines = [f'dataset = "{folder}"', 'compressors = ["random"]', "ipc = [1]", "seeds = [0, 1]"]
    Path("study.toml").write_text("\n".join([*lines, 'overrides = {"training.steps" = 3}']))
    done = cli("sweep", "study.toml")
    assert done.code == 0, done.err
    assert done.err.count("There is no test split") == 1


def test_where_not_one_canvas_can_be_filled_the_largest_grid_is_named(
    cli: Callable[..., Any], image_tree: Callable[..., Path]
) -> None:
    folder = image_tree({"a": 10, "b": 12}, {"a": 2, "b": 2})
    for compressor in ("pca:grid=4", "combine:select=random,grid=4", "rded:factor=4"):
        done = cli("run", "-c", compressor, "-d", str(folder), "--ipc", "1", "--small-cells")
        assert done.code == 2
        assert "Not one canvas can be filled: the largest grid here is 3." in done.err, done.err
