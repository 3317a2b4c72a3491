"""Faults that are put into a set are named, and a right one is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import rethinkdc as rdc
from rethinkdc.compressed import CompressedSet, export_folder, grid_boxes
from rethinkdc.inspection.findings import SetFinding
from rethinkdc.inspection.triage import Triage
from rethinkdc.models import Model, build_seeded
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator

Pick = Callable[[int], tuple[Tensor, Tensor]]
ORDER = torch.randperm(10, generator=generator(5))


def asked(images: Tensor, labels: Tensor, **facts: Any) -> tuple[SetFinding, Triage]:
    torch.save({"images": images, "labels": labels}, "made.pt")
    found = rdc.inspect(
        "made.pt", **{"teacher": "trained", "dataset": "digits", "protocol": "digits-hard", **facts}
    ).find(SetFinding)
    assert found is not None
    assert found.triage is not None
    return found, found.triage


def normalised(images: Tensor, mean: float, std: float) -> Tensor:
    return (images.float() / 255 - mean) / std


def test_a_right_set_looks_right(digits: Pick) -> None:
    found, triage = asked(*digits(10))
    assert triage.verdict == "right"
    assert triage.told.startswith("The set looks right: the teacher finds ")
    assert triage.moved == ()
    assert triage.stated.low < triage.stated.top1 < triage.stated.high
    assert not found.refused


def test_what_a_few_images_cannot_tell_apart_is_named(digits: Pick) -> None:
    """Of learned images a teacher that finds all right under two normalisations tells neither."""
    images, labels = digits(1)
    learned = normalised(images, 0.1307, 0.3081) + 0.01 * torch.randn(images.shape, generator=generator(5))
    _, triage = asked(learned, labels, mean=(0.1307,), std=(0.3081,))
    assert triage.verdict == "right"
    found = next(each for each in triage.tried if each.name == "normalised by the teacher's own")
    assert found.top1 == triage.stated.top1
    assert found.name in triage.told.partition("It cannot be told from: ")[2]


def test_classes_in_another_order_are_found_and_named(digits: Pick) -> None:
    images, labels = digits(6)
    _, triage = asked(images, ORDER[labels])
    assert triage.verdict == "order"
    # What is called class ORDER[i] shows the class i.
    assert torch.equal(torch.tensor(triage.places)[ORDER], torch.arange(10))
    assert triage.fitted_order is not None
    assert triage.declared_order is not None
    assert triage.fitted_order > 0.8 > triage.declared_order
    assert triage.order_chance is not None
    assert triage.order_chance < 1e-6


def test_two_classes_that_are_exchanged_are_the_ones_that_are_named(digits: Pick) -> None:
    images, labels = digits(10)
    exchanged = torch.arange(10)
    exchanged[[3, 5]] = torch.tensor([5, 3])
    _, triage = asked(images, exchanged[labels])
    assert triage.verdict == "order"
    assert triage.moved == ("class 3 is '5'", "class 5 is '3'")


def test_one_image_per_class_does_not_tell_the_order(digits: Pick) -> None:
    images, labels = digits(1)
    _, triage = asked(images, ORDER[labels])
    assert triage.verdict == "unclear"
    assert triage.judged == 0
    assert triage.fitted_order is None
    assert "One image of a class cannot tell the class order" in triage.told


@pytest.mark.parametrize(
    ("given", "stated", "name"),
    [
        ((0.5, 0.5), (0.1307, 0.3081), "normalised by 0.5 and 0.5"),
        ((0.1307, 0.3081), (0.5, 0.5), "normalised by MNIST"),
        ((0.0, 1 / 255), (0.5, 0.5), "normalised by pixels in 0..255"),
    ],
)
def test_another_normalisation_than_stated_is_named(
    digits: Pick, given: tuple[float, float], stated: tuple[float, float], name: str
) -> None:
    images, labels = digits(10)
    _, triage = asked(normalised(images, *given), labels, mean=(stated[0],), std=(stated[1],))
    assert triage.verdict == "pixels"
    assert f"Likeliest: {name} (--mean {given[0]:.6g} --std {given[1]:.6g})" in triage.told


def test_learned_images_that_are_no_whole_bytes_are_told_by_the_teacher(digits: Pick) -> None:
    images, labels = digits(10)
    learned = normalised(images, 0.5, 0.5) + 0.02 * torch.randn(images.shape, generator=generator(2))
    _, triage = asked(learned, labels, mean=(0.1307,), std=(0.3081,))
    assert triage.verdict == "pixels"
    named = next(each for each in triage.tried if each.name == "normalised by 0.5 and 0.5")
    assert not named.exact
    assert named.top1 > triage.stated.top1
    assert named.name in triage.told


def test_a_mean_and_std_that_nobody_states_are_found(digits: Pick) -> None:
    images, labels = digits(10)
    found, triage = asked(normalised(images, 0.1307, 0.3081), labels)
    assert "Undo the normalisation" in found.refused
    assert triage.verdict == "pixels"
    assert "--mean 0.1307 --std 0.3081" in found.command


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (lambda images: 255 - images, "dark for bright"),
        (lambda images: images.transpose(2, 3).contiguous(), "height and width exchanged"),
    ],
)
def test_images_in_another_form_are_named(digits: Pick, fault: Callable[[Tensor], Tensor], name: str) -> None:
    images, labels = digits(6)
    _, triage = asked(fault(images), labels)
    assert triage.verdict == "pixels"
    assert triage.tried[0].name == name
    assert triage.tried[0].chance is not None
    assert triage.tried[0].chance < 1e-6


def test_two_faults_are_named_both(digits: Pick) -> None:
    images, labels = digits(10)
    _, triage = asked(255 - images, ORDER[labels])
    assert triage.verdict == "order and pixels"
    assert "dark for bright" in triage.told
    assert torch.equal(torch.tensor(triage.places)[ORDER], torch.arange(10))


def test_of_a_tiled_canvas_the_teacher_sees_single_cells(digits: Pick, tmp_path: Path) -> None:
    """Four digits of eight pixels on a canvas of sixteen, which whole is no digit at all."""
    images, labels = digits(8)
    canvases = images.view(10, 2, 2, 2, 3, 8, 8).permute(0, 1, 4, 2, 5, 3, 6).reshape(20, 3, 16, 16)
    part = {"canvases": canvases, "targets": labels[::4]}
    tiled = CompressedSet.of_canvases([part], tuple(map(str, range(10))), cell_boxes=grid_boxes(16, 2))
    export_folder(tiled, tmp_path / "tiled", size=16)
    protocol = Registry().protocols.find("digits-hard")
    larger = {"id": "sixteen", "store": protocol.store.model_copy(update={"size": 16}), "default": False}
    Path("sixteen.toml").write_text(write_toml(protocol.model_copy(update=larger)))
    whole = CompressedSet.of_canvases([part], tuple(map(str, range(10))))
    export_folder(whole, tmp_path / "whole", size=16)
    tops = []
    for name in ("tiled", "whole"):
        found = rdc.inspect(name, kind="set", dataset="digits", protocol="sixteen.toml", teacher="trained:recipe=weak")
        finding = found.find(SetFinding)
        assert finding is not None
        assert finding.triage is not None, finding.refused
        tops.append((finding.triage.images, finding.triage.stated.top1))
    (cells, seen), (canvases_shown, unseen) = tops
    assert (cells, canvases_shown) == (80, 20)
    assert seen > 0.6 > unseen


def test_noise_is_explained_by_nothing() -> None:
    noise = torch.randint(0, 256, (60, 3, 8, 8), dtype=torch.uint8, generator=generator(3))
    _, triage = asked(noise, torch.arange(10).repeat(6))
    assert triage.verdict == "unclear"


def test_channels_in_another_order_are_named(tmp_path: Path) -> None:
    """A network that tells red from blue from yellow, trained here and read as a checkpoint."""
    colours = torch.tensor([[220, 40, 30], [30, 60, 210], [200, 190, 40]])
    classes = torch.arange(3).repeat(20)
    noise = torch.randint(-25, 26, (60, 3, 8, 8), generator=generator(1))
    images = (colours[classes][:, :, None, None] + noise).clamp(0, 255).to(torch.uint8)
    for row, (image, index) in enumerate(zip(images, classes.tolist(), strict=True)):
        folder = tmp_path / "colours" / ("train" if row < 45 else "test") / "rbz"[index]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{row}.png")
    model = "convnet:depth=1,width=8"
    network = build_seeded(Registry().build(Model, model), 3, 8, 0)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    order = torch.tensor([1, 0, 2])  # folders are sorted by name: b, r, z
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network((images.float() / 255 - 0.5) / 0.25), order[classes]).backward()
        optimiser.step()
    torch.save(network.state_dict(), "colours.pt")
    teacher = f"checkpoint:path=colours.pt,model=[{model}],mean=[0.5,0.5,0.5],std=[0.25,0.25,0.25]"
    torch.save({"images": images.flip(1), "labels": order[classes]}, "bgr.pt")
    found = rdc.inspect("bgr.pt", dataset=str(tmp_path / "colours"), protocol="auto-hard", teacher=teacher)
    (finding,) = [each for each in found.findings if isinstance(each, SetFinding)]
    assert finding.triage is not None
    assert finding.triage.teacher_top1 == 1.0
    assert finding.triage.verdict == "pixels", finding.triage.told
    assert finding.triage.tried[0].name == "channels as blue, green, red"
