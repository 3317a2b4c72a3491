"""Files of tensors to a compressed set: safetensors, NumPy's, and torch's without running what they hold.

Layouts: a mapping with ``images`` and ``labels`` or ``targets`` (both, where one holds class indices and the other soft
labels), or with other names that can only mean this; a pair ``[images, labels]``; the images alone with the labels in a
file of their own, as a folder too (MTT, DATM: ``images_best.pt``, ``labels_best.pt``); and ``data``, a list of such
pairs, one for each experiment (DC, DSA, DM: ``res_*.pt``). What was taken for what stands in the card's notes.

A learned student rate is read from the file that is named, from ``student_lr`` of a mapping, and, where images and
labels lie in two files, from ``lr.pt`` beside the images; the card's notes say from where.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rethinkdc.compressed.arranging import arrange_labels
from rethinkdc.compressed.card import Card
from rethinkdc.compressed.entries import Entries, find_entries, find_labels
from rethinkdc.compressed.parts import STUDENT_LR, read_rate
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.compressed.tensor_folders import SUFFIXES, hint_labels
from rethinkdc.compressed.tensors import LabelForm, as_logits, images_per_class, set_of_tensors
from rethinkdc.errors import DataError, RequestError
from rethinkdc.files.arrays import PICKLES, describe, read_arrays, refuse_pickle
from rethinkdc.files.torch_files import read_torch

_TORCH = (".pt", ".pth", ".ckpt")
_ANEW = "torch.save({'images': images, 'labels': labels}, 'set.pt')"
UNKNOWN = "unknown (made elsewhere)"
"""What the card of a set made elsewhere names as external data: nobody here can tell what it was made of."""

RATE_FILE = "lr.pt"
"""Where the learned student rate lies beside images and labels in files of their own."""


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


def import_tensors(path: Path, facts: FileFacts, name: str | None = None) -> CompressedSet:
    """Reads a set from a file of tensors; its card names the file, and an unknown source.

    Args:
        path: the file.
        facts: what it does not say of itself.
        name: what the card calls the set; None = the file's name.

    Raises:
        RequestError: the file cannot be read, or holds no such set; names it, what was found, and what is known.
    """
    try:
        found, rate, notes = _read_parts(path, facts)
        for tensor in (found.images, *found.labels):
            _require_values(tensor)
        forms = ", ".join(["images " + describe(found.images), *(f"labels {describe(each)}" for each in found.labels)])
        notes["source"] = f"tensors of {path.name}: {forms}"
        labels = arrange_labels(found.labels, len(found.images), facts.soft_labels)
        if told := [*found.told, *labels.told]:
            notes["read"] = told
        soft = None if labels.soft is None else as_logits(labels.soft, facts.soft_labels or "logits")
        hard = soft.argmax(dim=1) if labels.hard is None and soft is not None else labels.hard
        ipc = None if hard is None or not len(hard) else images_per_class(hard)
        card = Card(method=name or path.stem, ipc=ipc, external_data=[UNKNOWN], notes=notes)
        return set_of_tensors(
            found.images,
            hard,
            mean=facts.mean,
            std=facts.std,
            soft_targets=soft,
            student_lr=rate,
            card=card,
            class_names=found.class_names,
        )
    except DataError:
        raise
    except RequestError as error:
        raise RequestError(f"Cannot read a set from {path}: {error}") from error


def _read_parts(path: Path, facts: FileFacts) -> tuple[Entries, float | None, dict[str, Any]]:
    """Reads images and labels (hard, soft or both), a learned student rate, and the notes of the card."""
    content = read_tensors(path)
    notes: dict[str, Any] = {"external_data": [UNKNOWN]}
    data = content.get("data") if isinstance(content, Mapping) else None
    beside: tuple[str, ...] = ()
    if isinstance(data, list | tuple):
        if left := [str(key) for key in content if key not in ("data", STUDENT_LR)]:
            beside = (f"left unread: {', '.join(left)}",)
        content, notes["experiment"] = _choose_experiment(data, facts.experiment)
    elif facts.experiment is not None:
        raise RequestError("it holds one set, no list of experiments: leave out --experiment.")
    found = find_entries(content)
    if facts.labels is not None:
        if found.labels:
            raise RequestError("it has labels of its own: leave out --labels.")
        told = (*found.told, f"images of {path.name}, labels of {facts.labels.name}")
        found = found._replace(labels=[_read_labels(facts.labels)], told=told)
    if not found.labels:
        raise RequestError(f"it holds no labels. Name the file that does with --labels FILE.{hint_labels(path)}")
    rate, source = _find_rate(path, content, facts)
    if source:
        notes["student_lr"] = f"read from {source}"
    return found._replace(told=(*beside, *found.told)), rate, notes


def _find_rate(path: Path, content: Any, facts: FileFacts) -> tuple[float | None, str]:
    """Finds the learned student rate, and what it was read from."""
    if isinstance(facts.student_lr, float | int):
        return float(facts.student_lr), ""
    if facts.student_lr is None and isinstance(content, Mapping) and STUDENT_LR in content:
        return _one_number(content[STUDENT_LR], path), path.name
    beside = path.with_name(RATE_FILE)
    file = facts.student_lr or (beside if facts.labels is not None and beside.is_file() else None)
    return (None, "") if file is None else (_one_number(read_tensors(file), file), file.name)


def _one_number(content: Any, path: Path) -> float:
    if isinstance(content, Mapping) and len(content) == 1:
        (content,) = content.values()
    if isinstance(content, float | int):
        return float(content)
    if not isinstance(content, Tensor):
        raise RequestError(f"{path} holds {describe(content)}; expected one number, the learned student rate.")
    return read_rate(content, str(path))


def read_tensors(path: Path) -> Any:
    """What a file of tensors holds: memory-mapped where its format allows, on the CPU.

    Raises:
        DataError: no such file, another format, damaged, or it holds objects that are no tensors.
    """
    if path.suffix in PICKLES and path.is_file():
        raise DataError(refuse_pickle(path))
    if path.suffix not in SUFFIXES:
        raise DataError(
            f"Cannot read tensors from {path}: known are files named {', '.join(SUFFIXES)}. Where another format "
            f"can be read, save its tensors: {_ANEW} or numpy.savez('set.npz', images=images, labels=labels)."
        )
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    return read_torch(path, f"{_ANEW}.") if path.suffix in _TORCH else read_arrays(path)


def _choose_experiment(data: list[Any] | tuple[Any, ...], chosen: int | None) -> tuple[Any, str]:
    index = chosen or 0
    if not 0 <= index < len(data):
        raise RequestError(f"--experiment {index}: it holds {len(data)} experiments, counted from 0.")
    return data[index], f"{index} of {len(data)}"


def _read_labels(path: Path) -> Tensor:
    content = read_tensors(path)
    labels = find_labels(content)
    if labels is None:
        raise RequestError(f"{path} holds {describe(content)}; expected one tensor of labels.")
    return labels


def _require_values(tensor: Tensor) -> None:
    """Refuses tensors that do not hold each of their values: sparse, nested and meta ones may come from a file too."""
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta or tensor.is_quantized:
        packed = "nested" if tensor.is_nested else "quantized" if tensor.is_quantized else ""
        kind = "meta" if tensor.is_meta else packed or str(tensor.layout).removeprefix("torch.")
        raise RequestError(f"it holds a tensor that is {kind}, and only dense ones are read.")
