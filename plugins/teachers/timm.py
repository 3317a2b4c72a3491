"""Networks that timm has pretrained weights for."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator
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
)
from rethinkdc.models import require_listed


class TimmTeacher(TeacherSource):
    """A network of timm with pretrained weights, for data of the same classes: ``timm/NAME`` or ``timm/NAME.TAG``."""

    name: ClassVar[str] = "timm"
    family: ClassVar[str] = "teachers"

    id: str = Field(description="Name and weights tag as timm.list_pretrained() prints them; no tag = timm's default.")

    @field_validator("id")
    @classmethod
    def _with_its_tag(cls, value: str) -> str:
        import timm

        # Without it a record would mean whatever weights the installed timm prefers.
        config = None if "." in value else timm.get_pretrained_cfg(value)
        return f"{value}.{config.tag}" if config is not None and config.tag else value

    def check(self, protocol: Protocol, classes: int) -> None:  # noqa: ARG002
        import timm

        require_listed(self.id, timm.list_pretrained(), "timm")
        config = timm.get_pretrained_cfg(self.id)
        if config is not None and config.num_classes != classes:
            raise RequestError(
                f"The teacher timm/{self.id} tells {config.num_classes} classes apart, and the data has {classes}. Use "
                "a teacher of this data: trained, or checkpoint:path=FILE."
            )

    def fetch(self) -> None:
        _pretrained(self.id)

    def provide(self, context: Context) -> Teacher:
        self.check(context.protocol, len(context.data.class_names))
        return _teacher(self, _pretrained(self.id), context)


def _pretrained(identity: str) -> nn.Module:
    import timm

    try:
        # The weights that are drawn before the pretrained ones replace them are nobody else's random numbers.
        with torch.random.fork_rng(devices=[]):
            model: nn.Module = timm.create_model(identity, pretrained=True)
    except (OSError, RuntimeError) as error:
        raise RequestError(
            f"The weights of timm/{identity} are neither here nor can they be downloaded ({error}). `rethinkdc "
            "prepare --study STUDY` fetches what a study needs while there is a network; or name another teacher: "
            "trained, or checkpoint:path=FILE,model=[...]."
        ) from error
    return model


def _teacher(source: TimmTeacher, module: nn.Module, context: Context) -> Teacher:
    """The teacher with the normalisation and the test transform of timm's data configuration."""
    from timm.data.config import resolve_model_data_config

    config: dict[str, Any] = resolve_model_data_config(module)  # type: ignore[no-untyped-call]
    mean, std, size = tuple(config["mean"]), tuple(config["std"]), int(config["input_size"][-1])
    interpolation = "bicubic" if config["interpolation"] == "bicubic" else "bilinear"
    return Teacher(
        id=f"timm/{source.id}",
        definition=source.id,
        module=module,
        mean=mean,
        std=std,
        size=size,
        test=TestView(resize=round(size / config["crop_pct"]), size=size, fit="centre", interpolation=interpolation),
        device=context.device,
        external=f"weights of timm/{source.id}",
    )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the teacher ``timm``."""
    return [TimmTeacher]
