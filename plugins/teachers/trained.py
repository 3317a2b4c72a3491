"""Teachers trained here, from the protocol's recipes."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.contracts import (
    Context,
    FullTraining,
    Method,
    Model,
    OfKind,
    Protocol,
    Reference,
    Teacher,
    TeacherSource,
    hookimpl,
)


class Trained(TeacherSource):
    """Trained here on the whole training set by one of the protocol's recipes, once for all methods."""

    name: ClassVar[str] = "trained"
    family: ClassVar[str] = "teachers"
    trained_here: ClassVar[bool] = True

    recipe: str = Field(
        default="standard", description="Name in the protocol's [teacher.recipes]: weak, standard or strong."
    )
    model: Annotated[Reference | None, OfKind("model")] = Field(
        default=None, description="Architecture that the recipe trains; none = the recipe's own."
    )

    def check(self, protocol: Protocol, classes: int) -> None:  # noqa: ARG002
        protocol.teacher_recipe(self.recipe)

    def architecture(self, protocol: Protocol) -> Reference:
        return self.model or protocol.teacher_recipe(self.recipe).model

    def training(self, protocol: Protocol) -> FullTraining:
        return protocol.teacher_recipe(self.recipe)

    def provide(self, context: Context) -> Teacher:
        recipe = context.protocol.teacher_recipe(self.recipe)
        model = context.method(Model, self.architecture(context.protocol))
        trained = context.train(recipe, model=model, axis="teacher", stage="teacher")
        named = {"recipe": self.recipe, **({"model": self.model} if self.model else {})}
        return Teacher(
            id=str(Reference(name=self.name, values=named)),
            definition=context.define(model),
            module=trained.network(),
            mean=recipe.mean,
            std=recipe.std,
            size=trained.size,
            test=context.protocol.observed_view(recipe),
            device=context.device,
        )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the teacher ``trained``."""
    return [Trained]
