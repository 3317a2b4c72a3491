"""How large a set is: images per class, a share of the training set, or what a list has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import rethinkdc as rdc
from rethinkdc.boards.notes import caption
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.runs.size import split_images

SHORT = {"training.steps": 2}


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, Any]:
    return {
        "records": tmp_path / "records",
        "cache_dir": tmp_path / "cache",
        "device": "cpu",
        "dataset": "digits",
        "overrides": SHORT,
    }


@pytest.mark.parametrize(
    ("images", "counts", "parts"),
    [
        (6, [10, 10], (3, 3)),
        (7, [10, 10], (4, 3)),
        (30, [10, 30, 60], (3, 9, 18)),
        (5, [1, 1, 98], (1, 1, 3)),
        (2, [5, 5, 5], (1, 1, 0)),
        (100, [1, 1, 98], (1, 1, 98)),
        (3, [0, 9], (0, 3)),
    ],
)
def test_each_class_gets_its_share(images: int, counts: list[int], parts: tuple[int, ...]) -> None:
    assert split_images(images, counts) == parts


@pytest.mark.parametrize("seed", range(5))
def test_shares_always_add_up_and_never_take_more_than_there_is(seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 40, (12,), generator=draws).tolist()
    for images in range(12, sum(counts) + 1, 7):
        parts = split_images(images, counts)
        assert sum(parts) == images
        assert all(1 <= part <= count for part, count in zip(parts, counts, strict=True))


@pytest.fixture
def unbalanced(tmp_path: Path) -> str:
    """A tree of three classes with 4, 8 and 20 training images."""
    for split, counts in (("train", (4, 8, 20)), ("test", (2, 2, 2))):
        for name, count in zip("abc", counts, strict=True):
            (tmp_path / "tree" / split / name).mkdir(parents=True)
            for number in range(count):
                grey = Image.new("L", (8, 8), number * 9)
                grey.save(tmp_path / "tree" / split / name / f"{number}.png")
    return str(tmp_path / "tree")


@pytest.mark.parametrize(
    ("compressor", "counts"), [("random", [2, 4, 10]), ("random-score", [2, 4, 10]), ("herding", [2, 4, 10])]
)
def test_a_share_is_one_of_each_class(tmp_path: Path, unbalanced: str, compressor: str, counts: list[int]) -> None:
    text = compressor.replace("random-score", "select:score=random,direction=hard")
    protocol = tmp_path / "three.toml"
    shipped = (Path(__file__).parents[2] / "protocols" / "digits-hard.toml").read_text()
    protocol.write_text(shipped.replace("classes = 10", "classes = 3").replace('"digits-hard"', '"three"'))
    given: dict[str, Any] = {"dataset": unbalanced, "protocol": str(protocol), "cache_dir": tmp_path / "cache"}
    made = rdc.compress(text, tmp_path / "set", keep=0.5, device="cpu", **given)
    assert made.histogram() == counts


def test_a_share_has_a_key_and_a_board_of_its_own(machine: dict[str, Any]) -> None:
    kept, easy = (rdc.run(name, keep=0.1, **machine) for name in ("random", "select:score=random,direction=easy"))
    usual = rdc.run("random", ipc=14, **machine)
    assert (kept.definition.ipc, kept.definition.images) == (14, 144)
    assert "images" not in usual.definition.model_dump()
    assert kept.definition.condition == easy.definition.condition != usual.definition.condition
    assert sum(kept.histogram) == 144
    assert kept.names.ipc == "14.4 (144 images, keep 0.1)"
    boards = rdc.leaderboard(machine["records"])
    assert [(board.ipc, board.images, len(board.rows)) for board in boards] == [(14, None, 1), (14, 144, 2)]
    assert "keep 0.1 (144 images)" in caption(boards[1])


def test_a_list_runs_as_what_it_is(tmp_path: Path, machine: dict[str, Any]) -> None:
    (tmp_path / "rows.txt").write_text("\n".join(map(str, range(17))))
    record = rdc.run(f"rows:path={tmp_path / 'rows.txt'}", **machine)
    assert sum(record.histogram) == 17
    assert (record.definition.ipc, record.definition.images) == (2, 17)
    assert record.notes["files_read"] == [
        {"file": "rows.txt", "taken": ["its numbers: 17 row numbers"], "order": "not verified", "warnings": []}
    ]
    with pytest.raises(RequestError, match="without --ipc and --keep the list runs as what it is"):
        rdc.run(f"rows:path={tmp_path / 'rows.txt'}", ipc=2, **machine)
    # One that has as many rows as an ipc of each class is a run of that ipc, as ever.
    (tmp_path / "even.txt").write_text("\n".join(map(str, range(20))))
    even = [rdc.run(f"rows:path={tmp_path / 'even.txt'}", ipc=ipc, **machine) for ipc in (None, 2)]
    assert even[0].key == even[1].key
    assert even[0].definition.images is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"compressor": "pca", "keep": 0.5}, "pca makes the same number of images for each class"),
        ({"compressor": "full", "keep": 0.5}, "leave --keep out"),
        ({"compressor": "random", "keep": 0.5, "ipc": 1}, "two sizes"),
        ({"compressor": "random", "keep": 30.0}, "above 0 and at most 1"),
        ({"compressor": "random", "keep": 0.001}, "each of 10 classes needs one at least"),
    ],
)
def test_a_size_that_cannot_be_is_refused(machine: dict[str, Any], asked: dict[str, Any], message: str) -> None:
    with pytest.raises((RequestError, UnsupportedError), match=message):
        rdc.run(**asked, **machine)
