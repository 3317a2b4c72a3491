"""Architectures of timm and torchvision, named ``timm/NAME`` and ``torchvision/NAME``; never pretrained."""

from __future__ import annotations

import difflib
from typing import Any, ClassVar

from pydantic import Field
from torch import nn

from rethinkdc.errors import RequestError
from rethinkdc.models.model import Model

# These two return a tuple of logits in training unless told otherwise.
_WITH_AUXILIARY_LOGITS = ("googlenet", "inception_v3")


class TimmModel(Model):
    """Any architecture that timm lists."""

    name: ClassVar[str] = "timm"

    id: str = Field(description="name as timm.list_models() prints it, without a weights tag")

    def build(self, classes: int, size: int) -> nn.Module:
        import timm

        require_listed(self.id, timm.list_models(), "timm")
        config = timm.get_pretrained_cfg(self.id)
        options: dict[str, Any] = {}
        if config is not None and config.fixed_input_size and config.input_size[-1] != size:
            options["img_size"] = size
        try:
            model: nn.Module = timm.create_model(self.id, pretrained=False, num_classes=classes, **options)
        except (AssertionError, TypeError, ValueError, RuntimeError) as error:
            raise _cannot_build(f"timm/{self.id}", size, error) from error
        return model


class TorchvisionModel(Model):
    """Any classification architecture that torchvision lists."""

    name: ClassVar[str] = "torchvision"

    id: str = Field(description="name as torchvision.models.list_models() prints it")

    def build(self, classes: int, size: int) -> nn.Module:
        import torchvision.models

        require_listed(self.id, torchvision.models.list_models(module=torchvision.models), "torchvision")
        options: dict[str, Any] = {}
        if self.id in _WITH_AUXILIARY_LOGITS:
            options.update(aux_logits=False, init_weights=True)
        elif self.id.startswith("vit_"):
            options["image_size"] = size
        elif self.id.startswith("maxvit"):
            options["input_size"] = (size, size)
        try:
            model: nn.Module = torchvision.models.get_model(self.id, weights=None, num_classes=classes, **options)
        except (AssertionError, TypeError, ValueError, RuntimeError) as error:
            raise _cannot_build(f"torchvision/{self.id}", size, error) from error
        return model


def external_model(name: str) -> Model | None:
    """The model that ``timm/NAME`` or ``torchvision/NAME`` names; None when ``name`` has neither prefix.

    Raises:
        RequestError: the library does not list the name; gives the closest ones that it does.
    """
    library, slash, identity = name.partition("/")
    if not slash:
        return None
    if library == "timm":
        import timm

        require_listed(identity, timm.list_models(), library)
        return TimmModel(id=identity)
    if library == "torchvision":
        import torchvision.models

        require_listed(identity, torchvision.models.list_models(module=torchvision.models), library)
        return TorchvisionModel(id=identity)
    return None


def require_listed(identity: str, known: list[str], library: str) -> None:
    """Refuses a name that a library does not list; gives the closest ones that it does.

    Raises:
        RequestError: ``identity`` is not in ``known``.
    """
    if identity in known:
        return
    # Naming all of a thousand names helps nobody: the closest three, and where the rest is.
    closest = " or ".join(repr(f"{library}/{item}") for item in difflib.get_close_matches(identity, known, 3, 0.0))
    module = "timm" if library == "timm" else "torchvision.models"
    raise RequestError(
        f"{library} has no model {identity!r}. Did you mean {closest}? {len(known)} are known; "
        f'python -c "import {module}; print({module}.list_models())" lists them.'
    )


def _cannot_build(name: str, size: int, error: Exception) -> RequestError:
    return RequestError(
        f"{name} cannot be built for images of {size} px: {error}. "
        "Choose a size that it supports, or another model, for example 'resnet18-3x3' for small images."
    )
