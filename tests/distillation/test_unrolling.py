"""The gradient of a matching: beside the unrolled training, and beside numbers that the authors' loops gave."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from rethinkdc.distillation import Learned, StudentStep, Weights, match
from rethinkdc.distillation.unrolling import Pull, Through
from rethinkdc.plugins.models.convnet import ConvNet

RATE = 0.05
BATCHES = ([5, 3], [0, 2, 4, 1], [2, 4], [1, 0, 5, 3])
HARD, SOFT = torch.arange(3).repeat_interleave(2), "soft"

# Made in float64 by the authors' own lines, from their first step to their gradients, on the network, weights, images
# and batches of `surroundings`, without augmentation: loss, gradient by the rate, sum and norm of that by the images,
# its first three values, and that by the first image's label.
# MTT: GeorgeCazenavette/mtt-distillation at 50dccea, distill.py, `for step in range(args.syn_steps)` to backward().
# DATM: NUS-HPC-AI-Lab/DATM at 97ae510, distill/DATM.py, likewise; and distill/DATM_tesla.py for "each".
# TESLA: justincui03/tesla at 488842e, distill.py. There the images' gradient is half of this one: its `2 * grad(...)`
# repeats a tuple. Its numbers are doubled here.
GOLDEN: dict[tuple[str, Through], tuple[float, float, float, float, list[float], list[float]]] = {
    ("hard", "all"): (
        1.02534093963,
        0.749206900185,
        -0.00468843132703,
        0.0734338548766,
        [-0.0006561819199259863, 0.002350368246615876, 0.0017610720416018136],
        [],
    ),
    ("soft", "all"): (
        1.03535323311,
        1.05255055852,
        0.017843933108,
        0.0534612020598,
        [-0.00040226190856895553, 0.0017531271118988423, 0.0015758306685124987],
        [0.008500037954340064, -0.007919332005621177, -0.0005807059487188888],
    ),
    ("hard", "each"): (
        1.02534093963,
        0.752195768926,
        -0.0050321632803,
        0.0752076920276,
        [-0.0006810158473988726, 0.0023929618185096324, 0.0018131159901789728],
        [],
    ),
    ("soft", "each"): (
        1.03535323311,
        1.18739692286,
        0.0193251030443,
        0.0566622486731,
        [-0.0004455687842717835, 0.0018094039993128428, 0.001663028069978886],
        [0.00909132405632758, -0.008455239963171069, -0.000636084093156515],
    ),
}


def wave(*shape: int, phase: float, scale: float = 1.0) -> Tensor:
    """Numbers that every machine makes alike."""
    return scale * torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 1.7 + phase).reshape(shape)


def surroundings(labels: str, batches: tuple[list[int], ...] = BATCHES) -> tuple[nn.Module, Weights, Weights, Learned]:
    module = ConvNet(depth=1, width=4).build(3, 8).double()
    start, end = {}, {}
    for place, (name, tensor) in enumerate(module.named_parameters()):
        start[name] = wave(*tensor.shape, phase=place, scale=0.3)
        end[name] = start[name] + wave(*tensor.shape, phase=place + 0.5, scale=0.05)
    targets = HARD if labels == "hard" else wave(6, 3, phase=0.9, scale=2)
    learned = Learned(wave(6, 3, 8, 8, phase=0.2), targets, torch.tensor(RATE, dtype=torch.float64))
    return module, start, end, learned


def steps(view: bool = False) -> list[StudentStep]:
    seen = (lambda images: 1.1 * images + images.flip(3)) if view else (lambda images: images)
    return [StudentStep(torch.tensor(rows), seen) for rows in BATCHES]


def unrolled(module: nn.Module, start: Weights, end: Weights, learned: Learned, taken: list[StudentStep]) -> Pull:
    """The training as one graph."""
    images, rate, targets = learned.images.clone(), learned.rate.clone(), learned.targets.clone()
    wanted = [tensor.requires_grad_() for tensor in (images, rate, targets) if tensor.is_floating_point()]
    weights = {name: weight.clone().requires_grad_() for name, weight in start.items()}
    for step in taken:
        logits = functional_call(module, weights, (step.view(images[step.rows]),))
        own = targets[step.rows]
        loss = F.cross_entropy(logits, own.softmax(dim=1) if own.is_floating_point() else own)
        moved = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {name: weight - rate * by for (name, weight), by in zip(weights.items(), moved, strict=True)}
    missed = sum(((weights[name] - end[name]) ** 2).sum() for name in end)
    loss = torch.as_tensor(missed / sum(((start[name] - end[name]) ** 2).sum() for name in end))
    by_images, by_rate, *by_labels = torch.autograd.grad(loss, wanted)
    return Pull(loss, by_images, by_rate, by_labels[0] if by_labels else None)


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_step_by_step_the_gradient_is_that_of_the_whole_training(labels: str) -> None:
    module, start, end, learned = surroundings(labels)
    found, expected = match(module, start, end, learned, steps(view=True)), None
    expected = unrolled(module, start, end, learned, steps(view=True))
    for name in Pull._fields:
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        assert one is None or torch.allclose(one, other, rtol=1e-11, atol=1e-14), name
    assert learned.images.grad is None
    assert not learned.images.requires_grad


@pytest.mark.parametrize(("labels", "through"), GOLDEN)
def test_the_gradient_is_the_authors(labels: str, through: Through) -> None:
    found = match(*surroundings(labels), steps(), through)
    loss, rate, total, norm, first, label = GOLDEN[labels, through]
    assert float(found.loss) == pytest.approx(loss, rel=1e-9)
    assert float(found.rate) == pytest.approx(rate, rel=1e-9)
    assert float(found.images.sum()) == pytest.approx(total, rel=1e-8)
    assert float(found.images.norm()) == pytest.approx(norm, rel=1e-9)
    assert found.images[0, 0, 0, :3].tolist() == pytest.approx(first, rel=1e-9)
    assert (found.labels is None) == (not label)
    if found.labels is not None:
        assert found.labels[0].tolist() == pytest.approx(label, rel=1e-9)


def test_through_each_step_alone_it_is_another_gradient_from_two_steps_on() -> None:
    module, start, end, learned = surroundings("hard")
    for count, same in ((1, True), (2, False)):
        whole, alone = (match(module, start, end, learned, steps()[:count], through) for through in ("all", "each"))
        assert torch.equal(whole.loss, alone.loss)
        assert torch.allclose(whole.images, alone.images, rtol=1e-9) == same


def test_no_graph_outlives_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of steps, as many tensors are saved for a gradient at once as for one step."""
    held, most = [0], [0]

    class Saved:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor
            held[0] += 1
            most[0] = max(most[0], held[0])

        def __del__(self) -> None:
            held[0] -= 1

    peaks = []
    for count in (1, 4):
        most[0] = 0
        with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
            match(*surroundings("hard"), steps()[3:] * count)
        peaks.append(most[0])
    assert held[0] == 0
    assert 0 < peaks[1] <= peaks[0]
