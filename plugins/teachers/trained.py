"""Teachers trained here, from the protocol's recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.context.context import Context
from rethinkdc.contracts.hooks import hookimpl
from rethinkdc.contracts.kinds import TeacherSource
from rethinkdc.method import Method, OfKind
from rethinkdc.protocol.full_training import observed_view, train_full, trained_network
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.teachers import TEACHER_SEMANTICS, teacher_recipe
from rethinkdc.reference import Reference, print_value
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.training.teacher import Teacher
from rethinkdc.views import VIEWS_REVISION


class Trained(TeacherSource):
    """Trained here on the whole training set by one of the protocol's recipes, once for all methods."""

    name: ClassVar[str] = "trained"
    family: ClassVar[str] = "teachers"
    trained_here: ClassVar[bool] = True

    recipe: str = Field("standard", description="Name in the protocol's [teacher.recipes]: weak, standard or strong.")
    model: Annotated[Reference | None, OfKind("model")] = Field(
        None, description="Architecture that the recipe trains; none = the recipe's own."
    )

    def check(self, protocol: Protocol, classes: int) -> None:  # noqa: ARG002
        teacher_recipe(protocol, self.recipe)

    def architecture(self, protocol: Protocol) -> Reference:
        return self.model or teacher_recipe(protocol, self.recipe).model

    def provide(self, context: Context) -> Teacher:
        data, protocol = context.data, context.protocol
        recipe = teacher_recipe(protocol, self.recipe)
        model = context.method("model", self.architecture(protocol))
        key = {
            "semantics": [TEACHER_SEMANTICS, LOOP_REVISION, VIEWS_REVISION],
            "model": context.define(model),
            "recipe": recipe.model_dump(mode="json"),
            "store": protocol.store.model_dump(mode="json"),
            "data": data.fingerprint,
            "seed": context.seeds.teacher,
        }

        def build(inner: Context, out: Path) -> float:
            return train_full(
                data,
                protocol,
                recipe,
                model,
                lambda use: inner.seeds.of("teacher", use),
                inner.place(out),
                description="teacher",
            )

        folder = context.artefact("teachers", key, "teacher", build)
        other = f",model={print_value(self.model)}" if self.model else ""
        return Teacher(
            id=f"trained:recipe={self.recipe}{other}",
            definition=context.define(model),
            module=trained_network(folder, data, protocol, model),
            mean=recipe.mean,
            std=recipe.std,
            size=protocol.store.size,
            test=observed_view(protocol, recipe),
            device=context.device,
        )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the teacher ``trained``."""
    return [Trained]
