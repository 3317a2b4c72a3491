"""Networks that torchvision ships weights for."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlparse

import torch
from pydantic import Field
from torch import nn

from rethinkdc.contracts import (
    Context,
    Method,
    Protocol,
    RequestError,
    Teacher,
    TeacherSource,
    TestView,
    hookimpl,
    nearest,
)
from rethinkdc.models import require_listed

_IMAGENET_IMAGES, _IMAGENET_CLASSES = 1_281_167, 1000


class TorchvisionTeacher(TeacherSource):
    """A network of torchvision with weights that it ships, for data of the same classes: ``torchvision/NAME``."""

    name: ClassVar[str] = "torchvision"
    family: ClassVar[str] = "teachers"

    id: str = Field(description="Name as torchvision.models.list_models() prints it.")
    weights: str = Field(default="IMAGENET1K_V1", description="Member of the model's weights enumeration.")

    def check(self, protocol: Protocol, classes: int) -> None:  # noqa: ARG002
        known = len(self._weights().meta["categories"])
        if known != classes:
            raise RequestError(
                f"The teacher torchvision/{self.id}:weights={self.weights} tells {known} classes apart, and the data "
                f"has {classes}. Use a teacher of this data: trained, or checkpoint:path=FILE."
            )

    def fetch(self) -> None:
        _downloaded(self._weights().url, self._told)

    def provide(self, context: Context) -> Teacher:
        self.check(context.protocol, len(context.data.class_names))
        weights = self._weights()
        module = _filled(self.id, weights, self._told)
        return _teacher(self, module, weights.transforms(), context)

    @property
    def _told(self) -> str:
        return f"torchvision/{self.id}:weights={self.weights}"

    def _weights(self) -> Any:
        """The member of torchvision's enumeration."""
        import torchvision.models

        require_listed(self.id, torchvision.models.list_models(module=torchvision.models), "torchvision")
        tags = torchvision.models.get_model_weights(self.id)
        # Not DEFAULT, which the members hold too: it names other weights in another version.
        names = [member.name for member in tags]
        if self.weights not in names:
            raise RequestError(
                f"torchvision ships no weights {self.weights!r} for {self.id}. {nearest(self.weights, names)}"
            )
        return tags[self.weights]


def _filled(identity: str, weights: Any, name: str) -> nn.Module:
    """The network with its weights, built as the ones that were trained."""
    import torchvision.models

    options: dict[str, Any] = {}
    if identity in ("googlenet", "inception_v3"):
        options["transform_input"] = True
    elif identity.startswith("vit_"):
        options["image_size"] = weights.meta["min_size"][0]
    state = _downloaded(weights.url, name)
    # The weights that are drawn before these replace them are nobody else's random numbers.
    with torch.random.fork_rng(devices=[]):
        module: nn.Module = torchvision.models.get_model(identity, weights=None, **options)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise RequestError(f"The weights of {name} do not fit the network of this torchvision: {error}") from error
    return module


def _downloaded(url: str, name: str) -> dict[str, Any]:
    """The state dict at ``url``: from torch's own cache, else downloaded; never unpickled."""
    from torch.hub import load_state_dict_from_url

    try:
        found: dict[str, Any] = load_state_dict_from_url(url, map_location="cpu", check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        file = urlparse(url).path.rpartition("/")[2]
        raise RequestError(
            f"The weights of {name} are neither here nor can they be downloaded ({error}). `rethinkdc prepare --study "
            f"STUDY` fetches what a study needs while there is a network, or lay {file} into torch's cache; or name "
            "another teacher: trained, or checkpoint:path=FILE,model=[...]."
        ) from error
    return found


def _teacher(source: TorchvisionTeacher, module: nn.Module, preset: Any, context: Context) -> Teacher:
    """The teacher with the normalisation and the test transform of torchvision's preset."""
    mean, std, size = tuple(preset.mean), tuple(preset.std), int(preset.crop_size[0])
    interpolation = "bicubic" if preset.interpolation.value == "bicubic" else "bilinear"
    return Teacher(
        id=f"torchvision/{source.id}:weights={source.weights}",
        definition=source.id,
        module=module,
        mean=mean,
        std=std,
        size=size,
        test=TestView(resize=int(preset.resize_size[0]), size=size, fit="centre", interpolation=interpolation),
        device=context.device,
        external="" if _own_data(source, context) else f"{source.weights} weights of torchvision",
    )


def _own_data(source: TorchvisionTeacher, context: Context) -> bool:
    """Whether the weights were trained on the very classes and number of images that the run has."""
    plain = source.weights.startswith("IMAGENET1K_V")
    return plain and len(context.data) == _IMAGENET_IMAGES and len(context.data.class_names) == _IMAGENET_CLASSES


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the teacher ``torchvision``."""
    return [TorchvisionTeacher]
