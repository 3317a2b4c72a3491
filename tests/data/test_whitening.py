"""ZCA whitening beside numbers that kornia gave, and the way back."""

from __future__ import annotations

import pytest
import torch

from rethinkdc.data.whitening import fit_whitening

# Made by `ZCAWhitening(eps=0.1, compute_inv=True)` of kornia 0.9.0 in float64 on the images of `pixels` in 0..1, as the
# code of MTT, FTD and DATM has it: four values of two images, and the sums of all absolute values and squares.
FIRST = [0.3626581576808948, 0.23380949032481288, -0.4177744124049229, -0.1295773523804835]
EIGHTH = [-0.09642119366139336, 0.22881085363240986, 0.03232831285643938, -0.238413345860677]
SUMS = (319.81518763108664, 71.66328702316403)


def pixels() -> torch.Tensor:
    """Numbers that every machine makes alike: uint8 [40, 3, 4, 4]."""
    waves = torch.sin(torch.arange(40 * 48, dtype=torch.float64) * 1.7)
    return ((waves * 0.5 + 0.5) * 255).round().to(torch.uint8).reshape(40, 3, 4, 4)


def test_whitened_images_are_those_of_kornia_whatever_the_batches() -> None:
    for sizes in ([40], [15, 25]):
        white = fit_whitening(pixels().split(sizes)).apply(pixels())
        assert white[0, 0, 0].tolist() == pytest.approx(FIRST, abs=2e-6)
        assert white[7, 2, 3].tolist() == pytest.approx(EIGHTH, abs=2e-6)
        assert float(white.double().abs().sum()) == pytest.approx(SUMS[0], rel=1e-5)
        assert float(white.double().square().sum()) == pytest.approx(SUMS[1], rel=1e-5)


def test_the_way_back_gives_the_pixels() -> None:
    fitted = fit_whitening([pixels()])
    white = fitted.apply(pixels())
    assert torch.equal((fitted.undo(white) * 255).round().to(torch.uint8), pixels())
    assert torch.allclose(fitted.apply(pixels().double() / 255), white, atol=1e-6)
    assert float(fitted.undo(100 * white).abs().max()) > 1


def test_of_much_data_the_pixels_vary_alike_and_apart() -> None:
    draws = torch.Generator().manual_seed(0)
    mixed = (torch.randn((2000, 4), generator=draws) @ torch.randn((4, 12), generator=draws)) * 40 + 127
    many = mixed.clamp(0, 255).to(torch.uint8).view(2000, 3, 2, 2)
    white = fit_whitening(many.split(300)).apply(many).flatten(1)
    before, after = (torch.cov(rows.T.double()) for rows in (many.flatten(1).double() / 255, white))
    apart = [covariance - covariance.diag().diag() for covariance in (before, after)]
    assert float(after.diag().max()) < 1
    assert float(apart[1].abs().max() / after.diag().max()) < float(apart[0].abs().max() / before.diag().max())
