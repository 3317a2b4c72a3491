"""Names of tensors: what wrappers put in front of them, and what other code calls the layers that a model here has.

Networks are taken for the same only where their code computes the same; the tests hold this by equal logits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from torch import Tensor, nn

from rethinkdc.errors import RequestError
from rethinkdc.models.weight_files import Weights

_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch itself puts anywhere into a name."""
_IDLE = re.compile(r"(.*\.)?(num_batches_tracked|total_ops|total_params)")
"""Counters, which no prediction depends on."""
_SHOWN = 3


class Naming(NamedTuple):
    """How other code names the layers of a model.

    Attributes:
        about: whose names they are, for the record.
        rename: the names here for those of a file; None = they are not of this naming.
    """

    about: str
    rename: Callable[[list[str], nn.Module], dict[str, str] | None]


def fill_network(module: nn.Module, weights: Weights, path: str, model: str) -> tuple[str, ...]:
    """Loads weights into a network, whatever stands before their names, and of other names where those are known.

    Args:
        module: gets the weights.
        weights: as a file has them.
        path: the file, for errors.
        model: what errors call the network.

    Returns:
        What was chosen, renamed and left out, for the record.

    Raises:
        RequestError: the weights are not those of the network; says which tensors differ.
    """
    tensors, told = _unwrap(weights.tensors, path), list(weights.told)
    if tensors.keys() != weights.tensors.keys():
        told.append(f"without {', '.join(name for name in _WRAPPERS if any(name in key for key in weights.tensors))}")
    needed = {name for name in module.state_dict() if not _IDLE.fullmatch(name)}
    fitting = [prefix for prefix in _prefixes(tensors, len(needed)) if _named(tensors, prefix, needed, module)]
    if len(fitting) > 1:
        places = " or entry=".join(prefix.rstrip(".") for prefix in fitting if prefix)
        raise RequestError(f"{path} holds the model {model} {len(fitting)} times: choose one with entry={places}.")
    prefix = fitting[0] if fitting else _common_prefix(tensors)
    state, about = _named(tensors, prefix, needed, module) or (_below(tensors, prefix), "")
    if prefix:
        outside = [name for name in tensors if not name.startswith(prefix)]
        told.append(f"prefix {prefix!r} stripped" + (f", left out: {_list(outside)}" if outside else ""))
    if about:
        told.append(about)
    _load(module, state, path, model)
    return tuple(told)


def _unwrap(tensors: dict[str, Tensor], path: str) -> dict[str, Tensor]:
    bare: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = name
        for wrapper in _WRAPPERS:
            short = short.replace(wrapper, "")
        if short in bare:
            raise RequestError(f"{path} holds {short} twice, with and without {', '.join(_WRAPPERS)} in its name.")
        bare[short] = tensor
    return bare


def _prefixes(names: Iterable[str], least: int) -> Iterator[str]:
    """All that at least ``least`` names begin with, up to one of their dots; the empty one first."""
    counts: dict[str, int] = {}
    for name in names:
        for place in [0, *(found.end() for found in re.finditer(r"\.", name))]:
            counts[name[:place]] = counts.get(name[:place], 0) + 1
    return (prefix for prefix in sorted(counts, key=len) if counts[prefix] >= least)


def _common_prefix(names: Iterable[str]) -> str:
    """The longest one that all names share."""
    known = list(names)
    return list(_prefixes(known, len(known)))[-1] if known else ""


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _named(
    tensors: dict[str, Tensor], prefix: str, needed: set[str], module: nn.Module
) -> tuple[dict[str, Tensor], str] | None:
    """The tensors below a prefix by the names of the network, and whose names they had; None where they are not its."""
    inside = _below(tensors, prefix)
    real = [name for name in inside if not _IDLE.fullmatch(name)]
    own = [name for name in module.state_dict() if name in inside and _IDLE.fullmatch(name)]
    if set(real) == needed:
        return {name: inside[name] for name in [*real, *own]}, ""
    for naming in NAMINGS:
        names = naming.rename(real, module)
        if names is not None and len(names) == len(real) and set(names.values()) == needed:
            return {new: inside[old] for old, new in names.items()}, f"names of {naming.about}"
    return None


def _load(module: nn.Module, state: dict[str, Tensor], path: str, model: str) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        own = module.state_dict()
        problems = [f"{name} is missing" for name in own if name not in state]
        problems += [f"{name} is not of this model" for name in state if name not in own]
        problems += [
            f"{name} is {list(state[name].shape)}, not {list(tensor.shape)}"
            for name, tensor in own.items()
            if name in state and state[name].shape != tensor.shape
        ]
        told = "; ".join(problems[:_SHOWN]) or str(error).strip().splitlines()[0]
        raise RequestError(
            f"{path} does not fit the model {model}: {told} ({len(problems)} tensors differ). Name the architecture "
            "that was trained with model=[...]; its classes must be those of the data."
        ) from error


# -- other code --------------------------------------------------------------------------------------------------------

_FEATURES = re.compile(r"features\.(\d+)\.(\w+)")
_BLOCKS_WITHOUT_NORM, _GROUPS = 3, 4
_BRANCH = {"0": "conv1", "1": "bn1", "3": "conv2", "4": "bn2", "6": "conv3", "7": "bn3"}


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


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


NAMINGS = (
    Naming(
        "the ConvNet with features and classifier, taken with ReLU and average pooling (other choices leave no trace "
        "in weights)",
        _rename_features,
    ),
    Naming("the CIFAR ResNet with shortcut and linear, for images of 32 px", _rename_shortcuts),
    Naming("the CIFAR ResNet with residual_function, for images of 32 px", _rename_branches),
)
"""Namings in common use beside those of the models here."""
