"""Weights into a network, whatever stands before their names and whoever named them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from rethinkdc.errors import RequestError
from rethinkdc.models.other_names import NAMINGS
from rethinkdc.models.weight_files import Weights

_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch itself puts anywhere into a name."""
_IDLE = re.compile(r"(.*\.)?(num_batches_tracked|total_ops|total_params)")
"""Counters, which no prediction depends on."""
_SHOWN = 3


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
    told += _check_values(state, path, module)
    _load(module, state, path, model)
    return tuple(told)


def _check_values(state: dict[str, Tensor], path: str, module: nn.Module) -> list[str]:
    """Refuses weights that no network computes with; returns in which type they are stored, where it is another."""
    own = {name for name, tensor in module.state_dict().items() if tensor.is_floating_point()}
    weights = {name: tensor for name, tensor in state.items() if name in own}
    for name, tensor in weights.items():
        if tensor.layout != torch.strided or tensor.is_quantized or not tensor.is_floating_point():
            kind = "sparse" if tensor.layout != torch.strided else str(tensor.dtype).removeprefix("torch.")
            raise RequestError(f"{path} holds {name} as {kind}: weights must be floats. Save them as float32.")
        if not bool(torch.isfinite(tensor).all()):
            raise RequestError(f"{path} holds values in {name} that are not finite: that training diverged.")
    kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in weights.values()} - {"float32"})
    return [f"stored as {' and '.join(kinds)}, used as float32"] if kinds else []


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


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
