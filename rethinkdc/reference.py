"""References name methods in text, with their parameters.

Grammar of a reference, the same on the command line, in files and in tables::

    reference = name [":" pair {"," pair}]
    pair      = key "=" value
    value     = scalar | "[" [item {"," item}] "]"
    item      = value | reference
    scalar    = integer | float | "true" | "false" | "none" | bare text | '"' quoted text '"'

A number is one that a float can hold, and brackets lie at most :data:`DEEPEST` deep.

Inside brackets ``key=value`` without a name continues the reference before it, so ``[aum:space=prob,epoch=3]`` is one
reference and ``[resnet18,mobilenet_v2]`` two.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from rethinkdc.errors import RequestError

_NAME = re.compile(r"[^\s:,=\[\]\"]+")


_INTEGER = re.compile(r"[+-]?\d+")


_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")


_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None}


DEEPEST = 32
"""Brackets within brackets: no method takes a list of lists of lists."""


def _finite(value: Any) -> Any:
    """No reference spells another number, and JSON has none."""
    held = [value]
    while held:
        one = held.pop()
        held += one.values() if isinstance(one, dict) else one if isinstance(one, list | tuple) else ()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError(f"expected a finite number, found {one}")
    return value


Parameter = Annotated[Any, AfterValidator(_finite)]
"""Raw value of a method's parameter: any but numbers that are not finite."""


class Reference(BaseModel):
    """The name of a method with raw parameter values: validated and made canonical by the registry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    values: dict[str, Parameter] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        if isinstance(value, Reference):
            return {"name": value.name, "values": value.values}
        if isinstance(value, str):
            try:
                return _parsed(value)
            except RequestError as error:
                # So that it is told which field holds it.
                raise ValueError(str(error)) from None
        return value

    def __str__(self) -> str:
        return print_reference(self)

    def __hash__(self) -> int:
        # Equal references may list their parameters in another order.
        return hash((self.name, frozenset(self.values)))


def parse_reference(text: str) -> Reference:
    """Parses ``name`` or ``name:key=value,...``.

    Raises:
        RequestError: the text does not follow the grammar; says where.
    """
    return Reference.model_validate(_parsed(text))


def print_reference(reference: Reference) -> str:
    """The canonical spelling: parsing it gives the same reference."""
    name = reference.name if _NAME.fullmatch(reference.name) else _quoted(reference.name)
    pairs = ",".join(f"{key}={print_value(value)}" for key, value in reference.values.items())
    return f"{name}:{pairs}" if pairs else name


def print_value(value: Any) -> str:
    """The canonical spelling of one parameter value."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Reference):
        return f"[{print_reference(value)}]" if value.values else print_reference(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_print_item(item) for item in value)}]"
    if isinstance(value, int | float):
        return repr(value)
    return _print_text(str(value))


def _print_item(item: Any) -> str:
    return print_reference(item) if isinstance(item, Reference) else print_value(item)


def _print_text(text: str) -> str:
    looks_typed = text in _WORDS or _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)
    return text if _NAME.fullmatch(text) and not looks_typed else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _parsed(text: str) -> dict[str, Any]:
    reader = _Reader(text)
    reference = reader.reference()
    reader.end()
    return {"name": reference.name, "values": reference.values}


class _Reader:
    """Recursive-descent reader of the grammar in the module's docstring."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def reference(self, *, nested: bool = False) -> Reference:
        name = self._quoted() if self._peek() == '"' else self._token("a name")
        if self._peek() != ":":
            return Reference.model_construct(name=name, values={})
        self.at += 1
        return Reference.model_construct(name=name, values=self._pairs(nested))

    def end(self) -> None:
        if self.at != len(self.text):
            raise self._error("the end")

    def _pairs(self, nested: bool) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while True:
            key = self._token("a parameter's name")
            if self._peek() != "=":
                raise self._error("'='")
            if key in values:
                raise RequestError(f"{self.text!r} gives the parameter {key!r} twice.")
            self.at += 1
            values[key] = self._value()
            # Inside brackets a comma may also start the next item of the list.
            if self._peek() != "," or (nested and not self._pair_follows()):
                return values
            self.at += 1

    def _value(self) -> Any:
        if self._peek() == "[":
            return self._list()
        if self._peek() == '"':
            return self._quoted()
        return _scalar(self._token("a value"))

    def _list(self) -> list[Any]:
        self.at += 1
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._error(f"at most {DEEPEST} brackets within each other")
        items: list[Any] = []
        while self._peek() != "]":
            items.append(self._item())
            if self._peek() == ",":
                self.at += 1
            elif self._peek() != "]":
                raise self._error("',' or ']'")
        self.at += 1
        self.depth -= 1
        return items

    def _item(self) -> Any:
        if self._peek() == "[":
            return self._list()
        start = self.at
        reference = self.reference(nested=True)
        if reference.values:
            return reference
        return reference.name if self.text[start] == '"' else _scalar(reference.name)

    def _pair_follows(self) -> bool:
        match = _NAME.match(self.text, self.at + 1)
        return match is not None and self.text[match.end() : match.end() + 1] == "="

    def _quoted(self) -> str:
        match = re.compile(r'"((?:[^"\\]|\\.)*)"').match(self.text, self.at)
        if not match:
            raise self._error("a closing quote")
        self.at = match.end()
        return re.sub(r"\\(.)", r"\1", match.group(1))

    def _token(self, wanted: str) -> str:
        match = _NAME.match(self.text, self.at)
        if not match:
            raise self._error(wanted)
        self.at = match.end()
        return match.group()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _error(self, wanted: str) -> RequestError:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
        return RequestError(
            f"Cannot read the reference {self.text!r}: expected {wanted} at character {self.at + 1}, found {found}. "
            "The form is name:key=value,key=value with lists and references in brackets, "
            'for example pca:score=[el2n:observe=clean],grid=3 or rows:path="my rows.csv".'
        )


def _scalar(token: str) -> Any:
    if token in _WORDS:
        return _WORDS[token]
    if not (_INTEGER.fullmatch(token) or _FLOAT.fullmatch(token)):
        return token
    number = float(token)
    if math.isinf(number):
        raise RequestError(f"The number {token} of a reference is larger than any that is computed with.")
    return int(token) if _INTEGER.fullmatch(token) else number
