"""An independent referee: students of ``cifar10-small-*`` in plain PyTorch, with nothing of the package.

Images come from Parquet files by pyarrow and Pillow, views are torchvision's, the network and the loop are written here
from the values of the protocol files. What it says of a set is what the package must say of it::

    python tests/fidelity/referee.py SET TEST --track hard --seeds 20 --out referee.jsonl

``SET`` is a folder of ``rethinkdc compress``, ``TEST`` one of CIFAR-10 in Parquet files. The tracks ``soft`` and
``stored`` also need ``--teacher``, the weights of one.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.transforms import v2

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
CLASSES, SIZE, BATCH, STEPS = 10, 32, 64, 600
TEMPERATURE = 20.0
_KINDS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Mean loss of student logits [B, C], teacher logits [B, C] and classes [B]."""


class Batch(NamedTuple):
    """Views in 0..1 [B, 3, S, S], the classes of their images, and what a teacher says where one is asked."""

    pixels: Tensor
    classes: Tensor
    said: Tensor


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        return images + self.inner(images)  # type: ignore[no-any-return]


def convolved(given: int, width: int) -> list[nn.Module]:
    """A 3 x 3 convolution, normalised and rectified."""
    return [nn.Conv2d(given, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


def light_resnet(width: int = 16, classes: int = CLASSES) -> nn.Module:
    """ResNet-9 of the DAWNBench entries with ``width`` channels in its stem, without a factor on its logits."""
    return nn.Sequential(
        *convolved(3, width),
        *convolved(width, 2 * width),
        nn.MaxPool2d(2),
        Residual(nn.Sequential(*convolved(2 * width, 2 * width), *convolved(2 * width, 2 * width))),
        *convolved(2 * width, 4 * width),
        nn.MaxPool2d(2),
        *convolved(4 * width, 8 * width),
        nn.MaxPool2d(2),
        Residual(nn.Sequential(*convolved(8 * width, 8 * width), *convolved(8 * width, 8 * width))),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, classes),
    )


def load_in_order(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Tensors of a network of the same layers, named by the same numbers in the same order, or nested otherwise.

    A file of tensors has an order of its own.
    """
    given = [weights[name] for name in sorted(weights, key=_place)]
    network.load_state_dict(dict(zip(sorted(network.state_dict(), key=_place), given, strict=True)))


def _place(name: str) -> tuple[list[int], int]:
    *layer, kind = name.split(".")
    return [int(part) if part.isdigit() else 0 for part in layer], _KINDS.index(kind)


def normalised(pixels: Tensor) -> Tensor:
    """Views in 0..1 as the network takes them."""
    mean, std = (torch.tensor(values, dtype=pixels.dtype).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels - mean) / std


def cross_entropy(logits: Tensor, said: Tensor, classes: Tensor) -> Tensor:
    """Of the class index."""
    return F.cross_entropy(logits, classes)


def divergence(logits: Tensor, said: Tensor, classes: Tensor) -> Tensor:
    """KL of the softmaxes at the temperature, mean over the batch, without T squared."""
    theirs = F.softmax(said / TEMPERATURE, dim=1)
    return F.kl_div(F.log_softmax(logits / TEMPERATURE, dim=1), theirs, reduction="batchmean")


def learn(network: nn.Module, batches: Iterator[Batch], steps: int, loss_of: Loss) -> list[float]:
    """AdamW at 1e-3 that falls as half a cosine, step by step; decay .01 on matrices and kernels alone.

    Returns:
        The loss of each step.
    """
    kernels = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in network.parameters() if parameter.dim() <= 1]
    groups = [{"params": kernels, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    network.train()
    losses = []
    for batch in batches:
        loss = loss_of(network(normalised(batch.pixels)), batch.said, batch.classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def accuracy(network: nn.Module, pixels: Tensor, classes: Tensor) -> float:
    """Share of images, uint8 [N, 3, S, S] as they are, whose largest logit is that of their class."""
    network.eval()
    hits = 0
    for part, truth in zip(pixels.split(500), classes.split(500), strict=True):
        hits += int((network(normalised(part.float() / 255)).argmax(dim=1) == truth).sum())
    return hits / len(classes)


def read(folder: Path, split: str) -> tuple[list[Image.Image], Tensor]:
    """Images and classes of a split, from Parquet files."""
    images, classes = [], list[int]()
    for path in sorted((folder / "data").glob(f"{split}-*.parquet")):
        table = pq.read_table(path)
        images += [Image.open(io.BytesIO(cell["bytes"])).convert("RGB") for cell in table["image"].to_pylist()]
        classes += table["class_id" if "class_id" in table.column_names else "label"].to_pylist()
    return images, torch.tensor(classes)


def stacked(images: Sequence[Image.Image]) -> Tensor:
    """Uint8 [N, 3, S, S]."""
    return torch.stack([v2.functional.pil_to_tensor(image) for image in images])


def views(
    images: Sequence[Image.Image], classes: Tensor, steps: int, *, mix: bool, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pixels in 0..1 and classes of each step: every epoch shows every image once, in an order of its own."""
    torch.manual_seed(seed)
    shown = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, scale=(0.25, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    mixed = v2.CutMix(num_classes=CLASSES)
    given = 0
    while True:
        for rows in torch.randperm(len(images)).split(min(BATCH, len(images))):
            if given == steps:
                return
            pixels = torch.stack([shown(images[row]) for row in rows.tolist()])
            yield mixed(pixels, classes[rows])[0] if mix else pixels, classes[rows]
            given += 1


def labelled(
    track: str, images: Sequence[Image.Image], classes: Tensor, teacher: nn.Module | None, seed: int
) -> Iterator[Batch]:
    """The batches of a track. Under ``stored`` all labels are made in half precision before the first is used."""

    def drawn() -> Iterator[tuple[Tensor, Tensor]]:
        return views(images, classes, STEPS, mix=track != "hard", seed=seed)

    @torch.no_grad()
    def said(pixels: Tensor) -> Tensor:
        return pixels.new_zeros(0) if teacher is None else teacher(normalised(pixels))

    stored = [said(pixels).half() for pixels, _ in drawn()] if track == "stored" else None
    for step, (pixels, own) in enumerate(drawn()):
        yield Batch(pixels, own, stored[step].float() if stored else said(pixels))


def student_of(
    track: str, images: Sequence[Image.Image], classes: Tensor, teacher: nn.Module | None, seed: int
) -> tuple[nn.Module, list[float]]:
    """A student from scratch, and the loss of each step."""
    torch.manual_seed(1_000_000 + seed)
    network = light_resnet()
    batches = labelled(track, images, classes, teacher, seed)
    return network, learn(network, batches, STEPS, cross_entropy if track == "hard" else divergence)


def main() -> None:
    """Trains students and appends one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--track", choices=["hard", "soft", "stored"], required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    images, classes = read(given.set, "train")
    test, truth = read(given.test, "test")
    pixels = stacked(test)
    teacher = None
    if given.track != "hard":
        teacher = light_resnet().eval()
        load_in_order(teacher, load_file(given.teacher))
    for seed in range(given.first, given.first + given.seeds):
        began = time.perf_counter()
        network, losses = student_of(given.track, images, classes, teacher, seed)
        line = {
            "track": given.track,
            "seed": seed,
            "top1": accuracy(network, pixels, truth),
            "last_loss": sum(losses[-20:]) / 20,
            "seconds": round(time.perf_counter() - began, 1),
        }
        with given.out.open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
