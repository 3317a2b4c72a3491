"""DataDAM: its distance beside the authors' code, its values, one step by hand, what is refused.

Golden numbers are those of DataDistillation/DataDAM at 0f6ea09 under float32 on a CPU: ``get_attention`` of utils.py,
``error`` (MSE_B) of main_DataDAM.py and ``ConvNet`` of networks.py (depth 2, width 4, 8 px), on the waves below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.contracts import Compressor, Model
from rethinkdc.distillation import DistributionMatching, attention_maps, rectified
from rethinkdc.errors import UnsupportedError
from rethinkdc.models import build_seeded
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import context, images
from rethinkdc.types import Budget

NETWORK = "network=[convnet:depth=2,width=4]"


def method(reference: str) -> DistributionMatching:
    found = Registry().build("compressor", reference)
    assert isinstance(found, DistributionMatching)
    return found


def wave(shape: tuple[int, ...], pace: float) -> Tensor:
    count = torch.Size(shape).numel()
    return torch.sin(pace * torch.arange(1, count + 1, dtype=torch.float32)).view(shape)


def test_attention_is_that_of_the_authors_code() -> None:
    layer = wave((6, 3, 2, 2), 0.7)
    for power, expected in (
        (1, [0.234043, 0.581515, 0.655492, 0.421181]),
        (4, [0.06112, 0.556601, 0.795997, 0.229888]),
    ):
        assert attention_maps(layer, power)[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("power", "loss", "slope"), [(4, 215.704376, 69.890984), (1, 7.806591, 17.331796)])
def test_the_distance_and_its_gradient_are_those_of_the_authors_code(power: int, loss: float, slope: float) -> None:
    """Two classes of three real and two synthetic images: theirs are one loss, ours a distance for each class."""
    registry = Registry()
    network = build_seeded(registry.build("model", "convnet:depth=2,width=4"), 2, 8, 0)  # type: ignore[arg-type]
    with torch.no_grad():
        for place, parameter in enumerate(network.parameters(), start=1):
            parameter.copy_(wave(tuple(parameter.shape), 0.1 * place))
    real, made = wave((6, 3, 8, 8), 0.37), wave((4, 3, 8, 8), 0.53).requires_grad_()
    datadam, values = method(f"datadam:power={power}"), {"balance": 0.01}
    pairs = zip(real.split(3), made.split(2), strict=True)
    found = torch.stack([datadam.distance(network, ours, theirs, values) for ours, theirs in pairs]).sum()
    (gradient,) = torch.autograd.grad(found, made)
    assert found.item() == pytest.approx(loss, rel=1e-5)
    assert gradient.norm().item() == pytest.approx(slope, rel=1e-4)


def test_what_relus_give_is_kept_before_it_is_written_over() -> None:
    """The ReLU that follows writes in place; hooks are gone afterwards."""
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Hardtanh(-1.0, 0.5, inplace=True), nn.Flatten(), nn.Linear(3, 2))
    with rectified(module) as seen:
        found = seen(torch.tensor([-1.0, 0.25, 2.0]).view(1, 3, 1, 1))
    assert found.layers[0].flatten().tolist() == [0.0, 0.25, 2.0]
    assert found.features.tolist() == [[0.0, 0.25, 0.5]]
    assert not any(layer._forward_hooks for layer in module.modules())


@pytest.mark.parametrize(
    ("protocol", "balance", "network"),
    [
        ("cifar10-hard", 0.01, "convnet"),
        ("cifar100-hard", 0.01, "convnet"),
        ("tiny-imagenet-hard", 0.02, "convnet:depth=4"),
        ("imagenet1k-hard", 0.02, "convnet:depth=5"),
    ],
)
def test_values_are_those_of_the_authors_table(protocol: str, balance: float, network: str) -> None:
    found = method("datadam").settings(Registry().protocols.find(protocol), 10)
    told: dict[str, Any] = {key: found[key].value for key in ("iterations", "power", "balance", "lr", "momentum")}
    assert told == {"iterations": 8000, "power": 4.0, "balance": balance, "lr": 1.0, "momentum": 0.5}
    assert str(found["network"].value) == network
    assert "HPTable" in found["balance"].source


def test_rates_of_many_images_are_ten_times_as_large() -> None:
    protocol = Registry().protocols.find("cifar10-hard")
    assert [method("datadam").settings(protocol, ipc)["lr"].value for ipc in (50, 51)] == [1.0, 10.0]
    assert method("datadam:lr=0.5").settings(protocol, 51)["lr"] == (0.5, "given")


def test_one_iteration_is_one_step_down_the_distance(tmp_path: Path) -> None:
    here = context(tmp_path, data=images(classes=3, per_class=12, size=8), protocol="digits-hard")
    reference = f"datadam:iterations=1,strategies=[],batch=12,lr=0.02,{NETWORK}"
    found = here.compress(reference, here.data, Budget(ipc=2, classes=3, size=8))
    datadam = here.method(Compressor, reference)
    assert isinstance(datadam, DistributionMatching)
    seed = here.seeds.of("set", "network", 0)
    network = build_seeded(here.method(Model, "convnet:depth=2,width=4"), 3, 8, seed)
    mean, std = 0.305, 0.376
    for label in range(3):
        rows = torch.arange(12) + 12 * label
        order = torch.randperm(12, generator=here.generator("set", "init", label))[:2]
        start = here.data.canvases(rows[order], 8).float().div(255).sub(mean).div(std).requires_grad_()
        real = here.data.canvases(rows, 8).float().div(255).sub(mean).div(std)
        (gradient,) = torch.autograd.grad(datadam.distance(network, real, start, {"balance": 0.01}), start)
        expected = ((start - 0.02 * gradient) * std + mean).detach().clamp(0, 1).mul(255)
        stored = found.canvases(torch.tensor([2 * label, 2 * label + 1]), 8).float()
        assert float((stored - expected).abs().max()) <= 0.51
        assert float((stored - (start.detach() * std + mean) * 255).abs().max()) > 2


def test_networks_with_too_few_relus_or_with_batchnorm_are_refused(tmp_path: Path) -> None:
    here = context(tmp_path, data=images(classes=3, per_class=4, size=8), protocol="digits-hard")
    for network, match in (
        ("convnet:depth=1,width=4", r"every ReLU but the last gives, and convnet:depth=1,width=4 has 1"),
        ("convnet:depth=2,width=4,norm=batch", r"statistics of BatchNorm"),
    ):
        with pytest.raises(UnsupportedError, match=match):
            here.compress(f"datadam:iterations=1,network=[{network}]", here.data, Budget(ipc=1, classes=3, size=8))
