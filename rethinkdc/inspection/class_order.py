"""Whether the classes of a finished set stand in the order that is assumed: what a teacher's predictions say.

A permutation that is fitted to some images and judged on others cannot be right by chance; one that is judged on the
images that it was fitted to can, and with one image per class always is.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class FittedOrder(NamedTuple):
    """A permutation of the classes.

    Attributes:
        places: int64 [C], the dataset's class of each of the set's, fitted to all images.
        judged: bool [M], images of which another half of the set says something: classes of several images.
        declared: bool [M], whether the teacher agrees with the classes as they are assumed.
        found: bool [M], whether it agrees with the permutation of the half that the image is not in; as ``declared``
            where the image is not judged.
    """

    places: Tensor
    judged: Tensor
    declared: Tensor
    found: Tensor


def fit_order(probabilities: Tensor, targets: Tensor) -> FittedOrder:
    """Fits the order of classes to each half of a set, and judges it on the other.

    Args:
        probabilities: float [M, C], a teacher's.
        targets: int64 [M], the classes as they are assumed.
    """
    classes, predicted = probabilities.shape[1], probabilities.argmax(dim=1)
    half = _halves(targets)
    declared = predicted == targets
    found, judged = declared.clone(), torch.zeros_like(declared)
    for side in (False, True):
        fitting, other = half == side, half != side
        known = torch.zeros(classes, dtype=torch.bool)
        known[targets[fitting]] = True
        rows = (other & known[targets]).nonzero().flatten()
        places = _assign(probabilities[fitting], targets[fitting], classes)
        found[rows] = predicted[rows] == places[targets[rows]]
        judged[rows] = True
    return FittedOrder(_assign(probabilities, targets, classes), judged, declared, found)


def _halves(targets: Tensor) -> Tensor:
    """Every second image of each class: bool [M]."""
    half = torch.zeros(len(targets), dtype=torch.bool)
    for index in targets.unique().tolist():
        rows = (targets == index).nonzero().flatten()
        half[rows[1::2]] = True
    return half


def _assign(probabilities: Tensor, targets: Tensor, classes: int) -> Tensor:
    """The permutation under which the teacher finds the classes likeliest; of equal ones that which moves least."""
    from scipy.optimize import linear_sum_assignment

    total = torch.zeros(classes, classes, dtype=torch.float64)
    total.index_add_(0, targets, probabilities.double())
    counts = torch.bincount(targets, minlength=classes).clamp_min(1)
    _, columns = linear_sum_assignment((total / counts[:, None] + 1e-9 * torch.eye(classes)).numpy(), maximize=True)
    return torch.as_tensor(columns, dtype=torch.int64)
