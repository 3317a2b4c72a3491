"""A user's own trained network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.contracts import (
    Content,
    Context,
    Fit,
    Interpolation,
    Method,
    Model,
    OfKind,
    Reference,
    Teacher,
    TeacherSource,
    TestView,
    hookimpl,
)
from rethinkdc.models import build_seeded, fill_network, read_weights


class Checkpoint(TeacherSource):
    """Weights from a file (``.safetensors``, or a state dict that torch.save wrote), for a model that is named.

    Nothing is unpickled beyond tensors and plain values. Containers and prefixes of trainers are looked through, and
    the names of the ConvNets and CIFAR ResNets in common use are known; the record tells what was taken and left out.
    What is left out here is the protocol's: the proxy's normalisation, the store's size, its view of a whole image.
    """

    name: ClassVar[str] = "checkpoint"
    family: ClassVar[str] = "teachers"

    path: Annotated[str, Content()] = Field(description="The file.")
    model: Annotated[Reference, OfKind("model")] = Field(description="The architecture that the weights are of.")
    entry: str | None = Field(
        default=None, description="Where in the file the weights are, such as state_dict or 2; none = found by name."
    )
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
        weights = read_weights(Path(self.path).expanduser(), self.entry)
        told = fill_network(module, weights, self.path, str(self.model))
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
            told=told,
        )
        # Two files may have one name.
        return replace(teacher, id=f"{teacher.id} {teacher.digest[:8]}")


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the teacher ``checkpoint``."""
    return [Checkpoint]
