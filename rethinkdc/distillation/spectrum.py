"""Densification: images of a class are spread by the spectrum of their inner products (G-VBSM, arXiv 2311.17950)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 32
"""Images are pooled to this many pixels per side first, if they are larger."""


def densification(images: Tensor, tau: float = 4.0) -> Tensor:
    """How far the spectra of classes are from their own smoothed form, added up over the classes.

    Z holds the n pooled images of a class, l are the eigenvalues of Z Z^T: KL(softmax(l / tau) || softmax(l)), with
    gradients through the second softmax alone. Pulled towards the flatter one, the eigenvalues become more alike, and
    the images of the class less. Nothing is scaled, as in the authors' code: where the eigenvalues are some hundreds
    apart, both softmaxes have one class and there is no gradient left.

    Args:
        images: [G, n, 3, S, S], n images of each of G classes.
        tau: temperature of the smoothed form.

    Returns:
        A scalar, at least 0; 0 for one image of each class; not finite where images are not.
    """
    rows = _pooled(images.flatten(0, 1)).flatten(1).unflatten(0, images.shape[:2])
    products: Tensor = rows @ rows.mT
    if not bool(torch.isfinite(products).all()):
        # Of images that diverged the loss is to tell; eigvalsh would raise an error of its own.
        return products.sum()
    spectrum = torch.linalg.eigvalsh(products)
    smooth = (spectrum.detach() / tau).log_softmax(dim=1)
    return F.kl_div(spectrum.log_softmax(dim=1), smooth, reduction="sum", log_target=True)


def _pooled(images: Tensor) -> Tensor:
    size = images.shape[-1]
    if size <= SIDE:
        return images
    # The same where the size is a multiple, and the gradient of the adaptive form is not repeatable on a GPU.
    return F.adaptive_avg_pool2d(images, SIDE) if size % SIDE else F.avg_pool2d(images, size // SIDE)
