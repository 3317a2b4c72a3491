"""Files of tensors to a compressed set: ``.safetensors``, and ``.pt`` or ``.pth`` without running what they hold.

Layouts: a mapping with ``images`` and ``labels`` or ``targets`` (both, where one holds class indices and the other soft
labels); a pair ``[images, labels]``; the images alone with the labels in a file of their own (MTT, DATM); and ``data``,
a list of such pairs, one for each experiment (DC, DSA, DM: ``res_*.pt``).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rethinkdc.compressed.set import Card, CompressedSet
from rethinkdc.compressed.tensors import LabelForm, as_logits, images_per_class, set_of_tensors
from rethinkdc.compressed.working import load_tensors
from rethinkdc.errors import DataError, RequestError

SUFFIXES = (".safetensors", ".pt", ".pth")
UNKNOWN = "unknown (made elsewhere)"
"""What the card of a set made elsewhere names as external data: nobody here can tell what it was made of."""

_LABELS = ("labels", "targets")
_KNOWN = (
    "Known: a mapping with images and labels or targets, a pair [images, labels], images alone beside --labels FILE, "
    "or data, a list of pairs, one for each experiment."
)


class Form(NamedTuple):
    """What a file of tensors does not say of itself.

    Attributes:
        labels: a file that holds the labels; None = they are beside the images.
        mean: channel means that the images were normalised with; None = they were not.
        std: channel standard deviations of the same.
        soft_labels: what labels [M, C] are.
        experiment: which of several experiments, from 0.
    """

    labels: Path | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    soft_labels: LabelForm | None = None
    experiment: int | None = None


def import_tensors(path: Path, form: Form) -> CompressedSet:
    """Reads a set from a file of tensors; its card names the file, and an unknown source.

    Raises:
        RequestError: the file cannot be read, or holds no such set; names it, what was found, and what is known.
    """
    try:
        images, labels, notes = _parts_of(path, form)
        for tensor in (images, *labels):
            _require_values(tensor)
        hard, soft = _told_apart(labels, len(images), form.soft_labels)
        if hard is None and soft is not None:
            hard = soft.argmax(dim=1)
        ipc = None if hard is None or not len(hard) else images_per_class(hard)
        about = {**notes, "external_data": [UNKNOWN]}
        card = Card(method=path.stem, ipc=ipc, external_data=[UNKNOWN], notes=about)
        return set_of_tensors(images, hard, mean=form.mean, std=form.std, soft_targets=soft, card=card)
    except DataError:
        raise
    except RequestError as error:
        raise RequestError(f"Cannot read a set from {path}: {error}") from error


def _parts_of(path: Path, form: Form) -> tuple[Tensor, list[Tensor], dict[str, Any]]:
    """Images, labels (hard, soft or both), and what is worth a note."""
    found = read_tensors(path)
    notes: dict[str, Any] = {}
    data = found.get("data") if isinstance(found, Mapping) else None
    if isinstance(data, list | tuple):
        found, notes["experiment"] = _experiment(data, form.experiment)
    elif form.experiment is not None:
        raise RequestError("it holds one set, no list of experiments: leave out --experiment.")
    images, labels = _pair(found)
    if form.labels is not None:
        if labels:
            raise RequestError("it has labels of its own: leave out --labels.")
        labels = _labels_alone(form.labels)
    if not labels:
        raise RequestError("it holds no labels. Name the file that does with --labels FILE.")
    return images, labels, notes


def read_tensors(path: Path) -> Any:
    """What a file of tensors holds: memory-mapped where its format allows, on the CPU.

    Raises:
        DataError: no such file, another format, damaged, or it holds objects that are no tensors.
    """
    if path.suffix not in SUFFIXES:
        raise DataError(f"Cannot read tensors from {path}: known are files named {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        return load_tensors(path) if path.suffix == ".safetensors" else _unpickled(path)
    except pickle.UnpicklingError as error:
        # Also what a file that is no pickle at all raises.
        reason = str(error).strip().splitlines()[-1]
        raise DataError(
            f"{path} is damaged, or holds objects that are no tensors; those are never loaded, since they could run "
            "code. Where the file comes from, load it and save its tensors: "
            f"torch.save({{'images': images, 'labels': labels}}, FILE). The reader says: {reason}"
        ) from error
    except Exception as error:  # both libraries raise their own, unrelated types
        raise DataError(f"Cannot read {path}: {type(error).__name__}: {error}") from error


def _unpickled(path: Path) -> Any:
    with _numbers_allowed():
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:
            # Files of torch before 1.6 are no archives that could be mapped.
            return torch.load(path, map_location="cpu", weights_only=True)


def _numbers_allowed() -> AbstractContextManager[Any]:
    """Lets NumPy's numbers through: DC and DM keep accuracies of that type beside their images.

    They are rebuilt from a type and bytes; nothing else of NumPy is let in.
    """
    import numpy as np

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        return nullcontext()
    scalar = np.float64(0).__reduce__()[0]
    names = [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar")]
    kinds = [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]
    allowed: list[Any] = [*names, np.dtype, *kinds]
    return torch.serialization.safe_globals(allowed)


def _experiment(data: list[Any] | tuple[Any, ...], chosen: int | None) -> tuple[Any, str]:
    index = chosen or 0
    if not 0 <= index < len(data):
        raise RequestError(f"--experiment {index}: it holds {len(data)} experiments, counted from 0.")
    return data[index], f"{index} of {len(data)}"


def _pair(found: Any) -> tuple[Tensor, list[Tensor]]:
    """Images and labels of any of the layouts."""
    if isinstance(found, Tensor):
        return found, []
    if isinstance(found, Mapping):
        images, labels = found.get("images"), [found[key] for key in _LABELS if found.get(key) is not None]
    elif isinstance(found, list | tuple) and len(found) == 2:
        images, labels = found[0], [found[1]]
    else:
        images, labels = None, []
    if not isinstance(images, Tensor) or not all(isinstance(label, Tensor) for label in labels):
        raise RequestError(f"it holds {_described(found)}. {_KNOWN}")
    return images, labels


def _labels_alone(path: Path) -> list[Tensor]:
    found = read_tensors(path)
    if isinstance(found, Mapping):
        tensors = [found[key] for key in _LABELS if key in found] or list(found.values())
        found = tensors[0] if len(tensors) == 1 else found
    if not isinstance(found, Tensor):
        raise RequestError(f"{path} holds {_described(found)}; expected one tensor of labels.")
    return [found]


def _require_values(tensor: Tensor) -> None:
    """Refuses tensors that do not hold each of their values: sparse, nested and meta ones may come from a file too."""
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
        kind = "meta" if tensor.is_meta else "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        raise RequestError(f"it holds a tensor that is {kind}, and only dense ones are read.")


def _told_apart(labels: list[Tensor], count: int, form: LabelForm | None) -> tuple[Tensor | None, Tensor | None]:
    """Class indices, and learned labels as logits; either may be None."""
    hard = [label for label in labels if label.ndim == 1 and not label.is_floating_point()]
    soft = [label for label in labels if label.ndim == 2 and label.is_floating_point()]
    if len(hard) + len(soft) != len(labels) or len(hard) > 1 or len(soft) > 1:
        found = ", ".join(f"{label.dtype} {list(label.shape)}" for label in labels)
        raise RequestError(
            f"Labels must be class indices int64 [{count}] or soft labels float [{count}, C]; found {found}."
        )
    if not soft:
        if form is not None:
            raise RequestError("its labels are class indices: leave out --soft-labels.")
        return hard[0].detach(), None
    if len(soft[0]) != count or not soft[0].shape[1]:
        raise RequestError(f"Soft labels must be float [{count}, C]; found {list(soft[0].shape)}.")
    if form is None:
        raise RequestError("its labels are soft: say what they are with --soft-labels logits or probabilities.")
    return (hard[0].detach() if hard else None), as_logits(soft[0], form)


def _described(found: Any) -> str:
    """Names and shapes, for an error message."""
    if isinstance(found, Tensor):
        return f"{str(found.dtype).removeprefix('torch.')} {list(found.shape)}"
    if isinstance(found, Mapping):
        return ", ".join(f"{key} ({_described(value)})" for key, value in list(found.items())[:8]) or "nothing"
    if isinstance(found, list | tuple):
        return f"a list of {len(found)}"
    return type(found).__name__
