"""A user's own trained network."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rethinkdc.contracts import (
    Content,
    Context,
    Fit,
    Interpolation,
    Method,
    Model,
    OfKind,
    Reference,
    RequestError,
    Teacher,
    TeacherSource,
    TestView,
    hookimpl,
)
from rethinkdc.models import build_seeded

_NESTED = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.")


class Checkpoint(TeacherSource):
    """Weights from a file (``.safetensors``, or a state dict that torch.save wrote), for a model that is named.

    Nothing is unpickled beyond tensors and plain containers. What is left out is the protocol's: the proxy's
    normalisation, the store's size, and its view of a whole image.
    """

    name: ClassVar[str] = "checkpoint"
    family: ClassVar[str] = "teachers"

    path: Annotated[str, Content()] = Field(description="The file.")
    model: Annotated[Reference, OfKind("model")] = Field(description="The architecture that the weights are of.")
    mean: tuple[float, float, float] | None = Field(
        default=None, description="Channel means of its input; none = the proxy's."
    )
    std: tuple[float, float, float] | None = Field(default=None, description="Standard deviations; none = the proxy's.")
    size: int | None = Field(default=None, ge=1, description="Side of its input in px; none = that of the store.")
    resize: int | None = Field(
        default=None, ge=1, description="Test images are resized to this before the centre crop."
    )
    fit: Fit = Field(default="centre", description="How a test image is resized; used with resize.")
    interpolation: Interpolation = Field(default="bilinear", description="Of that resize.")
    external: str = Field(
        default="", description="Data beyond the training set that it has seen; the record tells of it."
    )

    def provide(self, context: Context) -> Teacher:
        # The proxy's and not the student's: what a set depends on holds the one and not the other.
        protocol, store = context.protocol, context.protocol.store
        mean = self.mean or protocol.proxy_recipe().mean
        std, size = self.std or protocol.proxy_recipe().std, self.size or store.size
        model = context.method(Model, self.model)
        module = build_seeded(model, len(context.data.class_names), size, 0)
        _fill(module, _state(Path(self.path).expanduser()), self.path, str(self.model))
        view = (
            TestView(resize=self.resize, size=size, fit=self.fit, interpolation=self.interpolation)
            if self.resize
            else TestView(resize=size, size=size, fit=store.fit, interpolation=store.interpolation)
        )
        teacher = Teacher(
            id=f"checkpoint {Path(self.path).name}",
            definition=context.define(model),
            module=module,
            mean=mean,
            std=std,
            size=size,
            test=view,
            device=context.device,
            external=self.external,
        )
        # Two files may have one name.
        return replace(teacher, id=f"{teacher.id} {teacher.digest[:8]}")


def _state(path: Path) -> dict[str, Any]:
    """The state dict in a file, out of the containers that trainers put around it."""
    try:
        found = load_file(path) if path.suffix == ".safetensors" else _loaded(path)
    except OSError as error:
        raise RequestError(f"Cannot read the teacher's weights {path}: {error.strerror or error}.") from error
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise RequestError(
            f"{path} is no file of tensors alone ({error}). Save a state dict: torch.save(model.state_dict(), FILE), "
            "or safetensors.torch.save_file."
        ) from error
    for key in _NESTED:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not any(isinstance(value, Tensor) for value in found.values()):
        raise RequestError(f"{path} holds no state dict: found {type(found).__name__} without tensors.")
    return {_bare(name): value for name, value in found.items() if isinstance(value, Tensor)}


def _loaded(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _bare(name: str) -> str:
    """A tensor's name without what wrappers put in front of it."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _fill(module: nn.Module, state: dict[str, Any], path: str, model: str) -> None:
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
        told = "; ".join(problems[:3]) or str(error)
        raise RequestError(
            f"{path} does not fit the model {model}: {told} ({len(problems)} tensors differ). Name the architecture "
            "that was trained with model=[...]; its classes must be those of the data."
        ) from error


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the teacher ``checkpoint``."""
    return [Checkpoint]
