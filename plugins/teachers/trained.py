"""Teachers trained here, from the protocol's recipes."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rethinkdc.context import Context
from rethinkdc.contracts import TeacherSource
from rethinkdc.hookspecs import hookimpl
from rethinkdc.method import Method
from rethinkdc.protocol import Protocol
from rethinkdc.teachers import teacher_recipe
from rethinkdc.training.teacher import Teacher


class Trained(TeacherSource):
    """Trained here on the whole training set by one of the protocol's recipes, once for all methods."""

    name: ClassVar[str] = "trained"
    family: ClassVar[str] = "teachers"

    trained_here: ClassVar[bool] = True

    recipe: str = Field("standard", description="Name in the protocol's [teacher.recipes]: weak, standard or strong.")

    def check(self, protocol: Protocol, classes: int) -> None:  # noqa: ARG002
        teacher_recipe(protocol, self.recipe)

    def provide(self, context: Context) -> Teacher:
        return context.trained_teacher(self.recipe)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the teacher ``trained``."""
    return [Trained]
