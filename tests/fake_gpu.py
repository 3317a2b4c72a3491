"""What a GPU would be asked, without one: tensors without numbers, and a watch for what makes a host wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA = torch.device("cuda", 0)
_INDEXING = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default, torch.ops.aten.index_put.default)


class FakeGpu(TorchDispatchMode):
    """Makes every tensor of a GPU a fake one, leaves those of the CPU alone, and lists what makes the host wait.

    Attributes:
        waits: operations after which the host knows that the GPU has done all that it was asked for.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._watch(func, args, kwargs)
        wanted = kwargs.get("device")
        of_gpu = wanted is not None and torch.device(wanted).type == "cuda"
        if of_gpu or any(isinstance(one, FakeTensor) for one in tree_leaves((args, kwargs))):
            return func(*args, **kwargs)
        with unset_fake_temporarily():
            return func(*args, **kwargs)

    def _watch(self, func: Any, args: Any, kwargs: Any) -> None:
        if func is torch.ops.aten._to_copy.default:
            source, wanted = args[0].device, kwargs.get("device") or args[0].device
            self._moved(source.type, torch.device(wanted).type, bool(kwargs.get("non_blocking")))
        elif func is torch.ops.aten.copy_.default:
            asynchronous = bool(kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
            self._moved(args[1].device.type, args[0].device.type, asynchronous)
        elif func in _INDEXING and args[0].device.type == "cuda" and any(map(_of_cpu, args[1])):
            self.waits.append("indices of the CPU")

    def _moved(self, source: str, wanted: str, asynchronous: bool) -> None:
        if source != wanted and (wanted == "cpu" or not asynchronous):
            self.waits.append(f"a copy from {source} to {wanted}")


def _of_cpu(index: torch.Tensor | None) -> bool:
    return index is not None and index.device.type == "cpu"


@contextmanager
def fake_gpu() -> Iterator[FakeGpu]:
    """Tensors of ``CUDA`` can be made inside: they have shapes, types and a device, and no numbers.

    Operations on tensors of two devices are refused as a GPU refuses them, and so is all that asks for numbers.
    """
    with FakeTensorMode(allow_non_fake_inputs=True), FakeGpu() as gpu:
        yield gpu
