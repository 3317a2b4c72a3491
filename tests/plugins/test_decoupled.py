"""DELT, FADRM, CV-DD and SRe2L++: what sets each apart, against the authors' functions and loops written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.distillation import BATCHNORM, Batch, StatisticsMatching, curriculum, from_the_middle, running_statistics
from rethinkdc.distillation.layer_statistics import Goal
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.plugins.distillation.cv_dd import committees, votes
from rethinkdc.plugins.distillation.delt import DELT, joining_rounds
from rethinkdc.plugins.distillation.fadrm import mixing
from rethinkdc.registry.registry import Registry
from rethinkdc.types import Budget, ViewKey
from rethinkdc.views import DifferentiableViews, Flip, RandomResizedCrop

LR, WEIGHT = 0.1, 0.05
OTHER = "trained:model=[wide-resnet:depth=10,widen=1]"


def written_out(
    surroundings: Any,
    start: Tensor,
    labels: Tensor,
    teachers: list[Any],
    iterations: int,
    *,
    seen: Callable[[int], list[int]] | None = None,
    area: Callable[[int], float] = lambda _: 0.08,
    shares: list[float] | None = None,
    edits: dict[int, Callable[[Tensor], Tensor]] | None = None,
    batch: int = 0,
) -> Tensor:
    """The loop that recover.py of all four has, on a CPU: pixels of 0..255 as they are before they are stored."""
    mean, std = (torch.tensor(getattr(teachers[0], key)).view(1, 3, 1, 1) for key in ("mean", "std"))
    current = start.clone().requires_grad_()
    adam = torch.optim.Adam([current], lr=LR, betas=(0.5, 0.9), eps=1e-8)
    watched = [
        StatisticsMatching(
            one.module, [BATCHNORM], [Goal(1.0, {BATCHNORM.name: running_statistics(one.module)})]
        ).__enter__()
        for one in teachers
    ]
    for iteration in range(iterations):
        if edits and iteration in edits:
            current = edits[iteration](current.detach()).clone().requires_grad_()
            adam = torch.optim.Adam([current], lr=LR, betas=(0.5, 0.9), eps=1e-8)
        adam.param_groups[0]["lr"] = 0.5 * (1 + math.cos(math.pi * iteration / iterations)) * LR
        rows = seen(iteration) if seen else list(range(len(labels)))
        side = current.shape[-1]
        views = DifferentiableViews([RandomResizedCrop(scale=(area(iteration), 1.0)), Flip()], size=side, shared=True)
        view = views.render(current[rows], ViewKey(surroundings.seeds.of("set", "inversion-views"), iteration, batch))
        weights = shares or [float(turn == iteration % len(teachers)) for turn in range(len(teachers))]
        loss = torch.zeros(())
        for weight, one, matching in zip(weights, teachers, watched, strict=True):
            if weight:
                own = F.cross_entropy(one.module(view), labels[rows])
                loss = loss + weight * (own + WEIGHT * matching.loss(10.0))
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            current.copy_(torch.maximum(torch.minimum(current, (1 - mean) / std), -mean / std))
    for matching in watched:
        matching.__exit__(None, None, None)
    return (current.detach() * std + mean) * 255


def alike(found: Tensor, expected: Tensor) -> bool:
    off = (found.float() - expected.clamp(0, 255)).abs()
    # Rounded; a pixel may lie on the other side of a half by the order of additions.
    return float(off.max()) < 0.6 and float((off > 0.501).float().mean()) < 0.02


# -- DELT --------------------------------------------------------------------------------------------------------------

# get_round_imgs_indx of recover/recover.py in VILA-Lab/DELT at f2f81ca, 4000 iterations in rounds of 500: how many
# images of a class take part in each round: of ten, of three, and of the second half of twenty, from round 3 on.
TAKING_PART = {
    (10, 0): [2, 4, 5, 6, 7, 8, 9, 10],
    (3, 0): [1, 2, 3, 3, 3, 3, 3, 3],
    (20, 10): [0, 0, 0, 2, 4, 6, 8, 10],
}


@pytest.mark.parametrize(("ipc", "first"), TAKING_PART)
def test_images_join_in_the_rounds_of_the_authors(ipc: int, first: int) -> None:
    joins = joining_rounds(torch.arange(first, first + min(10, ipc - first)), ipc, 8)
    assert [int((joins <= index).sum()) for index in range(8)] == TAKING_PART[ipc, first]
    assert joins.tolist() == sorted(joins.tolist())


def test_the_middle_is_the_authors() -> None:
    # store_medium of data_selection.py in VILA-Lab/DELT at f2f81ca, the places that it copies of 10 and of 7 images.
    assert from_the_middle(10, 5) == [5, 6, 4, 7, 3]
    assert from_the_middle(7, 4) == [4, 5, 3, 6]


def test_delt_is_the_loop_of_the_authors(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    found = inversions.made(surroundings, f"delt:iterations=8,rounds=4,batch=6,lr={LR},bn_weight={WEIGHT}", ipc=3)
    teacher, data = surroundings.teacher(), surroundings.data
    probabilities = teacher.logits(teacher.test.render(data, torch.arange(len(data)))).softmax(1)
    rows = []
    for label in range(4):
        own = (data.targets == label).nonzero().flatten()
        rows += own[probabilities[own, label].argsort(stable=True)][[3, 4, 2]].tolist()
    canvases = inversions.canvases(found)
    for batch in range(2):
        start = teacher.normalised(teacher.test.render(data, torch.tensor(rows[6 * batch : 6 * batch + 6])))
        labels = torch.tensor([2 * batch] * 3 + [2 * batch + 1] * 3)
        # One of each class in the first two iterations, two in the next two, then all three.
        taking = [[0, 3]] * 2 + [[0, 1, 3, 4]] * 2 + [[0, 1, 2, 3, 4, 5]] * 4
        expected = written_out(
            surroundings,
            start,
            labels,
            [teacher],
            8,
            seen=taking.__getitem__,
            area=lambda iteration: curriculum(iteration, 8, "cosine"),
            batch=batch,
        )
        assert alike(canvases[6 * batch : 6 * batch + 6], expected)
    assert found.targets.tolist() == [label for label in range(4) for _ in range(3)]


def test_a_batch_that_joins_late_has_fewer_iterations(inversions: Any, tmp_path: Path) -> None:
    calls = inversions.watch().calls
    inversions.made(inversions.here(tmp_path), "delt:iterations=8,rounds=4,batch=2", ipc=4)
    # Of each class the first two images join in rounds 0 and 1, the last two in rounds 2 and 3.
    assert [call["recipe"].iterations for call in calls] == [8, 4] * 4
    assert [[len(call["shown"](step)) for step in range(call["recipe"].iterations)] for call in calls[:2]] == [
        [1, 1, 2, 2, 2, 2, 2, 2],
        [1, 1, 2, 2],
    ]


def test_batches_of_delt_are_cut_where_they_are_full() -> None:
    batches = DELT().batches(Budget(ipc=3, classes=3, size=8), 4)
    assert [batch.labels.tolist() for batch in batches] == [[0, 0, 0, 1], [1, 1, 2, 2], [2]]
    assert [batch.copies.tolist() for batch in batches] == [[0, 1, 2, 0], [1, 2, 0, 1], [2]]


@pytest.mark.parametrize(("init", "ends"), [("easy", (5, 4)), ("hard", (0, 1))])
def test_delt_may_begin_at_either_end(init: str, ends: tuple[int, int], inversions: Any, tmp_path: Path) -> None:
    calls, surroundings = inversions.watch().calls, inversions.here(tmp_path)
    inversions.made(surroundings, f"delt:iterations=1,rounds=1,init={init}")
    teacher, data = surroundings.teacher(), surroundings.data
    shown = teacher.test.render(data, torch.arange(6))
    order = teacher.logits(shown).softmax(1)[:, 0].argsort(stable=True)
    assert torch.equal(calls[0]["start"][:2], teacher.normalised(shown[order[list(ends)]]))
    with pytest.raises(UnsupportedError, match=r"begins from 7 real images of every class.*has 6.*smaller --ipc"):
        inversions.made(surroundings, f"delt:init={init}", ipc=7)


# -- FADRM -------------------------------------------------------------------------------------------------------------


def test_fadrm_is_the_loop_of_the_authors(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    found = inversions.made(
        surroundings,
        f"fadrm:iterations=8,stages=4,small=6,lr={LR},bn_weight={WEIGHT},roll=[0,0],batch=4,teachers=[{OTHER},{OTHER}]",
    )
    teacher = surroundings.teacher(OTHER)
    stitched = surroundings.compress(f"rded:teacher=[{OTHER}]", surroundings.data, Budget(ipc=2, classes=4, size=8))
    canvases, labels = inversions.canvases(found), torch.arange(4)
    for copy in range(2):
        real = teacher.normalised(stitched.canvases(torch.arange(4) * 2 + copy, 8))

        def mixed(side: int, real: Tensor = real) -> Callable[[Tensor], Tensor]:
            def at(images: Tensor) -> Tensor:
                pair = [F.interpolate(one, size=(side, side), mode="bilinear") for one in (images, real)]
                return 0.5 * pair[0] + 0.5 * pair[1]

            return at

        expected = written_out(
            surroundings,
            F.interpolate(real, size=(6, 6), mode="bilinear"),
            labels,
            [teacher, teacher],
            8,
            edits={2: mixed(8), 4: mixed(6), 6: mixed(8)},
            batch=copy,
        )
        assert alike(canvases[found.targets.argsort(stable=True)].view(4, 2, 3, 8, 8)[:, copy], expected)


def test_what_is_mixed_in_is_brought_to_the_size_of_the_stage() -> None:
    real, images = torch.rand((2, 3, 8, 8)), torch.rand((2, 3, 6, 6))
    assert torch.equal(mixing(real, 8, 0.0)(images), real)
    assert torch.equal(mixing(real, 6, 1.0)(images), images)
    half = mixing(real, 8, 0.5)(images)
    assert torch.allclose(half, (F.interpolate(images, size=(8, 8), mode="bilinear") + real) / 2)


def test_fadrm_refuses_a_teacher_that_takes_one_size_alone(inversions: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"shows images of 6 px in every other stage.*Set small=8"):
        inversions.made(inversions.here(tmp_path), "fadrm:small=6,teachers=[trained]")
    with pytest.raises(UnsupportedError, match="fadrm matches the statistics of BatchNorm layers"):
        inversions.made(inversions.here(tmp_path), "fadrm:teachers=[trained:recipe=weak]")


@pytest.mark.parametrize("dies", [3, 5])
def test_a_stage_that_was_killed_goes_on_at_its_own_size(
    dies: int, inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rethinkdc.training.checkpoint import Resumable

    reference = f"fadrm:iterations=8,stages=4,small=6,batch=4,teachers=[{OTHER}]"
    expected = inversions.canvases(inversions.made(inversions.here(tmp_path / "one"), reference, ipc=1))
    original = Resumable.keep

    restored: list[int] = []
    restore = Resumable.restore

    def kept(self: Resumable, state: Any, *, now: bool = False, done: int | None = None) -> bool:
        written = original(self, state, now=True, done=done)
        if done == dies:
            raise KeyboardInterrupt
        return written

    def watched(self: Resumable) -> dict[str, Any] | None:
        found = restore(self)
        if found and "images" in found:
            restored.append(found["images"].shape[-1])
        return found

    monkeypatch.setattr(Resumable, "keep", kept)
    with pytest.raises(KeyboardInterrupt):
        inversions.made(inversions.here(tmp_path / "two"), reference, ipc=1)
    monkeypatch.setattr(Resumable, "keep", original)
    monkeypatch.setattr(Resumable, "restore", watched)
    found = inversions.canvases(inversions.made(inversions.here(tmp_path / "two"), reference, ipc=1))
    assert torch.equal(found, expected)
    # Stages of two iterations at 6, 8, 6 and 8 px.
    assert restored == [{3: 8, 5: 6}[dies]]


# -- CV-DD -------------------------------------------------------------------------------------------------------------


def test_committees_are_all_pairs_once_or_drawn(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    # The sequence of recover.py with --model-setting 5 in Jiacheng8/CV-DD at 24097e9: ten images per class.
    assert committees(5, 2, 10, surroundings) == [
        *[(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)],
    ]
    drawn = committees(5, 2, 50, surroundings)
    assert drawn == committees(5, 2, 50, surroundings)
    assert drawn != committees(5, 2, 50, inversions.here(tmp_path / "other", set=1))
    assert all(first < second for first, second in drawn)


def test_votes_are_the_authors() -> None:
    # load_recover_model of recover/utils_recover.py with --voter-type prior, for ResNet18 and ResNet50 on CIFAR-10.
    assert votes([63.0, 65.3], 5.0) == pytest.approx([0.38698582, 0.61301418], abs=1e-7)
    assert votes([1.0, 1.0], 5.0) == [0.5, 0.5]


def test_cv_dd_is_the_loop_of_the_authors(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    named = ["trained", "trained:model=[convnet:depth=1,width=4,norm=batch]", OTHER]
    found = inversions.made(
        surroundings,
        f"cv-dd:iterations=5,lr={LR},bn_weight={WEIGHT},roll=[0,0],batch=4,init=real,priors=[60.0,50.0,55.0],"
        f"teachers=[{','.join(named)}]",
        ipc=3,
    )
    teachers = [surroundings.teacher(one) for one in named]
    canvases = inversions.canvases(found)[found.targets.argsort(stable=True)].view(4, 3, 3, 8, 8)
    calls = inversions.watch().calls
    inversions.made(surroundings, f"dwa:iterations=1,batch=4,teacher=[{named[0]}]", ipc=3)
    for copy, (pair, weights) in enumerate([((0, 1), [60.0, 50.0]), ((0, 2), [60.0, 55.0]), ((1, 2), [50.0, 55.0])]):
        start = calls[copy]["start"]
        powers = torch.tensor(weights).div(5).softmax(0).tolist()
        # The first teacher of all keeps the images: here all have one normalisation.
        expected = written_out(
            surroundings, start, torch.arange(4), [teachers[one] for one in pair], 5, shares=powers, batch=copy
        )
        assert alike(canvases[:, copy], expected)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("teachers=[trained]", r"members=2 are more than there are teachers \(1\)"),
        ("priors=[1.0],teachers=[trained,trained:recipe=strong]", "priors has 1 numbers for 2 teachers"),
    ],
)
def test_a_committee_that_cannot_be_is_refused(values: str, told: str, inversions: Any, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=told):
        inversions.made(inversions.here(tmp_path), f"cv-dd:iterations=1,init=real,{values}")


# -- SRe2L++, and the values of all four -------------------------------------------------------------------------------


def test_sre2lpp_begins_with_the_set_of_rded(inversions: Any, tmp_path: Path) -> None:
    calls, surroundings = inversions.watch().calls, inversions.here(tmp_path)
    inversions.made(surroundings, "sre2lpp:iterations=1,batch=4")
    stitched = surroundings.compress("rded", surroundings.data, Budget(ipc=2, classes=4, size=8))
    for copy, call in enumerate(calls):
        rows = torch.arange(4) * 2 + copy
        assert torch.equal(call["start"], surroundings.teacher().normalised(stitched.canvases(rows, 8)))


# Of the authors' scripts: iterations, rate, weight, batch, crop, roll.
PAPERS = {
    ("sre2lpp", "imagenet1k-soft"): (4000, 0.25, 0.01, 100, True, (0, 32)),
    ("sre2lpp", "tiny-imagenet-soft"): (4000, 0.25, 0.01, 100, True, (0, 4)),
    ("sre2lpp", "cifar10-soft"): (4000, 0.25, 0.01, 10, True, (0, 4)),
    ("cv-dd", "imagenet1k-soft"): (4000, 0.25, 0.01, 100, True, (0, 32)),
    ("cv-dd", "cifar10-soft"): (4000, 0.25, 0.01, 10, True, (0, 4)),
    ("delt", "imagenet1k-soft"): (4000, 0.25, 0.01, 100, True, (0, 0)),
    ("fadrm", "imagenet1k-soft"): (2000, 0.25, 0.01, 100, True, (0, 32)),
    ("fadrm", "tiny-imagenet-soft"): (1000, 0.01, 0.01, 100, True, (0, 4)),
    ("fadrm", "cifar100-soft"): (2000, 0.25, 0.01, 100, True, (0, 4)),
}


@pytest.mark.parametrize(("name", "protocol"), PAPERS)
def test_the_values_are_the_papers(name: str, protocol: str) -> None:
    found = Registry().build(Compressor, name).settings(Registry().protocols.find(protocol), None)
    keys = ("iterations", "lr", "bn_weight", "batch", "crop", "roll")
    assert tuple(found[key].value for key in keys) == PAPERS[name, protocol]


def test_the_teachers_are_the_papers_where_they_can_be_had() -> None:
    registry = Registry()

    def teachers(name: str, size: int, classes: int) -> list[str]:
        completed = registry.complete(registry.build(Compressor, name), size, classes)
        return [str(one) for one in completed.teachers]  # type: ignore[attr-defined]

    pool = ("resnet18", "resnet50", "shufflenet_v2_x1_0", "mobilenet_v2", "densenet121")
    assert teachers("cv-dd", 224, 1000) == [f"torchvision/{name}" for name in pool]
    assert teachers("fadrm", 224, 1000) == ["torchvision/resnet18"]
    assert teachers("fadrm", 32, 10) == teachers("fadrm", 64, 200) == ["trained:model=resnet18-3x3"]
    for name, size in (("cv-dd", 32), ("fadrm", 8)):
        with pytest.raises(UnsupportedError, match=rf"{name}'s paper names no teachers .* {size} px and 10 classes"):
            teachers(name, size, 10)
    shown = registry.build(Compressor, "cv-dd").settings(registry.protocols.find("imagenet1k-soft"), None)
    assert shown["priors"].value == (56.4, 42.3, 52.5, 44.2, 40.6)


def test_batches_of_one_image_of_each_class_are_kept() -> None:
    batches: list[Batch] = (
        Registry()
        .build(Compressor, "cv-dd")
        .batches(  # type: ignore[attr-defined]
            Budget(ipc=2, classes=3, size=8), 2
        )
    )
    assert [batch.copies.unique().tolist() for batch in batches] == [[0], [0], [1], [1]]
