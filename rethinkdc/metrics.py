"""Scores that weigh several accuracies of one set: HLR, IOR, LRS and ARS.

The formulas are those of DD-Ranking (Li et al., 2025, its README and ``ddranking/metrics``), which computes them of
percentages, where an exponential of a difference says nothing. Here accuracies and scores are fractions.
"""

from __future__ import annotations

import math

from rethinkdc.errors import RequestError

NEUTRAL = (1 - math.exp(-1)) / (math.e - math.exp(-1))
"""LRS and ARS of a set that is worth just what it is compared with: 0.2689, where one might expect a half."""


def hlr(full_hard: float, set_hard: float) -> float:
    """Hard label recovery: how far hard labels leave a set behind the whole training set; lower is better.

    Args:
        full_hard: accuracy of the whole training set with hard labels, in 0..1.
        set_hard: of the compressed set with hard labels.

    Raises:
        RequestError: an accuracy is none in 0..1.
    """
    return _accuracy("full_hard", full_hard) - _accuracy("set_hard", set_hard)


def ior(set_any: float, random_any: float) -> float:
    """Improvement over random, both with the method's own labels; higher is better.

    Args:
        set_any: accuracy of the compressed set with the labels that its method uses, in 0..1.
        random_any: of a random subset of the same size with the same labels.

    Raises:
        RequestError: an accuracy is none in 0..1.
    """
    return _accuracy("set_any", set_any) - _accuracy("random_any", random_any)


def lrs(full_hard: float, set_hard: float, set_any: float, random_any: float, *, weight: float = 0.5) -> float:
    """Label robust score in 0..1, of ``weight * IOR - (1 - weight) * HLR``; :data:`NEUTRAL` where that is 0.

    Real sets lie in about 0.10 to 0.35: show it beside HLR and IOR, and the neutral value with it.

    Args:
        full_hard: as of :func:`hlr`.
        set_hard: as of :func:`hlr`.
        set_any: as of :func:`ior`.
        random_any: as of :func:`ior`.
        weight: of the improvement over random, in 0..1.

    Raises:
        RequestError: an accuracy or the weight is none in 0..1.
    """
    _share("weight", weight)
    return _squash(weight * ior(set_any, random_any) - (1 - weight) * hlr(full_hard, set_hard))


def ars(set_views: float, random_views: float, set_plain: float, random_plain: float, *, weight: float = 0.5) -> float:
    """Augmentation robust score in 0..1, of the improvements over random with and without augmentation.

    Args:
        set_views: accuracy of the compressed set, its student trained on augmented views, in 0..1.
        random_views: of a random subset of the same size, on augmented views.
        set_plain: of the compressed set, on its images as they are.
        random_plain: of the random subset, on its images as they are.
        weight: of the improvement with augmentation, in 0..1.

    Raises:
        RequestError: an accuracy or the weight is none in 0..1.
    """
    _share("weight", weight)
    accuracies = {"set_views": set_views, "random_views": random_views}
    accuracies |= {"set_plain": set_plain, "random_plain": random_plain}
    for name, value in accuracies.items():
        _accuracy(name, value)
    return _squash(weight * (set_views - random_views) + (1 - weight) * (set_plain - random_plain))


def _squash(advantage: float) -> float:
    """-1..1 -> 0..1, by the exponential."""
    return (math.exp(advantage) - math.exp(-1)) / (math.e - math.exp(-1))


def _accuracy(name: str, value: float) -> float:
    if 1 < value <= 100:
        raise RequestError(f"{name} = {value:g}: accuracies are fractions. Of percent it is {value / 100:g}.")
    return _share(name, value)


def _share(name: str, value: float) -> float:
    # NaN fails every comparison.
    if not 0 <= value <= 1:
        raise RequestError(f"{name} = {value:g}: expected a fraction in 0..1.")
    return value


__all__ = ["NEUTRAL", "ars", "hlr", "ior", "lrs"]
