"""View ops of packages: named by protocols, rendered like the framework's, and held to their code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rethinkdc.data import CanvasStore, DecodedImages
from rethinkdc.data.device_store import DeviceStore
from rethinkdc.errors import PluginError, RequestError
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry import Registry
from rethinkdc.types import ViewKey, ViewRule
from rethinkdc.views import DifferentiableViews, Flip, Views

INVERT = '''
"""Negatives."""
from __future__ import annotations
from typing import ClassVar, Literal
import torch
from pydantic import Field
from torch import Tensor
from rethinkdc.contracts import DifferentiableOp, ViewOp, hookimpl


class Invert(DifferentiableOp):
    """Shows some views as negatives."""

    view_uniforms: ClassVar[int] = 1
    op: Literal["NAME"] = "NAME"
    p: float = Field(default=1.0, ge=0, le=1, description="probability")

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:
        return per_view[:, 0] < self.p

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        return torch.where(placed.to(pixels.device)[:, None, None, None], 255 - pixels, pixels)

    def warp(self, images: Tensor, placed: Tensor) -> Tensor:
        return torch.where(placed.to(images.device)[:, None, None, None], 1 - images, images)


@hookimpl
def register_view_ops() -> list[type[ViewOp]]:
    return [Invert]
'''

Distribute = Callable[..., Registry]


@pytest.fixture(autouse=True)
def _unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imported here alone: what a process of its own sees of a plugin is tested elsewhere."""
    monkeypatch.setenv("RETHINKDC_PLUGIN_SECONDS", "0")


def protocol_file(folder: Path, view: str = 'op = "invert"\np = 1.0') -> Path:
    path = folder / "mine.toml"
    path.write_text(
        f'extends = "digits-hard"\nid = "mine"\nversion = 1\nsummary = "x"\n[training]\n[[training.views]]\n{view}\n'
    )
    return path


def invert(distribute: Distribute, source: str = INVERT) -> Registry:
    return distribute(whole=True, invert=source.replace("NAME", "invert"))


def test_both_renderers_show_what_the_op_does_to_each_pixel(distribute: Distribute, tmp_path: Path) -> None:
    registry = invert(distribute)
    (op,) = registry.protocols.find(str(protocol_file(tmp_path))).training.views
    pixels = torch.tensor([[0, 10], [100, 255]], dtype=torch.uint8).expand(1, 3, 2, 2)
    expected = torch.tensor([[255, 245], [155, 0]], dtype=torch.uint8).expand(1, 3, 2, 2)
    data = DecodedImages(pixels.clone(), torch.tensor([0]), ["a"])
    views, row, key = Views([op], None, size=2, rule=ViewRule(), cell_boxes=None), torch.tensor([0]), ViewKey(0, 0, 0)
    on_cpu = views.render(CanvasStore(data, 2), row, data.targets, key)
    assert torch.equal(on_cpu.pixels, expected)
    held = DeviceStore(CanvasStore(data, 2), (2, 2), torch.device("cpu"), limit_bytes=1 << 20)
    cut = views.render(held, row, data.targets, key)
    assert torch.equal(cut.pixels, expected)
    floats = (pixels.float() / 255).requires_grad_()
    shown = DifferentiableViews([op], size=2, shared=False).render(floats, key)
    torch.testing.assert_close(shown * 255, expected.float())
    (slope,) = torch.autograd.grad(shown.sum(), floats)
    assert torch.equal(slope, -torch.ones_like(slope))


def test_the_code_of_an_op_is_in_every_digest_that_it_is_a_part_of(
    distribute: Distribute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = protocol_file(tmp_path)
    before = invert(distribute).protocols.find(str(path))
    assert before.proxy_digest == Registry().protocols.find("digits-hard").proxy_digest
    sys.modules.pop("acme_invert")
    after = invert(distribute, INVERT.replace("255 - pixels", "254 - pixels")).protocols.find(str(path))
    assert before.digest != after.digest
    assert before.training.model_dump(exclude={"views"}) == after.training.model_dump(exclude={"views"})
    (told,) = Registry().view_ops.codes(after.foreign_ops)
    assert (told.method, told.distribution, told.version) == ("view-op invert", "acme-invert", "1.5")
    assert told.digest == after.foreign_ops[0].code != before.foreign_ops[0].code
    assert Registry().view_ops.used(after.foreign_ops) == {"acme-invert": "1.5"}


def test_a_protocol_with_the_op_can_be_changed_and_written(distribute: Distribute, tmp_path: Path) -> None:
    registry = invert(distribute)
    protocol = registry.protocols.find(str(protocol_file(tmp_path)))
    changed = protocol.override({"training.batch": 8})
    assert changed.training.views == protocol.training.views
    # Named by an override alone, it is looked up too.
    plain = registry.protocols.find("digits-hard")
    views = [{"op": "invert", "p": 0.5}]
    assert plain.override({"training.views": views}, registry.view_ops.find).foreign_ops[0].model_dump()["p"] == 0.5
    with pytest.raises(RequestError, match="package that brings it is missing"):
        plain.override({"training.views": views})
    whole = tmp_path / "whole.toml"
    whole.write_text(write_toml(protocol))
    assert "code" not in whole.read_text()
    assert load_protocol(whole, registry.view_ops.find).digest == protocol.digest


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ('op = "blurr-all"', "package that brings it is missing"),
        ('op = "inverted"', "Did you mean 'invert'"),
        ('op = "invert"\np = 2.0', "invert: p: Input should be less than or equal to 1"),
        ('op = "invert"\nq = 1', "invert: q: Extra inputs"),
        ('op = "invert"\ncode = "abc"', "of code abc; what is installed has"),
        ("p = 0.5", r"views\[0\].op"),
    ],
)
def test_what_is_wrong_with_an_op_is_told(distribute: Distribute, tmp_path: Path, view: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        invert(distribute).protocols.find(str(protocol_file(tmp_path, view)))


def test_two_packages_may_have_one_name_which_then_says_whose_it_is(distribute: Distribute, tmp_path: Path) -> None:
    registry = distribute(whole=True, one=INVERT.replace("NAME", "same"), two=INVERT.replace("NAME", "same"))
    with pytest.raises(PluginError, match=r"acme-one/same.*acme-two/same"):
        registry.protocols.find(str(protocol_file(tmp_path, 'op = "same"')))
    found = registry.protocols.find(str(protocol_file(tmp_path, 'op = "acme-two/same"')))
    assert type(found.foreign_ops[0]).__module__ == "acme_two"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('op: Literal["NAME"] = "NAME"', 'op: Literal["flip"] = "flip"', "framework's view ops"),
        ("return [Invert]", "return [int]", "no view op"),
        ('op: Literal["NAME"] = "NAME"', "op: str", "plain name"),
    ],
)
def test_a_class_that_nobody_could_use_makes_the_plugin_broken(
    distribute: Distribute, old: str, new: str, said: str
) -> None:
    (row,) = [row for row in invert(distribute, INVERT.replace(old, new)).listing() if row.name == "invert"]
    assert row.status == "broken"
    assert said in row.reason


def test_a_view_op_is_listed(distribute: Distribute) -> None:
    (row,) = [row for row in invert(distribute).listing() if row.kind == "view-op"]
    assert (row.name, row.summary, row.provider.distribution) == (
        "invert",
        "Shows some views as negatives.",
        "acme-invert",
    )


def test_the_ops_of_the_framework_are_read_as_before() -> None:
    digits = Registry().protocols.find("digits-hard")
    flipped = digits.override({"training.views": [{"op": "flip", "p": 0.25}]})
    assert flipped.training.views == (Flip(p=0.25),)
    assert flipped.foreign_ops == ()
    assert importlib.import_module("rethinkdc.views").Flip is Flip
