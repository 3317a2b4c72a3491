"""Files of tensors to a compressed set: ``.safetensors``, and ``.pt`` or ``.pth`` without running what they hold.

Layouts: a mapping with ``images`` and ``labels`` or ``targets`` (both, where one holds class indices and the other soft
labels); a pair ``[images, labels]``; the images alone with the labels in a file of their own (MTT, DATM); and ``data``,
a list of such pairs, one for each experiment (DC, DSA, DM: ``res_*.pt``).

A learned student rate is read from the file that is named, from ``student_lr`` of a mapping, and, where images and
labels lie in two files, from ``lr.pt`` beside the images; the card's notes say from where.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rethinkdc.compressed.card import Card
from rethinkdc.compressed.parts import STUDENT_LR, read_rate
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.compressed.tensors import LabelForm, as_logits, images_per_class, set_of_tensors
from rethinkdc.compressed.working import load_tensors
from rethinkdc.errors import DataError, RequestError

SUFFIXES = (".safetensors", ".pt", ".pth")
UNKNOWN = "unknown (made elsewhere)"
"""What the card of a set made elsewhere names as external data: nobody here can tell what it was made of."""

_LABELS = ("labels", "targets")
_MTT_RATE = "lr.pt"
_KNOWN = (
    "Known: a mapping with images and labels or targets, a pair [images, labels], images alone beside --labels FILE, "
    "or data, a list of pairs, one for each experiment."
)


class FileFacts(NamedTuple):
    """What a file of tensors does not say of itself.

    Attributes:
        labels: a file that holds the labels; None = they are beside the images.
        mean: channel means that the images were normalised with; None = they were not.
        std: channel standard deviations of the same.
        soft_labels: what labels [M, C] are.
        experiment: which of several experiments, from 0.
        student_lr: the learned student rate, or the file that holds it; None = what the module's page says.
    """

    labels: Path | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    soft_labels: LabelForm | None = None
    experiment: int | None = None
    student_lr: float | Path | None = None


def import_tensors(path: Path, facts: FileFacts) -> CompressedSet:
    """Reads a set from a file of tensors; its card names the file, and an unknown source.

    Raises:
        RequestError: the file cannot be read, or holds no such set; names it, what was found, and what is known.
    """
    try:
        images, labels, rate, notes = _read_parts(path, facts)
        for tensor in (images, *labels):
            _require_values(tensor)
        hard, soft = _tell_apart(labels, len(images), facts.soft_labels)
        if hard is None and soft is not None:
            hard = soft.argmax(dim=1)
        ipc = None if hard is None or not len(hard) else images_per_class(hard)
        about = {**notes, "external_data": [UNKNOWN]}
        card = Card(method=path.stem, ipc=ipc, external_data=[UNKNOWN], notes=about)
        return set_of_tensors(
            images, hard, mean=facts.mean, std=facts.std, soft_targets=soft, student_lr=rate, card=card
        )
    except DataError:
        raise
    except RequestError as error:
        raise RequestError(f"Cannot read a set from {path}: {error}") from error


def _read_parts(path: Path, facts: FileFacts) -> tuple[Tensor, list[Tensor], float | None, dict[str, Any]]:
    """Reads images, labels (hard, soft or both), a learned student rate, and what is worth a note."""
    content = read_tensors(path)
    notes: dict[str, Any] = {}
    data = content.get("data") if isinstance(content, Mapping) else None
    if isinstance(data, list | tuple):
        content, notes["experiment"] = _choose_experiment(data, facts.experiment)
    elif facts.experiment is not None:
        raise RequestError("it holds one set, no list of experiments: leave out --experiment.")
    images, labels = _pair(content)
    if facts.labels is not None:
        if labels:
            raise RequestError("it has labels of its own: leave out --labels.")
        labels = _read_labels(facts.labels)
    if not labels:
        raise RequestError("it holds no labels. Name the file that does with --labels FILE.")
    rate, source = _find_rate(path, content, facts)
    if source:
        notes["student_lr"] = f"read from {source}"
    return images, labels, rate, notes


def _find_rate(path: Path, content: Any, facts: FileFacts) -> tuple[float | None, str]:
    """Finds the learned student rate, and what it was read from."""
    if isinstance(facts.student_lr, float | int):
        return float(facts.student_lr), ""
    if facts.student_lr is None and isinstance(content, Mapping) and STUDENT_LR in content:
        return _one_number(content[STUDENT_LR], path), path.name
    beside = path.with_name(_MTT_RATE)
    file = facts.student_lr or (beside if facts.labels is not None and beside.is_file() else None)
    return (None, "") if file is None else (_one_number(read_tensors(file), file), file.name)


def _one_number(content: Any, path: Path) -> float:
    if isinstance(content, Mapping) and len(content) == 1:
        (content,) = content.values()
    if isinstance(content, float | int):
        return float(content)
    if not isinstance(content, Tensor):
        raise RequestError(f"{path} holds {_describe(content)}; expected one number, the learned student rate.")
    return read_rate(content, str(path))


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


def _choose_experiment(data: list[Any] | tuple[Any, ...], chosen: int | None) -> tuple[Any, str]:
    index = chosen or 0
    if not 0 <= index < len(data):
        raise RequestError(f"--experiment {index}: it holds {len(data)} experiments, counted from 0.")
    return data[index], f"{index} of {len(data)}"


def _pair(content: Any) -> tuple[Tensor, list[Tensor]]:
    """Tells images and labels apart in any of the layouts."""
    if isinstance(content, Tensor):
        return content, []
    if isinstance(content, Mapping):
        images, labels = content.get("images"), [content[key] for key in _LABELS if content.get(key) is not None]
    elif isinstance(content, list | tuple) and len(content) == 2:
        images, labels = content[0], [content[1]]
    else:
        images, labels = None, []
    if not isinstance(images, Tensor) or not all(isinstance(label, Tensor) for label in labels):
        raise RequestError(f"it holds {_describe(content)}. {_KNOWN}")
    return images, labels


def _read_labels(path: Path) -> list[Tensor]:
    content = read_tensors(path)
    if isinstance(content, Mapping):
        tensors = [content[key] for key in _LABELS if key in content] or list(content.values())
        content = tensors[0] if len(tensors) == 1 else content
    if not isinstance(content, Tensor):
        raise RequestError(f"{path} holds {_describe(content)}; expected one tensor of labels.")
    return [content]


def _require_values(tensor: Tensor) -> None:
    """Refuses tensors that do not hold each of their values: sparse, nested and meta ones may come from a file too."""
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
        kind = "meta" if tensor.is_meta else "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        raise RequestError(f"it holds a tensor that is {kind}, and only dense ones are read.")


def _tell_apart(labels: list[Tensor], count: int, form: LabelForm | None) -> tuple[Tensor | None, Tensor | None]:
    """Tells class indices from learned labels, which become logits; either may be None."""
    hard = [label for label in labels if label.ndim == 1 and not label.is_floating_point()]
    soft = [label for label in labels if label.ndim == 2 and label.is_floating_point()]
    if len(hard) + len(soft) != len(labels) or len(hard) > 1 or len(soft) > 1:
        given = ", ".join(f"{label.dtype} {list(label.shape)}" for label in labels)
        raise RequestError(
            f"Labels must be class indices int64 [{count}] or soft labels float [{count}, C]; found {given}."
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


def _describe(content: Any) -> str:
    """Names types and shapes, for an error message."""
    if isinstance(content, Tensor):
        return f"{str(content.dtype).removeprefix('torch.')} {list(content.shape)}"
    if isinstance(content, Mapping):
        return ", ".join(f"{key} ({_describe(value)})" for key, value in list(content.items())[:8]) or "nothing"
    if isinstance(content, list | tuple):
        return f"a list of {len(content)}"
    return type(content).__name__
