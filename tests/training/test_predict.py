"""Predictions on un-augmented images."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.models import build_seeded
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.seeds import generator
from rethinkdc.training import TestView, predict, predict_batches
from rethinkdc.training.ahead import in_order
from rethinkdc.types import Fit, Interpolation

ROWS, CLASSES = 11, 4
PIXELS = torch.randint(0, 256, (ROWS, 3, 12, 12), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % CLASSES, tuple("abcd"))
VIEW = TestView(resize=12, size=8)
MEAN, STD, CPU = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), torch.device("cpu")


def _model() -> nn.Module:
    return build_seeded(ConvNet(depth=1, width=4, norm="batch"), CLASSES, 8, 0)


def _expected(model: nn.Module) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    model.eval()
    with torch.no_grad():
        logits: Tensor = model((PIXELS[:, :, 2:10, 2:10] / 255 - mean) / std)
    model.train()
    return logits


@pytest.mark.parametrize("batch", [1, 4, 256])
@pytest.mark.parametrize("workers", [0, 2])
def test_logits_are_those_of_the_centre_crop_in_eval_mode(batch: int, workers: int) -> None:
    model = _model()
    logits = predict(model, IMAGES, VIEW, mean=MEAN, std=STD, device=CPU, batch=batch, workers=workers)
    assert logits.dtype == torch.float32
    assert not logits.requires_grad
    torch.testing.assert_close(logits, _expected(model), rtol=1e-4, atol=1e-5)


def test_features_and_rows_may_be_chosen() -> None:
    model, rows = _model(), torch.tensor([9, 2, 2, 5])
    logits, features = predict(model, IMAGES, VIEW, mean=MEAN, std=STD, device=CPU, batch=3, rows=rows, features=True)
    torch.testing.assert_close(logits, _expected(model)[rows], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.get_submodule("5")(features), logits, rtol=1e-4, atol=1e-5)


def test_each_module_has_its_own_mode_again_afterwards() -> None:
    model = _model()
    frozen = model.get_submodule("1").eval()
    predict(model, IMAGES, VIEW, mean=MEAN, std=STD, device=CPU)
    assert model.training
    assert not frozen.training
    assert model.get_submodule("0").training


def test_batches_that_are_not_read_to_the_end_leave_nothing_behind() -> None:
    model = _model()
    batches = predict_batches(model, IMAGES, VIEW, mean=MEAN, std=STD, device=CPU, batch=2, workers=2, features=True)
    next(batches)
    assert not model.training
    assert torch.is_grad_enabled()
    batches.close()  # type: ignore[attr-defined]
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


class _Counted(DecodedImages):
    """Counts how many images are asked for before their predictions are taken."""

    asked = 0

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        self.asked += len(rows)
        return super().canvases(rows, size, fit, interpolation)


@pytest.mark.parametrize(("workers", "most"), [(0, 2), (1, 6)])
def test_no_more_than_a_few_batches_of_pixels_are_held(workers: int, most: int) -> None:
    images = _Counted(PIXELS, IMAGES.targets, IMAGES.class_names)
    taken = 0
    for part in predict_batches(_model(), images, VIEW, mean=MEAN, std=STD, device=CPU, batch=2, workers=workers):
        assert images.asked - taken <= most
        assert part.features.shape == (len(part.rows), 0)
        taken += len(part.rows)
    assert taken == ROWS


def test_a_test_view_without_a_crop_shows_the_whole_image() -> None:
    assert torch.equal(TestView(resize=12, size=12).render(IMAGES, torch.tensor([3])), PIXELS[3:4])


def test_an_odd_margin_is_cut_as_torchvision_cuts_it() -> None:
    """round((12 - 7) / 2) = 2."""
    assert torch.equal(TestView(resize=12, size=7).render(IMAGES, torch.tensor([3])), PIXELS[3:4, :, 2:9, 2:9])


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValidationError, match="larger than the image"):
        TestView(resize=8, size=9)


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_work_done_ahead_comes_in_order(workers: int) -> None:
    assert list(in_order(lambda item: item * item, range(20), workers)) == [item * item for item in range(20)]
