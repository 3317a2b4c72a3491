"""Class-wise statistics of LPLD and EDC at scale: their book-keeping by itself, and beside real forward passes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from rethinkdc.distillation import BATCHNORM, CONVOLUTION, Moments, SampleMoments, Statistic, gather, patches
from rethinkdc.distillation.statistics import flattened, unflattened
from rethinkdc.storage import load_tensors, write_tensors
from tests.benchmarks.scale.networks import resnet18
from tests.benchmarks.scale.scenario import Facts, Scenario
from tests.benchmarks.scale.tables import Tables

KINDS: dict[str, tuple[Statistic, ...]] = {"lpld": (BATCHNORM,), "edc": (BATCHNORM, CONVOLUTION, patches(16))}
"""What each gathers under one teacher, with the paper's patches for ImageNet-1K."""
_BATCH = 128


def scenarios() -> Iterator[Scenario]:
    """Of ResNet-18: merging of batches, and whole passes."""
    for name in KINDS:
        yield Scenario("statistics", f"{name} merging", partial(_merge, name))
        yield Scenario("statistics", f"{name} passes", partial(_pass, name))


def _merge(name: str, tables: Tables, folder: Path) -> Facts:
    """All batches of the data in random order, as the layers would give them; written and read back."""
    network, draws = resnet18(tables.shape.outputs, tables.shape.side), torch.Generator().manual_seed(0)
    layers = _layers(KINDS[name], network, tables.shape.side)
    seen = {
        place: SampleMoments(49, torch.randn((_BATCH, numbers), generator=draws), torch.rand((_BATCH, numbers)))
        for place, numbers in layers.items()
    }
    gathered = {place: Moments.empty(tables.shape.classes, numbers) for place, numbers in layers.items()}
    targets, begun = tables.shape.targets, time.process_time()
    for rows in torch.randperm(tables.shape.rows, generator=draws).split(_BATCH):
        owners = targets[rows]
        for place, (values, mean, variance) in seen.items():
            gathered[place].add(SampleMoments(values, mean[: len(rows)], variance[: len(rows)]), owners)
    merged = time.process_time() - begun
    kinds = {kind: {layer: one for (own, layer), one in gathered.items() if own == kind} for kind, _ in gathered}
    path = folder / "statistics.safetensors"
    write_tensors(path, flattened(kinds))
    overall = [one.overall() for own in unflattened(load_tensors(path), network).values() for one in own.values()]
    return {
        "merging seconds": merged,
        "numbers per class": sum(layers.values()),
        "layers": len(overall),
        "bytes": path.stat().st_size,
    }


def _pass(name: str, tables: Tables, folder: Path) -> Facts:
    """A few images through the network, with statistics and without."""
    assert folder.exists()
    side = tables.shape.side
    network = resnet18(tables.shape.outputs, side)
    images = torch.rand(16, 3, side, side).contiguous(memory_format=torch.channels_last)
    owners = torch.arange(16) % tables.shape.classes
    batches: Sequence[tuple[Tensor, Tensor]] = [(images, owners)] * 2
    _bare(network, batches)
    begun = time.process_time()
    _bare(network, batches)
    bare, begun = time.process_time() - begun, time.process_time()
    gather(network, KINDS[name], batches, tables.shape.classes)
    return {"images per second": 32 / (time.process_time() - begun), "bare images per second": 32 / bare}


@torch.no_grad()
def _bare(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    for images, _ in batches:
        network(images)


def _layers(kinds: Sequence[Statistic], network: nn.Module, side: int) -> dict[tuple[str, str], int]:
    """Numbers per class of each kind and layer."""
    found = gather(network, kinds, [(torch.rand(1, 3, side, side), torch.zeros(1, dtype=torch.int64))])
    return {(kind, layer): one.mean.shape[1] for kind, own in found.items() for layer, one in own.items()}
