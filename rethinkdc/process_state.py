"""What imports and methods must leave as it was: the state of the process on which results, and other code, depend."""

from __future__ import annotations

import locale
import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy
import torch

_OURS = ("RETHINKDC_", "CUDA_", "CUBLAS_", "OMP_", "MKL_", "PYTORCH_", "PYTHON")
"""How variables begin that the framework, or what it computes with, reads: an import must not set them either."""


_UNKNOWN = object()
"""What is read of state that there is not yet."""


class Trait(NamedTuple):
    """One piece of state: what it is, how it is read (as a value that can be compared) and how it is put back."""

    name: str
    read: Callable[[], Any]
    put_back: Callable[[Any], object]
    quiet: bool = False


@dataclass
class Changes:
    """What was changed and put back, and what could not be."""

    names: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)


@contextmanager
def left_as_it_was() -> Iterator[Changes]:
    """Puts back what a body changes of the process; afterwards tells what that was.

    New variables of the environment stay, since libraries speak to themselves by them, but for those that the
    framework's results may depend on. Changes that libraries often make, of the filters of warnings and of the root
    logger, are put back without a word. What the body warns of reaches the user as ever, after it.
    """
    variables = dict(os.environ)
    with warnings.catch_warnings(record=True) as issued, _left(_traits()) as changes:
        try:
            yield changes
        finally:
            changes.names += [f"the environment variable {name}" for name in _put_back_variables(variables)]
    for one in issued:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)


@contextmanager
def results_left_as_they_are() -> Iterator[Changes]:
    """Puts back what a method changes of what other results depend on; afterwards tells what that was.

    Python's own generator is put back without a word: libraries draw from it when they are first imported, for names of
    files. Precision and cuDNN's flags are the framework's to set while a network trains, and are spelled in several
    ways: they are not looked at.
    """
    with _left(_modes() + _draws()) as changes:
        yield changes


@contextmanager
def _left(traits: list[Trait]) -> Iterator[Changes]:
    changes = Changes()
    before = [(trait, trait.read()) for trait in traits]
    try:
        yield changes
    finally:
        for trait, value in before:
            _restore(trait, value, changes)


def _restore(trait: Trait, value: Any, changes: Changes) -> None:
    try:
        if value is _UNKNOWN or trait.read() == value:
            return
        trait.put_back(value)
        if not trait.quiet:
            changes.names.append(trait.name)
    except Exception:
        changes.lasting.append(trait.name)


def _put_back_variables(before: dict[str, str]) -> list[str]:
    lost = {name for name, value in before.items() if os.environ.get(name) != value}
    new = {name for name in os.environ if name not in before and name.startswith(_OURS)}
    for name in new:
        del os.environ[name]
    for name in lost:
        os.environ[name] = before[name]
    return sorted(lost | new)


def _modes() -> list[Trait]:
    return [
        Trait("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype),
        Trait("torch's default device", torch.get_default_device, _set_device),
        Trait("torch's grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
        Trait("torch's inference mode", torch.is_inference_mode_enabled, _leave_inference_mode),
        Trait("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
        Trait("torch's deterministic mode", _deterministic, _set_deterministic),
        Trait("how the processor treats the smallest numbers", _keeps_denormals, _set_denormals),
        Trait("the current folder", _folder, _set_folder),
    ]


def _draws() -> list[Trait]:
    return [
        Trait("torch's random state", _torch_state, _set_torch_state),
        Trait("the random state of GPUs", _gpu_states, _set_gpu_states),
        Trait("numpy's random state", _numpy_state, _set_numpy_state),
        # Libraries draw from it for names of files.
        Trait("Python's random state", random.getstate, random.setstate, quiet=True),
    ]


def _traits() -> list[Trait]:
    numbers = [
        Trait("torch's autocast", _autocast, _set_autocast),
        Trait("torch's float32 precision", _precision, _set_precision),
        Trait("cuDNN's flags", _cudnn, _set_cudnn),
    ]
    manners = [
        Trait("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda it: locale.setlocale(locale.LC_ALL, it)),
        Trait("the handlers of signals", _handlers, _set_handlers),
        Trait("the timer of signals", lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0, _stop_timer),
        Trait("how processes are started", _start_method, lambda it: multiprocessing.set_start_method(it, force=True)),
        Trait("the hook of exceptions", lambda: sys.excepthook, lambda it: setattr(sys, "excepthook", it)),
        Trait("the limit of recursion", sys.getrecursionlimit, sys.setrecursionlimit),
        Trait("the root logger", _root_logger, _set_root_logger, quiet=True),
    ]
    return [*_modes(), *numbers, *_draws(), *manners]


def _set_device(device: torch.device) -> None:
    # None is what it is before anyone chooses: a chosen device costs every call.
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _leave_inference_mode(_: bool) -> None:
    raise RuntimeError("Only what entered it can leave it.")


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _autocast() -> tuple[bool, ...]:
    return tuple(torch.is_autocast_enabled(device) for device in ("cpu", "cuda"))


def _set_autocast(state: tuple[bool, ...]) -> None:
    for device, enabled in zip(("cpu", "cuda"), state, strict=True):
        torch.set_autocast_enabled(device, enabled)


def _backends() -> list[tuple[Any, str]]:
    """Where the precision of float32 is set: by one name in newer versions of torch, by another in older ones."""
    backends = torch.backends
    if not hasattr(backends, "fp32_precision"):
        return [(backends.cuda.matmul, "allow_tf32"), (backends.cudnn, "allow_tf32")]
    kinds = [(whole, part) for whole in (backends.cudnn, backends.mkldnn) for part in ("matmul", "conv", "rnn")]
    parts = [getattr(whole, part) for whole, part in kinds if hasattr(whole, part)]
    # Those that others take theirs from come first.
    places = [backends, backends.cudnn, backends.mkldnn, backends.cuda.matmul, *parts]
    return [(place, "fp32_precision") for place in places if hasattr(place, "fp32_precision")]


def _precision() -> tuple[Any, ...]:
    return _matmul_precision(), *(getattr(place, name) for place, name in _backends())


def _set_precision(state: tuple[Any, ...]) -> None:
    if state[0] is not None:
        torch.set_float32_matmul_precision(state[0])
    for (place, name), value in zip(_backends(), state[1:], strict=True):
        if getattr(place, name) != value:
            setattr(place, name, value)


def _matmul_precision() -> str | None:
    with suppress(RuntimeError):
        return torch.get_float32_matmul_precision()
    # It was set in the newer way to what the older one has no word for.
    return None


def _cudnn() -> tuple[bool, ...]:
    flags = torch.backends.cudnn
    return flags.enabled, flags.benchmark, flags.deterministic


def _set_cudnn(state: tuple[bool, ...]) -> None:
    flags = torch.backends.cudnn
    flags.enabled, flags.benchmark, flags.deterministic = state


def _keeps_denormals() -> bool:
    return sys.float_info.min / 2 > 0


def _set_denormals(kept: bool) -> None:
    torch.set_flush_denormal(not kept)


def _torch_state() -> bytes:
    return torch.get_rng_state().numpy().tobytes()


def _set_torch_state(state: bytes) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _gpu_states() -> Any:
    # Whoever uses a GPU first makes its generators: nothing was drawn from them before.
    if not torch.cuda.is_initialized():
        return _UNKNOWN
    return tuple(torch.cuda.get_rng_state(index).numpy().tobytes() for index in range(torch.cuda.device_count()))


def _set_gpu_states(states: tuple[bytes, ...]) -> None:
    for index, state in enumerate(states):
        torch.cuda.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8), index)


def _numpy_state() -> tuple[Any, ...]:
    state: tuple[Any, ...] = numpy.random.get_state(legacy=True)  # type: ignore[assignment]  # noqa: NPY002
    name, keys, *others = state
    return (name, keys.tobytes(), *others)


def _set_numpy_state(state: tuple[Any, ...]) -> None:
    name, keys, *others = state
    numpy.random.set_state((name, numpy.frombuffer(keys, numpy.uint32), *others))  # noqa: NPY002


def _folder() -> str | None:
    with suppress(OSError):
        return os.getcwd()  # noqa: PTH109 - as it is put back
    return None


def _set_folder(folder: str | None) -> None:
    with suppress(OSError):
        os.chdir(folder or "/")


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _set_handlers(handlers: dict[int, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in handlers.items():
        # None: one that was not installed by Python, and cannot be put back.
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _stop_timer(_: bool) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)


def _start_method() -> str | None:
    return multiprocessing.get_start_method(allow_none=True)


def _root_logger() -> tuple[int, int, tuple[logging.Handler, ...]]:
    root = logging.getLogger()
    return root.level, root.manager.disable, tuple(root.handlers)


def _set_root_logger(state: tuple[int, int, tuple[logging.Handler, ...]]) -> None:
    root = logging.getLogger()
    root.setLevel(state[0])
    logging.disable(state[1])
    root.handlers[:] = state[2]
