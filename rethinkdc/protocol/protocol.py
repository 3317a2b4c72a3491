"""Protocols: everything of a run that is not the method, as a frozen, versioned, digested data file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import to_json

from rethinkdc.choices import Precision
from rethinkdc.data.splits import Schema
from rethinkdc.errors import RequestError, nearest
from rethinkdc.method import OfKind
from rethinkdc.protocol.faults import list_faults
from rethinkdc.protocol.toml_files import Place
from rethinkdc.reference import Parameter, Reference
from rethinkdc.storage import digest
from rethinkdc.training.predict import TestView
from rethinkdc.training.recipe import Recipe
from rethinkdc.types import Fit, Interpolation
from rethinkdc.views import VIEW_OPS, FindOps, ViewOp, foreign_names

_SOFT = ("static", "stored", "online")
_ADMITS = {"hard": ("hard",), "soft": _SOFT, "any": ("hard", *_SOFT)}
_DESCRIPTIVE = {"summary", "status", "sources", "default", "default_dataset", "default_ipc", "twin", "overrides"}

Epoch = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)]
"""A 1-based epoch, or a fraction of the proxy's length."""


_Spread = Annotated[float, Field(gt=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoreSpec(_Frozen):
    """How a compressed image is stored: one square of ``size`` px for every method."""

    size: int = Field(ge=4, le=8192)
    fit: Fit = "squash"
    interpolation: Interpolation = "bilinear"


class Network(_Frozen):
    """A model with the normalisation that it owns."""

    model: Annotated[Reference, OfKind("model")]
    mean: tuple[float, float, float]
    std: tuple[_Spread, _Spread, _Spread]


class FullTraining(Network):
    """A network trained on the whole training set; ``source``: on the stored canvases, or on images of native size."""

    training: Recipe
    source: Literal["canvas", "native"] = "canvas"


class Proxy(FullTraining):
    """The training run whose trace gives scores.

    ``clean``: the epochs after which the un-augmented rows are observed as well. ``scores``: parameters of scores for
    a proxy of this length.
    """

    clean: tuple[Epoch, ...] = (1.0,)
    scores: dict[str, dict[str, Parameter]] = {}


class Teachers(_Frozen):
    """``use``: the teacher of labelers and compressors that name none; ``recipes``: those trained here, by name."""

    use: Annotated[Reference, OfKind("teacher")] = Reference(name="trained")
    recipes: dict[str, FullTraining] = {}


class SoftLabels(_Frozen):
    """How students learn from soft labels where a labeler does not say otherwise."""

    temperature: float = Field(gt=0, le=1e6)
    t_squared: bool = False


class Protocol(_Frozen):
    """A fixed experiment; the digest covers every value that can change a result.

    ``track`` says which labels it takes: under ``any`` hard and soft ones are trained with alike, so that nothing but
    the labels differs; boards hold them apart all the same. With ``full_at_ipc`` a student of the whole training set is
    trained as one of a set of this ipc: by ``training``, as many steps of as many images, and not by ``reference``.
    ``twin`` names the protocol whose shape it has at another size: what is published under that one stands beside it.
    ``precision`` is what synthesis computes in, and what teachers and networks of a method's own are trained in, on
    every device; students and proxies are trained in bfloat16 on CUDA and in float32 on a CPU, whatever it says, and
    teachers are asked in float32.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)
    version: int = Field(ge=1, le=1_000_000)
    summary: str
    status: Literal["tuned", "untuned", "derived"] = "untuned"
    sources: dict[str, str] = {}
    track: Literal["hard", "soft", "any"]
    default: bool = False
    default_dataset: str | None = Field(default=None, min_length=1)
    default_ipc: int | None = Field(default=None, ge=1, le=1_000_000_000)
    twin: str | None = Field(default=None, min_length=1)
    data: Schema
    store: StoreSpec
    student: Network
    transfer_students: tuple[Annotated[Reference, OfKind("model")], ...] = ()
    training: Recipe
    test: TestView
    curve: tuple[Epoch, ...] = ()
    proxy: Proxy | None = None
    reference: Recipe | None = None
    full_at_ipc: int | None = Field(default=None, ge=1)
    precision: Precision = "float32"
    soft: SoftLabels | None = None
    teacher: Teachers | None = None
    overrides: dict[str, Any] = {}

    @model_validator(mode="after")
    def _labels_fit_the_track(self) -> Protocol:
        if (self.track == "hard") != (self.soft is None):
            raise ValueError(
                f"a protocol of the {self.track} track {'has no' if self.track == 'hard' else 'needs'} [soft]"
            )
        recipes = [self.training, *([self.reference] if self.reference else [])]
        if self.soft and not self.soft.t_squared and any(recipe.optimizer.name == "sgd" for recipe in recipes):
            # Without the factor the gradient is about 1 / T^2 of the usual: AdamW does not mind, SGD stands still.
            raise ValueError("SGD under soft labels needs t_squared = true")
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Protocol:
        """A copy with some values replaced, which are not validated; what follows from values is worked out anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied

    @property
    def modified(self) -> bool:
        """Whether values were overridden: such a run never stands in a table with the original's."""
        return bool(self.overrides)

    @cached_property
    def digest(self) -> str:
        """Content digest (hex) of all that can change a result; descriptions and defaults are left out.

        Under hard labels a teacher is a matter of the few methods that ask for one: their runs are defined by
        :attr:`teacher_digest` beside this.
        """
        absent = {key for key in ("soft", "teacher") if self.soft is None}
        later = {key for key in ("full_at_ipc",) if getattr(self, key) is None}
        return digest(self.model_dump(mode="json", exclude=_DESCRIPTIVE | absent | later | self._usual))

    @cached_property
    def teacher_digest(self) -> str:
        """Digest of what the protocol's teachers depend on."""
        return digest(self.model_dump(mode="json", include={"store", "teacher", "test", "precision"} - self._usual))

    @cached_property
    def proxy_digest(self) -> str:
        """Digest of what a proxy depends on; which epochs a score reads is no part of it."""
        return digest(
            self.model_dump(
                mode="json", include={"store": True, "proxy": True, "test": True}, exclude={"proxy": {"scores"}}
            )
        )

    @cached_property
    def making_digest(self) -> str:
        """Digest of what a compressed set depends on: store, proxy, its view of images, precision; not the student."""
        return digest(self.model_dump(mode="json", include={"store", "proxy", "test", "precision"} - self._usual))

    @property
    def _usual(self) -> set[str]:
        """What came later and has its default: left out of digests, so that older protocols keep theirs."""
        return {"precision"} if self.precision == "float32" else set()

    def admits(self, track: str) -> bool:
        """Whether a labeler of this track may run under this protocol."""
        return track in _ADMITS[self.track]

    def fits(self, schema: Schema) -> bool:
        """Whether a dataset of this schema may be used: what either leaves open fits anything."""
        wanted, found = self.data.model_dump(), schema.model_dump()
        return all(value is None or found[key] in (None, value) for key, value in wanted.items())

    @property
    def networks(self) -> dict[str, Reference]:
        """Every model that it names, by the dotted key that does."""
        recipes = self.teacher.recipes if self.teacher else {}
        return {
            "student.model": self.student.model,
            **{f"transfer_students.{place}": model for place, model in enumerate(self.transfer_students)},
            **({"proxy.model": self.proxy.model} if self.proxy else {}),
            **{f"teacher.recipes.{name}.model": recipe.model for name, recipe in recipes.items()},
        }

    @property
    def proxy_scores(self) -> dict[str, dict[str, Any]]:
        """Parameters of scores for a proxy of the protocol's length, by score."""
        return self.proxy.scores if self.proxy else {}

    def proxy_recipe(self) -> Proxy:
        """The recipe of the proxy.

        Raises:
            RequestError: the protocol has none.
        """
        if self.proxy is None:
            raise RequestError(
                f"The protocol {self.id} has no [proxy], which is asked for here: scores, features and some methods "
                "need one. Add one to its file (`rethinkdc new-protocol` writes whole ones), or choose a method that "
                "needs none, such as random."
            )
        return self.proxy

    def teacher_recipe(self, name: str) -> FullTraining:
        """A recipe of the protocol's teachers by name.

        Raises:
            RequestError: it has none of that name.
        """
        known = self.teacher.recipes if self.teacher else {}
        if name not in known:
            raise RequestError(
                f"The protocol {self.id} has no teacher recipe {name!r}. {nearest(name, known)} "
                f"`rethinkdc show {self.id}` prints them; timm/NAME, torchvision/NAME and checkpoint:path=FILE are "
                "teachers too."
            )
        return known[name]

    def observed_view(self, training: FullTraining) -> TestView:
        """How un-augmented images are shown to a network of the whole training set: as it was trained on them."""
        if training.source == "native":
            return self.test
        store = self.store
        return TestView(resize=store.size, size=store.size, fit=store.fit, interpolation=store.interpolation)

    @property
    def foreign_ops(self) -> tuple[ViewOp, ...]:
        """The view ops that it names and that are not the framework's, each once."""
        return tuple(
            dict.fromkeys(op for recipe in self._recipes() for op in (*recipe.views, recipe.mix) if op and op.code)
        )

    def _recipes(self) -> Iterator[Recipe]:
        yield self.training
        yield from (one for one in (self.reference, self.proxy and self.proxy.training) if one)
        yield from (one.training for one in (self.teacher.recipes.values() if self.teacher else ()))

    def override(self, values: Mapping[str, Any], find_ops: FindOps | None = None) -> Protocol:
        """The protocol with dotted keys (``training.batch``) replaced, marked modified.

        Args:
            values: by dotted key.
            find_ops: finds the view ops of packages that the values name; None = those of the protocol alone.

        Raises:
            RequestError: an unknown key or a value that does not fit, named.
        """
        if not values:
            return self
        fixed = {"id", "version", "data", *_DESCRIPTIVE}
        if wrong := [key for key in values if key.split(".")[0] in fixed]:
            raise RequestError(
                f"{wrong[0]!r} of a protocol cannot be overridden: it describes the protocol or its data. "
                "Write a protocol file of your own."
            )
        content = self.model_dump(mode="json")
        for key, value in values.items():
            _replace(content, key, value)
        content["overrides"] = {**self.overrides, **values}
        what = f"protocol {self.id} with {', '.join(f'{k}={v}' for k, v in values.items())}"
        known = {op.op: type(op) for op in self.foreign_ops}
        others = [name for name in foreign_names(content) if name not in known]
        found = find_ops(others) if find_ops and others else {}
        changed = validated(content, what, view_ops={**found, **known})
        # An override that says what the protocol says already changes nothing, and marks nothing.
        same = changed.digest == self.digest and changed.teacher_digest == self.teacher_digest
        return self if same else changed


def validated(
    content: dict[str, Any],
    what: str,
    where: Callable[[Place], str] = lambda _: "",
    view_ops: Mapping[str, type[ViewOp]] | None = None,
) -> Protocol:
    """The protocol that a file or an override describes.

    Args:
        content: its values.
        what: what an error calls it.
        where: what the line of a fault begins with, from its place.
        view_ops: those of packages that it may name, by name.

    Raises:
        RequestError: unknown or wrong values, one line for each.
    """
    try:
        # As JSON: there a list is a tuple, and yet true is no number and "8" no whole one.
        return Protocol.model_validate_json(to_json(content), strict=True, context={VIEW_OPS: view_ops or {}})
    except ValidationError as error:
        faults = "\n".join(list_faults(error, content, Protocol, where))
        raise RequestError(f"{what} is not a valid protocol:\n{faults}") from None


def _replace(content: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    place: Any = content
    for part in parents:
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, dict) or (last not in place and place is content):
        raise RequestError(
            f"The protocol has no value {key!r} to override. {nearest(key, _keys(content))} "
            "A file of your own may hold any (`rethinkdc new-protocol`); docs/protocols.md lists all."
        )
    place[last] = value


def _keys(content: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for key, value in content.items():
        keys.append(prefix + key)
        if isinstance(value, dict):
            keys.extend(_keys(value, f"{prefix}{key}."))
    return keys
