"""Random crops of real images, ranked by a teacher and tiled (RDED, Sun et al., CVPR 2024, arXiv 2312.03526)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.choices import Precision
from rethinkdc.data.chunks import at_once, joined
from rethinkdc.data.resize import empty_canvases, resize
from rethinkdc.errors import RequestError
from rethinkdc.training.ahead import in_order
from rethinkdc.training.precision import computing
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Images, Passing
from rethinkdc.views import RandomResizedCrop, render_crops, uniforms

CHUNK = 32
"""Source images that are decoded at a time, for each worker: bounds the memory."""
BATCH = 64
"""Crops that the teacher is shown at a time: 39 MB of input at 224 px."""


class Candidates(NamedTuple):
    """The crops of n images: boxes int32 [n, m, 4] in source pixels, and the loss of each, float64 [n, m]."""

    boxes: Tensor
    losses: Tensor


def candidate_boxes(rows: Tensor, sizes: Tensor, count: int, crop: RandomResizedCrop, seed: int) -> Tensor:
    """Draws the candidate crops of images, each image's from its own row number alone.

    Which other images are looked at, and in what order or chunks, changes nothing; a larger ``count`` only adds crops.

    Args:
        rows: int64 [n], rows of the training set.
        sizes: int64 [n, 2], (height, width) of each image in pixels.
        count: m, crops of each image.
        crop: the draw; RDED's has the ratio (1, 1).
        seed: of the set.

    Returns:
        int32 [n, m, 4] as (y, x, height, width) in source pixels.
    """
    drawn = [uniforms(seed, "candidate-crops", 0, row, (count, crop.view_uniforms)) for row in rows.tolist()]
    boxes = crop.place(torch.cat(drawn), drawn[0].new_empty(0), sizes.repeat_interleave(count, dim=0))
    return boxes.view(len(rows), count, 4).to(torch.int32)


@torch.no_grad()
def crop_losses(pixels: Tensor, label: int, teacher: Teacher, precision: Precision = "float32") -> Tensor:
    """Cross-entropy of one class for each crop, padded centrally to the teacher's size.

    As in the authors' code the crop is not resized but surrounded by zeros *after* normalisation, that is by the
    teacher's mean colour; an odd pixel goes to the bottom and the right. The loss is taken in float64 and from the
    margin: at the easy end, which is the end that is kept, the plain form rounds to 0 and many crops would tie.

    Args:
        pixels: uint8 [B, 3, s, s], s at most the teacher's size.
        label: the class.
        teacher: any; nothing of it changes.
        precision: what it computes in.

    Returns:
        float64 [B], on the CPU.
    """
    room = teacher.size - pixels.shape[-1]
    before, after = room // 2, room - room // 2
    losses = []
    with computing(teacher.device, precision):
        for part in pixels.split(BATCH):
            shown = F.pad(teacher.normalised(part), (before, after, before, after))
            logits = teacher.classify(shown).cpu().double()
            own = logits[:, label].clone()
            logits[:, label] = -torch.inf
            losses.append(F.softplus(logits.logsumexp(dim=1) - own))
    return torch.cat(losses)


def score_candidates(
    data: Images,
    rows: Tensor,
    label: int,
    teacher: Teacher,
    *,
    side: int,
    count: int,
    crop: RandomResizedCrop,
    seed: int,
    workers: int = 0,
    precision: Precision = "float32",
    passing: Passing = at_once,
) -> Candidates:
    """Draws, renders and scores the candidate crops of some images of one class.

    Args:
        data: the training set.
        rows: int64 [n], rows of the class.
        label: the class.
        teacher: gives the losses.
        side: of a rendered crop in pixels, at most the teacher's size.
        count: m, crops of each image.
        crop: the draw of a crop, and the filter that resamples it.
        seed: of the set.
        workers: threads that decode and render ahead; the result is the same for any number.
        precision: what the teacher computes in.
        passing: keeps what is done.

    Raises:
        RequestError: a loss is not finite; names the teacher and the row.
    """

    def rendered(part: Tensor) -> tuple[Tensor, Tensor]:
        images = data.native(part)
        sizes = torch.tensor([image.shape[1:] for image in images])
        placed = candidate_boxes(part, sizes, count, crop, seed)
        sources = [image for image in images for _ in range(count)]
        return placed, render_crops(sources, placed.flatten(0, 1), side, crop.interpolation)

    def scored(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
        parts = [rows[span.start : span.stop] for span in spans]
        with closing(in_order(rendered, parts, workers)) as rendering:
            for placed, pixels in rendering:
                yield {"boxes": placed, "losses": crop_losses(pixels, label, teacher, precision).view(-1, count)}

    chunks = passing("crops", len(rows), CHUNK, scored, unit="images")
    candidates = Candidates(joined(chunks, "boxes"), joined(chunks, "losses"))
    if not bool(candidates.losses.isfinite().all()):
        row = int(rows[int((~candidates.losses.isfinite()).any(dim=1).nonzero()[0, 0])])
        raise RequestError(f"The teacher {teacher.id} gives no finite loss to a crop of training row {row}.")
    return candidates


def best_crops(losses: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The best crop of each image, then the images whose best crops have the lowest losses.

    Args:
        losses: float [n, m]; equal crops of an image are taken in their order, equal images in theirs.
        count: images to keep, at most n.

    Returns:
        Positions of the images and of the crop of each: int64 [count] both, best first.
    """
    lowest, crops = losses.min(dim=1)
    images = lowest.argsort(stable=True)[:count]
    return images, crops[images]


def rank_strided(ipc: int, cells: int) -> Tensor:
    """Which pick each cell shows: int64 [ipc, cells]; cell q of canvas j has pick q * ipc + j.

    The best picks lie on different canvases, and every canvas has one of each range of ranks.
    """
    return torch.arange(ipc * cells).view(cells, ipc).T.contiguous()


def crop_canvases(data: Images, sources: Tensor, source_boxes: Tensor, cell_boxes: Tensor, size: int) -> Tensor:
    """Renders one crop into each cell, straight from its source.

    The authors upsize the scored crop by nearest neighbour where the factor does not divide the size; here each box is
    resampled from the source to its cell's own size, antialiased bilinear, which is sharper and the same elsewhere.

    Args:
        data: the training set.
        sources: int64 [m, cells].
        source_boxes: int32 [m, cells, 4], (y, x, h, w) in source pixels.
        cell_boxes: int32 [cells, 4], (y, x, h, w) on the canvas.
        size: side of a canvas in pixels.

    Returns:
        uint8 [m, 3, size, size], channels-last.
    """
    canvases = empty_canvases(len(sources), (size, size))
    for cell, (y, x, height, width) in enumerate(cell_boxes.tolist()):
        for part in torch.arange(len(sources)).split(CHUNK):
            boxes = source_boxes[part, cell].tolist()
            images = zip(data.native(sources[part, cell]), boxes, strict=True)
            crops = [image[:, top : top + high, left : left + wide] for image, (top, left, high, wide) in images]
            canvases[part, :, y : y + height, x : x + width] = resize(crops, (height, width))
    return canvases
