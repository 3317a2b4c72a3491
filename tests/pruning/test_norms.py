"""Norms of single rows' gradients against one backward pass per row."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.pruning import norms
from rethinkdc.pruning.norms import gradient_norms
from rethinkdc.seeds import generator


def network() -> nn.Module:
    """With batch norm, whose statistics are not those of the rows, and frozen as a proxy is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(45, 4)
        )
        made(torch.randn(16, 3, 5, 5))
    return made.eval().requires_grad_(False)


def rows(count: int) -> tuple[Tensor, Tensor]:
    draws = generator(1)
    return torch.randn((count, 3, 5, 5), generator=draws), torch.randint(0, 4, (count,), generator=draws)


def one_by_one(made: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    made.requires_grad_(True)
    found = []
    for index in range(len(inputs)):
        loss = nn.functional.cross_entropy(made(inputs[index : index + 1]), targets[index : index + 1])
        gradients = torch.autograd.grad(loss, list(made.parameters()))
        found.append(torch.cat([value.flatten() for value in gradients]).norm())
    made.requires_grad_(False)
    return torch.stack(found).detach().double()


@pytest.mark.parametrize("held", [1, 4, 100])
def test_each_row_has_the_norm_of_its_own_gradient_also_in_the_last_smaller_batch(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reference implementation divides by the batch, so that rows of the last one look harder."""
    made, (inputs, targets) = network(), rows(11)
    size = sum(value.nbytes for value in made.parameters())
    monkeypatch.setattr(norms, "_CHUNK_BYTES", held * size)
    found = gradient_norms(made, inputs, targets)
    assert found.dtype == torch.float64
    assert torch.allclose(found, one_by_one(made, inputs, targets), rtol=1e-5)


def test_the_network_is_left_as_it_was() -> None:
    made, (inputs, targets) = network(), rows(5)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    next(made.parameters()).requires_grad_(True)
    gradient_norms(made, inputs, targets)
    assert [value.requires_grad for value in made.parameters()] == [True, False, False, False, False, False]
    assert all(value.grad is None for value in made.parameters())
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_batch_statistics_are_refused() -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        gradient_norms(network().train(), *rows(2))
