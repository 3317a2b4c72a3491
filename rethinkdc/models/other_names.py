"""What other code calls the layers that models here have.

Networks are taken for the same only where their code computes the same; the tests hold this by equal logits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from rethinkdc.errors import RequestError

_FEATURES = re.compile(r"features\.(\d+)\.(\w+)")
_BLOCKS_WITHOUT_NORM, _GROUPS = 3, 4
_HEADS = frozenset({"fc", "linear", "classifier", "head", "last_linear", "logits", "output", "head.fc"})
_BRANCH = {"0": "conv1", "1": "bn1", "3": "conv2", "4": "bn2", "6": "conv3", "7": "bn3"}


class Naming(NamedTuple):
    """How other code names the layers of a model.

    Attributes:
        about: whose names they are, for the record.
        rename: the names here for those of a file; None = they are not of this naming.
    """

    about: str
    rename: Callable[[list[str], nn.Module], dict[str, str] | None]


def _rename_features(names: list[str], module: nn.Module) -> dict[str, str] | None:
    """``features.N`` and ``classifier``: convolution, norm, ReLU and pooling numbered as they follow each other."""
    own = sorted({int(name.split(".")[0]) for name in module.state_dict() if re.match(r"\d+\.", name)})
    found = {name: _FEATURES.fullmatch(name) for name in names if not name.startswith("classifier.")}
    numbers = sorted({int(match.group(1)) for match in found.values() if match})
    if not own or not all(found.values()) or len(numbers) != len(own) - 1:
        return None
    # Without a norm that code leaves its place out; here it is kept.
    if numbers not in (own[:-1], [_BLOCKS_WITHOUT_NORM * place for place in range(len(numbers))]):
        return None
    for layer in module.modules():
        if isinstance(layer, nn.GroupNorm) and layer.num_groups not in (layer.num_channels, _GROUPS):
            raise RequestError(
                f"Weights named features.N and classifier are of code whose group norm has {_GROUPS} groups; the one "
                f"of this model has {layer.num_groups}. Name the norm that was trained, such as norm=instance."
            )
    here = dict(zip(numbers, own, strict=False))
    renamed = {name: f"{here[int(match[1])]}.{match[2]}" for name, match in found.items() if match}
    classifier = {name: f"{own[-1]}.{name.partition('.')[2]}" for name in names if name.startswith("classifier.")}
    return {**renamed, **classifier}


def _rename_shortcuts(names: list[str], module: nn.Module) -> dict[str, str] | None:  # noqa: ARG001
    """Residual networks of 32 px whose blocks have a ``shortcut``."""
    if not any(".shortcut." in name for name in names):
        return None
    return {
        name: re.sub(r"^(linear|classifier)\.", "fc.", name.replace(".shortcut.", ".downsample.")) for name in names
    }


def _rename_branches(names: list[str], module: nn.Module) -> dict[str, str] | None:  # noqa: ARG001
    """Residual networks of 32 px whose blocks have a ``residual_function``."""
    if not any(".residual_function." in name for name in names):
        return None

    def rename(name: str) -> str:
        name = re.sub(r"^conv1\.([01])\.", lambda found: ("conv1.", "bn1.")[int(found[1])], name)
        name = re.sub(r"^conv([2-5])_x\.", lambda found: f"layer{int(found[1]) - 1}.", name)
        name = re.sub(r"\.residual_function\.([013467])\.", lambda found: f".{_BRANCH[found[1]]}.", name)
        return name.replace(".shortcut.", ".downsample.")

    return {name: rename(name) for name in names}


def _rename_head(names: list[str], module: nn.Module) -> dict[str, str] | None:
    """The same names but for the last layer, which is called otherwise."""
    own = {name for name in module.state_dict() if not name.endswith("num_batches_tracked")}
    theirs, ours = (
        {name.rpartition(".")[0] for name in different} for different in (set(names) - own, own - set(names))
    )
    if not (len(theirs) == len(ours) == 1 and theirs | ours <= _HEADS):
        return None
    (old,), (new,) = theirs, ours
    return {name: f"{new}.{name.rpartition('.')[2]}" if name.rpartition(".")[0] == old else name for name in names}


NAMINGS = (
    Naming(
        "the ConvNet with features and classifier, taken with ReLU and average pooling (other choices leave no trace "
        "in weights)",
        _rename_features,
    ),
    Naming("the CIFAR ResNet with shortcut and linear, for images of 32 px", _rename_shortcuts),
    Naming("the CIFAR ResNet with residual_function, for images of 32 px", _rename_branches),
    Naming("this model, with another name of its last layer", _rename_head),
)
"""Namings in common use beside those of the models here."""
