"""Rows of other copies: where they lie in this one, told by labels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import DataError, RequestError
from rethinkdc.row_files.files import read_rows, read_scores
from rethinkdc.row_files.image_matching import match_images
from rethinkdc.row_files.order import CIFAR10_BATCHES, CIFAR100_START, COPIES, ORDERS, find_foreign, find_order

SIZE = 40


def batches(order: tuple[int, ...]) -> tuple[DecodedImages, Tensor]:
    """A small dataset made of batches that begin as CIFAR-10's do, and each row's place in torchvision's order."""
    draws = torch.Generator().manual_seed(0)
    labels = [
        torch.cat([torch.tensor([int(digit) for digit in start]), torch.randint(10, (SIZE - 20,), generator=draws)])
        for start in CIFAR10_BATCHES
    ]
    names = torch.arange(len(labels) * SIZE).split(SIZE)
    targets, places = torch.cat([labels[b] for b in order]), torch.cat([names[b] for b in order])
    pixels = torch.zeros(len(targets), 3, 1, 1, dtype=torch.uint8)
    return DecodedImages(pixels, targets, [str(name) for name in range(10)]), places


@pytest.mark.parametrize("here", list(COPIES))
@pytest.mark.parametrize("there", list(COPIES))
def test_each_row_of_another_copy_is_found_here(here: str, there: str) -> None:
    ours, places = batches(COPIES[here])
    _, foreign = batches(COPIES[there])
    assert torch.equal(places[find_order(there, ours)], foreign)


@pytest.mark.parametrize("copy", list(COPIES))
def test_a_copy_that_was_sorted_by_class_keeps_the_order_within(copy: str) -> None:
    ours, places = batches(COPIES["hub"])
    other, foreign = batches(COPIES[copy])
    wanted = foreign[other.targets.argsort(stable=True)]
    assert torch.equal(places[find_order(f"{copy}-by-class", ours)], wanted)
    assert torch.equal(find_order("by-class", ours), ours.targets.argsort(stable=True))


def test_the_copies_of_cifar100_agree() -> None:
    targets = torch.cat([torch.tensor(CIFAR100_START), torch.arange(100)])
    ours = DecodedImages(torch.zeros(105, 3, 1, 1, dtype=torch.uint8), targets, [str(name) for name in range(100)])
    assert torch.equal(find_order("torchvision", ours), torch.arange(105))


def test_scores_and_rows_of_another_copy_come_to_their_own_rows(tmp_path: Path) -> None:
    ours, places = batches(COPIES["hub"])
    other, _ = batches(COPIES["torchvision"])
    lines = [f"{label},{row / 7}" for row, label in enumerate(other.targets.tolist())]
    (tmp_path / "scores.csv").write_text("label,score\n" + "\n".join(lines))
    read = read_scores(tmp_path / "scores.csv", ours, foreign=find_foreign("torchvision", None, ours))
    assert torch.allclose(read.scores, places / 7)
    assert read.reading.order.startswith("the labels in column 'label' agree")
    with pytest.raises(
        DataError, match=r"contradicts the labels .* in \d+ of 200 entries. Its rows are in another order"
    ):
        read_scores(tmp_path / "scores.csv", ours)
    (tmp_path / "rows.txt").write_text("0\n41\n199\n")
    assert places[
        read_rows(tmp_path / "rows.txt", ours, foreign=find_foreign("torchvision", None, ours)).rows
    ].tolist() == [0, 41, 199]


def test_an_order_that_cannot_be_told_is_refused() -> None:
    ours, _ = batches(COPIES["hub"])
    by_class = ours.targets.argsort(stable=True)
    with pytest.raises(DataError, match="its rows are sorted by class"):
        find_order("hub", DecodedImages(ours.pixels, ours.targets[by_class], ours.class_names))
    with pytest.raises(RequestError, match=r"order=torch is not known. Did you mean 'torchvision'"):
        find_order("torch", ours)
    assert "by-class" in ORDERS


def test_a_copy_at_hand_tells_its_order_by_its_images(tmp_path: Path) -> None:
    """A tree of files that lists the classes one after the other, some of its files in another encoding."""
    draws = torch.Generator().manual_seed(1)
    small = torch.randint(0, 256, (30, 3, 4, 4), generator=draws, dtype=torch.uint8)
    ours = DecodedImages(
        small.repeat_interleave(8, 2).repeat_interleave(8, 3), torch.arange(30) % 3, ["ant", "bee", "cat"]
    )
    wanted = ours.targets.argsort(stable=True).view(3, 10).flip(1).flatten()
    for number, row in enumerate(wanted.tolist()):
        folder = tmp_path / "copy" / "train" / ours.class_names[int(ours.targets[row])]
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(ours.pixels[row].permute(1, 2, 0).numpy())
        image.save(folder / f"{number:03}.{'png' if number % 2 else 'jpg'}", quality=90)
        (tmp_path / "copy" / "test" / folder.name).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "copy" / "test" / folder.name / "0.png")
    found = find_foreign(None, tmp_path / "copy", ours)
    assert found is not None
    assert torch.equal(found.places, wanted)
    assert found.name == "of the images in copy, 15 of 30 equal to the pixel"
    with pytest.raises(RequestError, match="both name another copy"):
        find_foreign("hub", tmp_path / "copy", ours)
    other = DecodedImages(ours.pixels.flip(0).contiguous(), ours.targets, ours.class_names)
    with pytest.raises(DataError, match=r"\d+ of its 30 training images have no counterpart"):
        find_foreign(None, tmp_path / "copy", other)
    with pytest.raises(DataError, match="no copy of it"):
        match_images(DecodedImages(ours.pixels[:9], ours.targets[:9], ours.class_names), ours)


def test_equal_images_are_taken_one_by_one() -> None:
    pixels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    pixels[3] = 200
    ours = DecodedImages(pixels, torch.tensor([0, 0, 1, 0]), ["ant", "bee"])
    theirs = DecodedImages(pixels[[3, 2, 1, 0]], torch.tensor([1, 0, 1, 1]), ["bee", "ant"])
    found = match_images(ours, theirs)
    assert found.rows.tolist() == [3, 2, 0, 1]
    assert found.equal == 4
