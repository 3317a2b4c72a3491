"""G-VBSM and EDC: a whole batch of each against its loop written out, and what both have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from rethinkdc.context.cache import Cache
from rethinkdc.context.run import RunContext
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.distillation import densification, gather, statistical_matching
from rethinkdc.distillation.statistical_matching import StatisticalMatching, by_classes, cropping, renormalisation
from rethinkdc.errors import DivergedError, RequestError, UnsupportedError
from rethinkdc.models import build_seeded, weights_digest
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run
from rethinkdc.testing import images
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, ViewKey
from rethinkdc.views import CropPad, DifferentiableViews, Flip, RandomResizedCrop, Roll

NAMES = ("gvbsm", "edc")
BOTH = "teachers=[trained:recipe=weak,trained]"
CLASSES, ALPHA, FIRST, WEIGHT, ITERATIONS, LR = 4, 0.8, 10.0, 0.1, 6, 0.05


def method(reference: str) -> StatisticalMatching:
    found = Registry().build("compressor", reference)
    assert isinstance(found, StatisticalMatching)
    return found


def other_teacher(folder: Path) -> str:
    """A teacher of another architecture and with another normalisation than the protocol's."""
    model = "convnet:depth=2,width=4,norm=instance"
    module = build_seeded(Registry().build("model", model), CLASSES, 8, 3)  # type: ignore[arg-type]
    path = folder / "other.safetensors"
    save_file(module.state_dict(), path)
    return f'checkpoint:path="{path}",model=[{model}],mean=[0.3,0.4,0.5],std=[0.2,0.3,0.25]'


@contextmanager
def inputs_of(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What convolutions and BatchNorm layers were given last, by name."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            seen[name] = given[0]

        return hook

    looked_at = (nn.Conv2d, nn.BatchNorm2d)
    hooks = [
        layer.register_forward_pre_hook(keep(name))
        for name, layer in module.named_modules()
        if isinstance(layer, looked_at)
    ]
    yield seen
    for hook in hooks:
        hook.remove()


def four(given: Tensor, convolution: bool) -> list[Tensor]:
    """Mean and variance of channels, and for a convolution of patches of 4 x 4 px, written out."""
    channels = given.permute(1, 0, 2, 3).flatten(1)
    found = [channels.mean(1), channels.var(1, correction=0)]
    if convolution:
        height, width = (math.ceil(length / 4) * 4 for length in given.shape[2:])
        whole = F.interpolate(given, (height, width), mode="bilinear")
        cells = [
            whole[:, :, top : top + 4, left : left + 4].flatten()
            for top in range(0, height, 4)
            for left in range(0, width, 4)
        ]
        found += [torch.stack([cell.mean() for cell in cells]), torch.stack([cell.var(correction=0) for cell in cells])]
    return found


@torch.no_grad()
def goals_of(teacher: Teacher, surroundings: Context, labels: Tensor, category: float) -> list[tuple[float, Any]]:
    """Targets by layer, of all images and of the classes of a batch, from all images at once."""
    data = surroundings.data
    pixels = teacher.test.render(data, torch.arange(len(data)))
    with inputs_of(teacher.module) as seen:
        teacher.module(teacher.normalised(pixels))
    overall, own = {}, {}
    for name, given in seen.items():
        layer = teacher.module.get_submodule(name)
        convolution = isinstance(layer, nn.Conv2d)
        running = [] if convolution else [layer.get_buffer("running_mean"), layer.get_buffer("running_var")]
        overall[name] = four(given, True) if convolution else running
        images_own = [four(image[None], convolution) for image in given]
        by_class = []
        for label in labels.tolist():
            rows = (data.targets == label).nonzero().flatten().tolist()
            by_class.append(
                [torch.stack([images_own[row][k] for row in rows]).mean(0) for k in range(len(images_own[0]))]
            )
        own[name] = [torch.stack([one[k] for one in by_class]).mean(0) for k in range(len(by_class[0]))]
    return [(1 - category, overall), (category, own)] if category else [(1.0, overall)]


@pytest.mark.parametrize(("name", "category", "spread"), [("gvbsm", 0.0, 2.0), ("edc", 0.5, 0.0)])
def test_a_batch_is_that_of_the_authors_loop_with_averages_that_begin_right(
    name: str, category: float, spread: float, inversions: Any, tmp_path: Path
) -> None:
    surroundings = inversions.here(tmp_path)
    named = ("trained", other_teacher(tmp_path))
    extra = f"spread={spread},roll=[0,3]," if name == "gvbsm" else "init=noise,"
    found = inversions.made(
        surroundings,
        f"{name}:{extra}iterations={ITERATIONS},weight={WEIGHT},drop=0.0,crop=resized,min_area=0.3,statistics=whole,"
        f"teachers=[{','.join(named)}]",
    )
    teachers = [surroundings.teacher(one) for one in named]
    labels = torch.arange(CLASSES).repeat_interleave(2)
    goals = [goals_of(teacher, surroundings, labels, category) for teacher in teachers]
    means, stds = ([torch.tensor(getattr(one, key)).view(1, 3, 1, 1) for one in teachers] for key in ("mean", "std"))
    x = torch.randn((8, 3, 8, 8), generator=surroundings.generator("set", "inversion-start", 0)).requires_grad_()
    rolls = [Roll(low=0, high=3)] if name == "gvbsm" else []
    views = DifferentiableViews([RandomResizedCrop(scale=(0.3, 1.0)), Flip(), *rolls], size=8, shared=True)
    adam = torch.optim.Adam([x], lr=LR, betas=(0.5, 0.9), eps=1e-8)
    averages: dict[Any, Tensor] = {}
    for iteration in range(ITERATIONS):
        adam.param_groups[0]["lr"] = 0.5 * (1 + math.cos(math.pi * iteration / ITERATIONS)) * LR
        turn = iteration % 2
        view = views.render(x, ViewKey(surroundings.seeds.of("set", "inversion-views"), iteration, 0))
        module = teachers[turn].module
        with inputs_of(module) as seen:
            pixels = view * stds[0] + means[0]
            loss = F.cross_entropy(module((pixels - means[turn]) / stds[turn]), labels)
        for index, (layer, given) in enumerate(seen.items()):
            for k, now in enumerate(four(given, isinstance(module.get_submodule(layer), nn.Conv2d))):
                old = averages.get((turn, layer, k))
                average = now.detach() if old is None else ALPHA * old + (1 - ALPHA) * now.detach()
                averages[turn, layer, k] = average
                smooth = average + now - now.detach()
                for share, targets in goals[turn]:
                    off = (targets[layer][k] - smooth).norm()
                    loss = loss + WEIGHT * share * (FIRST if index == 0 else 1.0) * off
        for label in range(CLASSES):
            rows = view[labels == label].flatten(1)
            eigenvalues = torch.linalg.eigvalsh(rows @ rows.T)
            smoothed = (eigenvalues / 4).softmax(0).detach()
            loss = loss + spread * (smoothed * (smoothed.log() - eigenvalues.log_softmax(0))).sum()
        (x.grad,) = torch.autograd.grad(loss, x)
        adam.step()
        with torch.no_grad():
            x.copy_(torch.maximum(torch.minimum(x, (1 - means[0]) / stds[0]), -means[0] / stds[0]))
    expected = ((x.detach() * stds[0] + means[0]) * 255).clamp(0, 255)
    off = (inversions.canvases(found).float() - expected).abs()
    # Rounded; a pixel may lie on the other side of a half by the order of additions.
    assert float(off.max()) < 0.6
    assert float((off > 0.5).float().mean()) < 0.02
    assert found.targets.tolist() == labels.tolist()


def hooks_on(module: nn.Module) -> int:
    """Beside the one by which a teacher counts the images that it sees."""
    return -1 + sum(len(layer._forward_pre_hooks) + len(layer._forward_hooks) for layer in module.modules())


@pytest.mark.parametrize("reference", [f"{name}:iterations=3,batch=4,drop=0.5,{BOTH}" for name in NAMES])
def test_a_killed_run_goes_on_to_the_same_set_and_teachers_stay_as_they_were(
    reference: str, inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = inversions.watch().calls
    expected = inversions.made(inversions.here(tmp_path / "one"), reference, ipc=3)
    # One class is all that four images hold of three each.
    assert [call["labels"].tolist() for call in whole] == [[label] * 3 for label in range(4)]
    killed = inversions.watch(dies_at=2).calls
    with pytest.raises(KeyboardInterrupt):
        inversions.made(inversions.here(tmp_path / "two"), reference, ipc=3)
    for call in [*whole, *killed]:
        for turn, before in zip(call["turns"], whole[0]["digests"], strict=True):
            assert hooks_on(turn.matching.module) == 0
            assert weights_digest(turn.matching.module) == before
            assert not any(parameter.requires_grad for parameter in turn.matching.module.parameters())
    rest = inversions.watch().calls
    found = inversions.made(inversions.here(tmp_path / "two"), reference, ipc=3)
    assert len(rest) == 2
    assert torch.equal(inversions.canvases(found), inversions.canvases(expected))
    assert found.targets.tolist() == expected.targets.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_images_that_diverge_name_the_batch_and_leave_no_hook(
    name: str, inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = inversions.watch().calls
    monkeypatch.setattr(statistical_matching, "noise", lambda *_: torch.full((2, 3, 8, 8), math.nan))
    extra = "init=noise," if name == "edc" else ""
    with pytest.raises(DivergedError, match=r"batch 1 of 4 is nan in iteration 1 of 2.*finished are kept"):
        inversions.made(inversions.here(tmp_path), f"{name}:teachers=[trained],{extra}iterations=2,batch=2")
    assert hooks_on(calls[0]["turns"][0].matching.module) == 0


def test_nothing_of_a_batch_is_left_in_the_next(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Averages begin anew: a batch that is made alone is the one that is made after others."""
    reference = "gvbsm:teachers=[trained],iterations=3,batch=2,drop=0.3"
    expected = inversions.canvases(inversions.made(inversions.here(tmp_path / "all"), reference))
    original = RunContext.parts
    monkeypatch.setattr(
        RunContext, "parts", lambda self, count, make: [*original(self, 0, make), *map(make, [3, 2, 1, 0])]
    )
    found = inversions.canvases(inversions.made(inversions.here(tmp_path / "backwards"), reference))
    assert torch.equal(found.view(4, 2, 3, 8, 8).flip(0), expected.view(4, 2, 3, 8, 8))


def test_convolutions_are_left_out_by_seeded_draws_of_their_own(inversions: Any, tmp_path: Path) -> None:
    calls = inversions.watch().calls
    for drop in (0.4, 0.0):
        inversions.made(
            inversions.here(tmp_path), f"gvbsm:iterations=1,batch=4,drop={drop},teachers=[trained:model=convnet]"
        )
    (turn,), (other,), (none,) = (calls[index]["turns"] for index in (0, 1, -1))
    assert none.left_out is None
    drawn = [turn.left_out(iteration) for iteration in range(500)]
    convolutions = {name for name, layer in turn.matching.module.named_modules() if isinstance(layer, nn.Conv2d)}
    for name in convolutions:
        assert sum(name in one for one in drawn) / 500 == pytest.approx(0.4, abs=0.07)
    assert set().union(*drawn) <= convolutions
    assert drawn[:50] == [turn.left_out(iteration) for iteration in range(50)]
    assert drawn != [other.left_out(iteration) for iteration in range(500)]


def test_batches_are_of_whole_classes_or_of_parts_of_one() -> None:
    def pairs(ipc: int, size: int, classes: int = 3) -> list[list[tuple[int, int]]]:
        made = by_classes(Budget(ipc=ipc, classes=classes, size=8), size)
        return [list(zip(one.labels.tolist(), one.copies.tolist(), strict=True)) for one in made]

    assert pairs(2, 5) == [[(0, 0), (0, 1), (1, 0), (1, 1)], [(2, 0), (2, 1)]]
    assert pairs(3, 2) == [[(c, 0), (c, 1)] if part == 0 else [(c, 2)] for c in range(3) for part in (0, 1)]
    assert pairs(1, 100) == [[(0, 0), (1, 0), (2, 0)]]
    # ImageNet's: 80 images are 8 classes of 10.
    assert {len(one) for one in pairs(10, 80, classes=16)} == {80}


def test_images_are_shown_to_each_teacher_in_its_own_normalisation(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    common, own = surroundings.teacher(), surroundings.teacher(other_teacher(tmp_path))
    pixels = images(classes=1, per_class=3, size=8).canvases(torch.arange(3), 8)
    shown = common.normalised(pixels).requires_grad_()
    changed = renormalisation(common, own)
    assert changed is not None
    found = changed(shown)
    assert torch.allclose(found, own.normalised(pixels), atol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), shown)
    assert gradient[0, :, 0, 0].tolist() == pytest.approx([a / b for a, b in zip(common.std, own.std, strict=True)])
    assert renormalisation(common, common) is None


def test_crops_are_those_of_the_papers() -> None:
    assert cropping("padded", 32, 0.08, flip=True)[0] == CropPad(padding=4)
    assert cropping("padded", 64, 0.08, flip=True)[0] == CropPad(padding=8)
    assert [op.op for op in cropping("resized", 224, 0.5, flip=True)] == ["random-resized-crop", "flip"]
    assert cropping("whole", 32, 0.08, flip=False) == []


# -- the pass over real images -----------------------------------------------------------------------------------------


def passes(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The owners of the images of each pass that is made from here on."""
    found: list[Tensor] = []

    def watched(module: nn.Module, kinds: Any, batches: Any, groups: int, moments: Any, **kept: Any) -> Any:
        seen = list(batches)
        found.append(torch.cat([owners for _, owners in seen]))
        return gather(module, kinds, seen, groups, moments, **kept)

    monkeypatch.setattr("rethinkdc.distillation.gathering.gather", watched)
    return found


def test_one_pass_for_each_teacher_serves_all_kinds_and_every_run(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, surroundings = passes(monkeypatch), inversions.here(tmp_path)
    for extra in ("", "lr=0.1,", "batch=2,"):
        inversions.made(surroundings, f"gvbsm:{extra}iterations=1,{BOTH}")
    assert [len(one) for one in made] == [24, 24]
    assert not any(one.any() for one in made)
    inversions.made(surroundings, f"edc:iterations=1,{BOTH}")
    assert [one.unique().tolist() for one in made[2:]] == [[0, 1, 2, 3]] * 2


@pytest.mark.parametrize("name", NAMES)
def test_a_part_of_the_images_is_drawn_from_all_classes_by_the_seed_of_the_set(
    name: str, inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = passes(monkeypatch)
    reference, found = f"{name}:teachers=[trained],iterations=1,statistics=whole,images=10", []
    for seed in (0, 1):
        surroundings = inversions.here(tmp_path / str(seed), set=seed)
        inversions.made(surroundings, reference)
        (folder,) = (tmp_path / str(seed) / "cache" / "statistics").iterdir()
        found.append((folder / "statistics.safetensors").read_bytes())
    assert found[0] != found[1]
    for owners in made:
        assert len(owners) == 10
        assert name == "gvbsm" or owners.bincount(minlength=4).tolist() == [3, 3, 2, 2]
    # All there are is the same as no limit.
    surroundings = inversions.here(tmp_path / "all")
    for images_used in ("", ",images=24", ",images=1000"):
        inversions.made(surroundings, f"{name}:teachers=[trained],iterations=1,statistics=whole{images_used}")
    assert len(list((tmp_path / "all" / "cache" / "statistics").iterdir())) == 1


# -- where EDC begins --------------------------------------------------------------------------------------------------


def test_edc_begins_with_different_real_images_of_each_class(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, surroundings = inversions.watch().calls, inversions.here(tmp_path)
    inversions.made(surroundings, "edc:teachers=[trained],iterations=1,batch=2")
    teacher, data = surroundings.teacher(), surroundings.data
    store = surroundings.protocol.store
    real = teacher.normalised(data.canvases(torch.arange(len(data)), 8, store.fit, store.interpolation))
    rows = []
    for call in calls:
        for image, label in zip(call["start"], call["labels"].tolist(), strict=True):
            (row,) = (real == image).flatten(1).all(dim=1).nonzero().flatten().tolist()
            assert int(data.targets[row]) == label
            rows.append(row)
    assert len(set(rows)) == 8


def test_edc_may_begin_with_the_set_of_rded_under_its_first_teacher(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, surroundings = inversions.watch().calls, inversions.here(tmp_path)
    inversions.made(surroundings, f"edc:iterations=1,init=rded,batch=3,{BOTH}")
    stitched = inversions.canvases(inversions.made(surroundings, "rded:teacher=[trained:recipe=weak]"))
    start = torch.cat([call["start"] for call in calls])
    assert torch.equal(start, surroundings.teacher("trained:recipe=weak").normalised(stitched))
    with pytest.raises(UnsupportedError, match=r"rded at ipc 7.*needs 7 images"):
        inversions.made(surroundings, "edc:teachers=[trained],iterations=1,init=rded", ipc=7)


def test_the_revision_of_edc_is_raised_with_that_of_the_set_that_it_may_begin_with() -> None:
    registry = Registry()
    assert [registry.build("compressor", name).revision for name in ("edc", "rded")] == [2, 1]


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("alpha=1.0", "alpha"),
        ("drop=1.0", "drop"),
        ("crop=none-such", "crop"),
        ("teachers=[]", "names nobody"),
        ("images=0", "images"),
        ("teachers=[trianed]", "trianed"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(name: str, values: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        Registry().build("compressor", f"{name}:{values}")


@pytest.mark.parametrize("name", NAMES)
def test_what_the_teachers_or_the_data_cannot_serve_is_refused(name: str, inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    with pytest.raises(UnsupportedError, match=r"images=3 takes statistics of fewer images.*classes \(4\)"):
        inversions.made(surroundings, f"{name}:teachers=[trained],images=3")
    with pytest.raises(UnsupportedError, match=r"canvases of 16 px.*takes 8 px.*teachers=\[trained\]"):
        surroundings.compress(f"{name}:teachers=[trained]", surroundings.data, Budget(ipc=1, classes=4, size=16))
    # Convolutions without BatchNorm are enough; neither is not.
    teacher = surroundings.teacher("trained:recipe=weak")
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in teacher.module.modules())
    assert len(inversions.made(surroundings, f"{name}:iterations=1,teachers=[trained:recipe=weak]")) == 8
    linear = replace(teacher, module=nn.Sequential(nn.Flatten(), nn.Linear(192, 4)))
    with pytest.raises(UnsupportedError, match="has neither"):
        method(name)._check_teacher(linear, 8)


def test_nested_references_give_several_architectures_and_print_as_they_are_read() -> None:
    registry = Registry()
    text = "gvbsm:teachers=[trained,trained:model=[convnet:width=8,norm=batch],trained:recipe=weak,model=resnet-light]"
    found = method(text)
    assert found.teachers is not None
    assert [str(one) for one in found.teachers] == [
        "trained",
        "trained:model=[convnet:width=8,norm=batch]",
        "trained:recipe=weak,model=resnet-light",
    ]
    assert registry.build("compressor", registry.label(found)) == found


# -- values ------------------------------------------------------------------------------------------------------------

# Of the scripts: iterations, learning rate, weight, alpha, drop, images of a process, crop, smallest area, patch.
PAPERS = {
    ("gvbsm", "imagenet1k-soft"): (4000, 0.1, 0.01, 0.4, 0.0, 40, "resized", 0.08, 16),
    ("gvbsm", "tiny-imagenet-soft"): (4000, 0.05, 0.01, 0.8, 0.4, 50, "padded", 0.08, 4),
    ("gvbsm", "cifar100-soft"): (4000, 0.05, 0.01, 0.8, 0.4, 50, "padded", 0.08, 4),
    ("gvbsm", "cifar10-soft"): (4000, 0.05, 0.01, 0.8, 0.4, 100, "padded", 0.08, 4),
    ("edc", "imagenet1k-soft"): (1000, 0.05, 0.1, 0.8, 0.0, 20, "resized", 0.5, 16),
    ("edc", "tiny-imagenet-soft"): (2000, 0.05, 0.01, 0.8, 0.0, 25, "resized", 0.5, 4),
    ("edc", "cifar100-soft"): (2000, 0.05, 0.01, 0.8, 0.0, 25, "resized", 0.5, 4),
    ("edc", "cifar10-soft"): (75, 0.05, 0.01, 0.8, 0.0, 10, "resized", 0.08, 4),
}


@pytest.mark.parametrize(("name", "protocol"), PAPERS)
def test_the_values_are_the_papers_and_none_is_left_open(name: str, protocol: str) -> None:
    found = method(name).settings(Registry().protocols.find(protocol), None)
    keys = ("iterations", "lr", "weight", "alpha", "drop", "batch", "crop", "min_area", "patch")
    assert tuple(found[key].value for key in keys) == PAPERS[name, protocol]
    assert {key for key, one in found.items() if one.value is None} == {"images"}
    assert "recover.sh" in found["lr"].source
    assert found["first"].value == 10.0
    if name == "gvbsm":
        assert (found["roll"].value, found["spread"].value, found["tau"].value) == ((0, 32), 1.0, 4.0)
    else:
        assert found["init"].value == ("rded" if "imagenet1k" in protocol else "real")
        assert found["category"].value == 0.5


FIVE = ["resnet18-3x3", "convnet", "mobilenet-v2-half", "wide-resnet", "shufflenet-v2-half"]
THIN = ["convnet:depth=1", "convnet:depth=2", "convnet:width=32"]
IMAGENET = [f"torchvision/{name}" for name in ("resnet18", "mobilenet_v2", "efficientnet_b0", "shufflenet_v2_x0_5")]


@pytest.mark.parametrize(
    ("name", "size", "classes", "models"),
    [
        ("gvbsm", 32, 10, FIVE),
        ("gvbsm", 32, 100, FIVE),
        ("gvbsm", 64, 200, FIVE),
        ("edc", 32, 10, FIVE + THIN),
        ("edc", 32, 100, FIVE + THIN),
        ("edc", 64, 200, FIVE),
    ],
)
def test_open_teachers_are_the_papers(name: str, size: int, classes: int, models: list[str]) -> None:
    registry = Registry()
    found = registry.complete(registry.build(Compressor, f"{name}:lr=0.5"), size, classes)
    assert isinstance(found, StatisticalMatching)
    assert found.teachers is not None
    assert [str(one) for one in found.teachers] == [
        f"trained:model=[{model}]" if ":" in model else f"trained:model={model}" for model in models
    ]
    # Named one by one they are the same method, and one more completion changes nothing.
    named = registry.build(Compressor, registry.reference(found))
    assert registry.definition(named) == registry.definition(found)
    assert registry.complete(found, size, classes) is found


def test_on_imagenet_they_are_torchvisions() -> None:
    registry = Registry()
    for name, expected in (("gvbsm", IMAGENET), ("edc", [*IMAGENET, "torchvision/alexnet"])):
        found = registry.complete(registry.build(Compressor, name), 224, 1000)
        assert isinstance(found, StatisticalMatching)
        assert [str(one) for one in found.teachers or ()] == expected
        shown = method(name).settings(registry.protocols.find("imagenet1k-soft"), None)["teachers"]
        assert ([str(one) for one in shown.value], "recover.sh" in shown.source) == (expected, True)
        assert registry.label(registry.build(Compressor, name)) == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("size", "classes"), [(8, 10), (28, 10), (224, 20), (128, 1000)])
def test_where_the_paper_has_none_somebody_must_name_them(name: str, size: int, classes: int) -> None:
    registry = Registry()
    with pytest.raises(
        UnsupportedError, match=rf"these have {size} px and {classes} classes.*teachers=\[trained\], it is"
    ):
        registry.complete(registry.build(Compressor, name), size, classes)
    one = registry.build(Compressor, f"{name}:teachers=[trained]")
    assert registry.complete(one, size, classes) is one
    if size == 8:
        # Before anything is read or trained.
        with pytest.raises(UnsupportedError, match="these have 8 px"):
            resolve_run(Request(name, dataset="digits"), registry, Cache())
        shown = method(name).settings(registry.protocols.find("digits-soft"), None)["teachers"]
        assert (shown.value, shown.source.startswith("to be named")) == (None, True)


def test_densification_is_of_the_views_of_each_class(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = inversions.watch().calls
    inversions.made(inversions.here(tmp_path), "gvbsm:teachers=[trained],iterations=1,spread=3.0,tau=2.0", ipc=3)
    views = torch.randn((12, 3, 8, 8))
    classes = torch.stack([views[calls[0]["labels"] == label] for label in range(4)])
    assert float(calls[0]["prior"](views)) == pytest.approx(3 * float(densification(classes, 2.0)))
    inversions.made(inversions.here(tmp_path), "gvbsm:teachers=[trained],iterations=1,spread=0.0", ipc=3)
    assert calls[1]["prior"] is None
