"""What a method does beside its work is put back and told of it; what it must not do ends its run."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy
import pytest
import torch
from torch import Tensor

from rethinkdc.context.calling import called, require
from rethinkdc.contracts import CompressedSet, Compressor, Score
from rethinkdc.contracts.declared import check_supervision
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import ContractError, MethodError, StorageError, UnsupportedError
from rethinkdc.method import Method

SIZE = 8


class Inner(Score):
    """A score."""

    name: ClassVar[str] = "inner"

    def score(self, data: Any, context: Any) -> Tensor:
        raise ZeroDivisionError("no row is like another")


class Outer(Compressor):
    """A compressor that asks a score."""

    name: ClassVar[str] = "outer"

    def compress(self, data: Any, budget: Any, context: Any) -> CompressedSet:
        Inner().score(data, context)
        raise AssertionError


def images() -> DecodedImages:
    pixels = torch.randint(0, 256, (40, 3, SIZE, SIZE), dtype=torch.uint8)
    return DecodedImages(pixels, torch.arange(40) % 4, tuple("abcd"))


def whose(method: Method) -> str:
    return f"The {method.kind} {method.name} of acme 1.0"


def call(act: Callable[[], object], data: DecodedImages | None = None) -> None:
    with called(Outer(), whose, data):
        act()


STRAY: dict[str, Callable[[], object]] = {
    "torch's random state": lambda: torch.rand(1),
    "numpy's random state": lambda: numpy.random.random(),  # noqa: NPY002
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's grad mode": lambda: torch.set_grad_enabled(False),
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's deterministic mode": lambda: torch.use_deterministic_algorithms(True),
    "the current folder": lambda: os.chdir("/"),
}


@pytest.mark.parametrize("what", STRAY)
def test_what_other_results_depend_on_is_put_back_and_told(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = (torch.get_rng_state().tolist(), random.getstate(), torch.get_num_threads(), Path.cwd())
    with pytest.raises(ContractError, match=f"^The compressor outer of acme 1.0 changed {what}, on which other"):
        call(STRAY[what])
    assert before == (torch.get_rng_state().tolist(), random.getstate(), torch.get_num_threads(), Path.cwd())
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_what_libraries_draw_from_when_they_are_imported_is_put_back_without_a_word() -> None:
    before = random.getstate()
    call(random.random)
    assert random.getstate() == before


def test_filters_of_warnings_are_put_back_without_a_word() -> None:
    before = list(warnings.filters)
    call(lambda: warnings.simplefilter("ignore"))
    assert list(warnings.filters) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pixels.zero_(),
        lambda data: data.pixels.numpy().fill(7),
        lambda data: data.targets.add_(1),
        lambda data: data.pixels[:, 1].bitwise_not_(),
    ],
)
def test_images_that_change_are_told(change: Callable[[DecodedImages], object]) -> None:
    data, other = images(), images()
    with pytest.raises(ContractError, match=r"The compressor outer of acme 1\.0 changed the images that it was given"):
        call(lambda: change(data), data)
    call(lambda: change(other), data)


def test_an_exception_is_told_of_the_innermost_method() -> None:
    with pytest.raises(MethodError) as raised:
        call(lambda: Outer().compress(None, None, None))
    assert str(raised.value) == "The score inner of acme 1.0 raised ZeroDivisionError: no row is like another."
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert raised.value.keeps_work


class Labels:
    """What a labeler made for a training."""

    def loss(self) -> Tensor:
        raise IndexError("no such row")


def test_what_is_raised_in_a_loss_is_told_of_the_labeler_that_made_it() -> None:
    labels = Labels()
    for made, blamed in (((labels, Inner()), "score inner"), (None, "compressor outer")):
        with (
            pytest.raises(MethodError, match=rf"^The {blamed} of acme 1\.0 raised IndexError: no such row\.$"),
            called(Outer(), whose, made=made),
        ):
            labels.loss()


def leave(error: BaseException) -> None:
    raise error


class Odd(BaseException):
    def __str__(self) -> str:
        raise self


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(3), r"tried to end the process with sys\.exit\(3\) instead of raising an error\.$"),
        (Odd(), r"raised Odd\.$"),
        (RuntimeError(), r"raised RuntimeError\.$"),
    ],
)
def test_whatever_is_raised_is_an_error_of_the_method(error: BaseException, said: str) -> None:
    with pytest.raises(MethodError, match=said):
        call(lambda: leave(error))


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), UnsupportedError("not here"), StorageError("full"), OSError(28, "full"), MemoryError()],
)
def test_what_is_not_the_methods_doing_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        call(lambda: leave(error))
    assert raised.value is error


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, r"returned nothing \(None\); it must return a CompressedSet\.$"),
        (numpy.zeros((3, 2)), r"returned a NumPy array, float64 \[3, 2\]; "),
        (torch.zeros(3, dtype=torch.int32), r"returned a tensor, int32 \[3\] on cpu; "),
        ([1], "returned a value of the type list; "),
    ],
)
def test_another_kind_of_result_is_told(value: object, said: str) -> None:
    with pytest.raises(ContractError, match=f"^The compressor outer {said}"):
        require(value, CompressedSet, "The compressor outer", "a CompressedSet")


def test_a_labeler_must_return_what_training_asks_for() -> None:
    with pytest.raises(ContractError, match="The labeler mine returned a value of the type NoneType, which has no c"):
        check_supervision(None, "The labeler mine")
