"""In what numbers networks compute, and that nothing is computed in others under their name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.choices import Precision
from rethinkdc.data import CanvasStore, DecodedImages
from rethinkdc.errors import RequestError
from rethinkdc.models import build_seeded
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Recipe, train_network
from rethinkdc.training.precision import computing, require_precision, widened
from rethinkdc.types import ViewRule
from rethinkdc.views import Flip, Views

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ROWS, CLASSES, SIZE = 16, 3, 8
PIXELS = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))


def train(precision: Precision | None) -> tuple[Tensor, list[torch.dtype]]:
    """The weights after three epochs, and the type of what the network's last layer is given in each step."""
    network, seen = build_seeded(ConvNet(depth=1, width=8), CLASSES, SIZE, 0), list[torch.dtype]()
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    last.register_forward_hook(lambda *given: seen.append(given[2].dtype))
    recipe, views = Recipe(epochs=3, batch=8), Views((Flip(),), None, size=SIZE, rule=ViewRule(), cell_boxes=None)
    train_network(
        network, CanvasStore(IMAGES, SIZE), IMAGES.targets, views, HardTargets(), recipe,
        recipe.length(ROWS), mean=(0.5,) * 3, std=(0.25,) * 3, seeds=LoopSeeds(1, 2, 3), device=CPU,
        precision=precision,
    )  # fmt: skip
    weights = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert weights.dtype == torch.float32
    return weights, seen


def test_a_network_is_trained_in_the_numbers_that_are_asked_for() -> None:
    usual, exact, coarse = train(None), train("float32"), train("bf16")
    assert torch.equal(exact[0], usual[0])
    assert set(usual[1]) == set(exact[1]) == {torch.float32}
    assert set(coarse[1]) == {torch.bfloat16}
    assert not torch.equal(coarse[0], exact[0])
    torch.testing.assert_close(coarse[0], exact[0], rtol=0, atol=0.05)


@pytest.fixture
def own_setting() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.usefixtures("own_setting")
@pytest.mark.parametrize("precision", ["float32", "tf32", "tf32-conv", "bf16"])
def test_settings_hold_inside_and_come_back(precision: Precision) -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    for before in (False, True):
        matmul.allow_tf32 = before
        with computing(CPU, precision):
            assert matmul.allow_tf32 == (precision == "tf32")
            assert cudnn.allow_tf32 == (precision in ("tf32", "tf32-conv"))
            product = torch.ones(2, 2) @ torch.ones(2, 2)
            assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)
        assert matmul.allow_tf32 == before
        assert not torch.is_autocast_enabled("cpu")
        with pytest.raises(KeyError), computing(CPU, precision):
            raise KeyError
        assert matmul.allow_tf32 == before


def test_weights_that_are_trained_inside_are_cast_anew() -> None:
    layer = nn.Linear(4, 4, bias=False)
    with computing(CPU, "bf16"):
        before = layer(torch.ones(1, 4))
        with torch.no_grad():
            layer.weight.zero_()
        assert bool(before.any())
        assert not bool(layer(torch.ones(1, 4)).any())


def test_a_cpu_has_no_tf32_and_says_what_it_has() -> None:
    require_precision("float32", CPU)
    require_precision("bf16", CPU)
    with pytest.raises(RequestError, match=r"precision = tf32: .* cpu has none; .* --precision float32, or bf16"):
        require_precision("tf32", CPU)
    with pytest.raises(RequestError, match="precision = tf32-conv: TF32 is arithmetic of NVIDIA GPUs"):
        require_precision("tf32-conv", CPU)


@pytest.mark.parametrize(("capability", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_older_gpus_have_neither(capability: tuple[int, int], has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    require_precision("float32", CUDA)
    for precision in ("tf32", "tf32-conv", "bf16"):
        if has:
            require_precision(precision, CUDA)
        else:
            with pytest.raises(RequestError, match="Use --precision float32, or another --device"):
                require_precision(precision, CUDA)


def test_few_bits_are_widened_and_many_stay() -> None:
    for given, wanted in ((torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64,) * 2):
        assert widened(torch.ones(1, dtype=given)).dtype == wanted


@pytest.mark.gpu
def test_a_gpu_computes_in_what_it_is_asked_for() -> None:
    """Relative errors of a product of 512 numbers: 24 bits, 11 bits and 8 bits of mantissa."""
    one, other = (torch.rand(512, 512, generator=generator(seed)) for seed in (0, 1))
    exact = one.double() @ other.double()
    errors = {}
    for precision in ("float32", "tf32", "bf16"):
        with computing(CUDA, precision):
            found = (one.cuda() @ other.cuda()).double().cpu()
        errors[precision] = float((found - exact).abs().max() / exact.abs().max())
    assert errors["float32"] < 1e-6 < errors["tf32"] < 1e-3 < errors["bf16"] < 1e-2
