"""Means and variances that are gathered in batches and merged exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.distillation.channels import ChannelStatistics

MOMENTUM = 0.1
"""Of the moving averages of LPLD's code."""


class SampleMoments(NamedTuple):
    """What one layer is given of each of B images, as k numbers each (its channels, or the places of its patches).

    Attributes:
        values: how many lie behind each number, the same for all images: h * w for channels.
        mean: [B, k].
        variance: [B, k], biased.
    """

    values: int
    mean: Tensor
    variance: Tensor


@dataclass
class Moments:
    """Two moments of k numbers in each of G groups (classes), in float64 on the CPU.

    Batches are merged by the exact formula (Chan, Golub and LeVeque, 1983), so that the result is that of one shot but
    for rounding in the sixteenth digit, in whatever batches the images come. Memory: 24 bytes * G * k.

    Attributes:
        samples: images of each group, [G].
        count: values of each group, [G].
        mean: [G, k].
        squares: sum of the squared deviations from ``mean``, [G, k].
        within: mean over a group's images of the image's own variance, [G, k]: the statistic of EDC.
    """

    samples: Tensor
    count: Tensor
    mean: Tensor
    squares: Tensor
    within: Tensor

    @classmethod
    def empty(cls, groups: int, numbers: int) -> Moments:
        """Nothing gathered yet."""
        one, many = (torch.zeros(shape, dtype=torch.float64) for shape in ((groups,), (groups, numbers)))
        return cls(one, one.clone(), many, many.clone(), many.clone())

    @property
    def variance(self) -> Tensor:
        """Biased variance of each group: float64 [G, k]; 0 for a group of nothing."""
        return self.squares / self.count.clamp(min=1)[:, None]

    def add(self, seen: SampleMoments, groups: Tensor) -> None:
        """Adds a batch of images.

        Args:
            seen: of B images.
            groups: int64 [B], the group of each.
        """
        present, batch = _of_batch(seen, groups)
        merged = self._rows(present).merged(batch)
        for mine, new in zip(self._parts(), merged._parts(), strict=True):
            mine[present] = new

    def merged(self, other: Moments) -> Moments:
        """The moments of both together, group by group."""
        count, samples = self.count + other.count, self.samples + other.samples
        share = (other.count / count.clamp(min=1))[:, None]
        images = (other.samples / samples.clamp(min=1))[:, None]
        apart = other.mean - self.mean
        return Moments(
            samples=samples,
            count=count,
            mean=self.mean + share * apart,
            squares=self.squares + other.squares + apart.square() * self.count[:, None] * share,
            within=self.within + images * (other.within - self.within),
        )

    def overall(self) -> Moments:
        """The moments of all groups together, as one group."""
        weights, images = ((part / part.sum().clamp(min=1))[:, None] for part in (self.count, self.samples))
        mean = (weights * self.mean).sum(dim=0, keepdim=True)
        apart = self.count[:, None] * (self.mean - mean).square()
        return Moments(
            samples=self.samples.sum(dim=0, keepdim=True),
            count=self.count.sum(dim=0, keepdim=True),
            mean=mean,
            squares=(self.squares + apart).sum(dim=0, keepdim=True),
            within=(images * self.within).sum(dim=0, keepdim=True),
        )

    def images_mean(self, groups: Tensor) -> ChannelStatistics:
        """The mean, over groups with repeats (int64 [B]), of what an image of the group has on average: float32 [k].

        Its mean, and its *own* variance: what the images of a group differ by is left out, unlike in :meth:`of`.
        """
        weights = torch.bincount(groups.cpu(), minlength=len(self.samples)).double() / len(groups)
        return ChannelStatistics((weights @ self.mean).float(), (weights @ self.within).float())

    def of(self, group: int) -> ChannelStatistics:
        """Mean and biased variance of one group: float32 [k] both."""
        return ChannelStatistics(self.mean[group].float(), self.variance[group].float())

    def tensors(self) -> dict[str, Tensor]:
        """All of it, for a file; :meth:`of_tensors` reads it."""
        return {name: part.contiguous() for name, part in zip(_FIELDS, self._parts(), strict=True)}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> Moments:
        """What :meth:`tensors` gave."""
        return cls(**{name: tensors[name] for name in _FIELDS})

    def _parts(self) -> list[Tensor]:
        return [getattr(self, name) for name in _FIELDS]

    def _rows(self, groups: Tensor) -> Moments:
        return Moments(*(part[groups] for part in self._parts()))


_FIELDS = ("samples", "count", "mean", "squares", "within")


class MovingMoments(Moments):
    """Moving averages over batches, beside the exact moments: what LPLD's code keeps (arXiv 2410.15919).

    A batch moves each group that is in it by :data:`MOMENTUM` towards the batch's own mean and biased variance of the
    group, from a mean of 0 and a variance of 1. A group counts as one value, so that ``variance`` is the average.
    """

    @classmethod
    def empty(cls, groups: int, numbers: int) -> MovingMoments:
        """Where the averages begin."""
        one, many = (torch.ones(shape, dtype=torch.float64) for shape in ((groups,), (groups, numbers)))
        return cls(one, one.clone(), torch.zeros_like(many), many, many.clone())

    def add(self, seen: SampleMoments, groups: Tensor) -> None:
        present, batch = _of_batch(seen, groups)
        for mine, new in ((self.mean, batch.mean), (self.squares, batch.variance), (self.within, batch.within)):
            mine[present] = mine[present].lerp(new, MOMENTUM)


def _of_batch(seen: SampleMoments, groups: Tensor) -> tuple[Tensor, Moments]:
    """Which groups a batch has images of, int64 [P], and the moments of each of them in the batch."""
    present, position = groups.cpu().unique(return_inverse=True)
    mean, variance = (part.detach().cpu().double() for part in (seen.mean, seen.variance))
    batch = Moments.empty(len(present), mean.shape[1])
    batch.samples = torch.bincount(position, minlength=len(present)).double()
    batch.count = batch.samples * seen.values
    batch.mean.index_add_(0, position, mean).div_(batch.samples[:, None])
    between = (mean - batch.mean[position]).square()
    batch.squares.index_add_(0, position, seen.values * (variance + between))
    batch.within.index_add_(0, position, variance).div_(batch.samples[:, None])
    return present, batch
