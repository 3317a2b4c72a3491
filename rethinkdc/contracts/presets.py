"""Values that a paper gives for each dataset, and where the value of a parameter comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rethinkdc.contracts.kinds import Setting
from rethinkdc.method import Method

FALLBACK = {"cifar10": "cifar100", "imagenet-21k": "imagenet-1k"}
"""Whose values are taken where a paper has none of its own."""
_EXACT = {"cifar10": (32, 10), "cifar100": (32, 100), "tiny-imagenet": (64, 200), "imagenet-1k": (224, 1000)}


class Preset(NamedTuple):
    """The values of one paper for one dataset, by the names of parameters, and the file or table that they are from."""

    values: Mapping[str, Any]
    source: str


def nearest_dataset(size: int, classes: int) -> tuple[str, bool]:
    """Which of the literature's datasets canvases are like, and whether they are just that.

    Args:
        size: side of a canvas in pixels: below 48 as CIFAR, below 112 as Tiny ImageNet, else as ImageNet.
        classes: number of classes: tells CIFAR-10 from CIFAR-100, and ImageNet-1K from ImageNet-21K.
    """
    if size >= 112:
        name = "imagenet-21k" if classes > 5000 else "imagenet-1k"
    elif size >= 48:
        name = "tiny-imagenet"
    else:
        name = "cifar100" if classes > 50 else "cifar10"
    return name, name == "imagenet-21k" or _EXACT[name] == (size, classes)


def nearest_ipc(known: Iterable[int], ipc: int) -> int:
    """The known number of images per class whose ratio to ``ipc`` is least; the smaller of two."""
    return min(known, key=lambda one: (max(one, ipc) / min(one, ipc), one))


def fits(dataset: str, size: int, classes: int) -> bool:
    """Whether networks for a dataset of the literature serve canvases: those of ImageNet know its classes by heart."""
    known_size, known_classes = _EXACT.get(dataset, (0, 0))
    return size == known_size and (dataset != "imagenet-1k" or classes == known_classes)


def chosen(presets: Mapping[str, Preset], size: int, classes: int) -> Preset:
    """The preset of the dataset that canvases are like, its source naming that dataset where they are not just that."""
    name, exact = nearest_dataset(size, classes)
    preset = presets[name] if name in presets else presets[FALLBACK[name]]
    like = "" if exact else f"; {size} px and {classes} classes are taken as {name}"
    return preset._replace(source=f"{preset.source}{like}")


def resolve(method: Method, presets: Mapping[str, Preset], size: int, classes: int) -> dict[str, Setting]:
    """Every parameter's value for canvases of one size and number of classes: what was given, else the preset's.

    Args:
        method: its parameters that are none and that the preset holds are open.
        presets: by dataset; ``cifar100``, ``tiny-imagenet`` and ``imagenet-1k`` at least.
        size: side of a canvas in pixels.
        classes: number of classes.
    """
    preset, given, settings = chosen(presets, size, classes), method.changed(), {}
    for key in method.fields():
        value = getattr(method, key)
        if key in given:
            settings[key] = Setting(value, "given")
        elif value is None and key in preset.values:
            settings[key] = Setting(preset.values[key], preset.source)
        else:
            settings[key] = Setting(value, "default")
    return settings
