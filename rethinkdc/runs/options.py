"""Options: fields of frozen dataclasses that carry, beside type and default, what people read and type of them.

An option is written once, as such a field. The command line's signatures, the Python functions' and the keys of studies
are made of the fields. Modules that define them import nothing heavy, and leave annotations unquoted where the command
line reads them.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, ForwardRef, Literal, TypeVar, Union, get_args, get_origin

from rethinkdc.errors import RequestError

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """What a field says of itself.

    Attributes:
        help: one sentence, for the command line and the Python functions alike.
        short: short flag of the command line, such as ``-c``.
        flag: long flag, where it is not the field's name.
        bare: the value that the flag alone stands for, where it need not be given one (``--flag=VALUE`` gives it).
        argument: what help calls a value that the command line takes without a flag; empty = it takes a flag.
        minimum: the least whole number.
        typed: what the command line takes, where the field's own type is several; None = the field's.
        read: makes the field's value of what the command line took.
        python_only: the command line does not have it.
    """

    help: str
    short: str = ""
    flag: str = ""
    bare: str = ""
    argument: str = ""
    minimum: int | None = None
    typed: Any = None
    read: Callable[[Any], Any] | None = None
    python_only: bool = False


@dataclass(frozen=True)
class OptionField:
    """An option with its field; ``default`` is ``inspect.Parameter.empty`` where a value must be given."""

    name: str
    type: Any
    option: Option
    default: Any
    positional: bool

    @property
    def flag(self) -> str:
        """The long flag of the command line."""
        return self.option.flag or f"--{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that the option admits; empty = any."""
        words = [part for part in _alternatives(self.type) if get_origin(part) is Literal]
        return get_args(words[0]) if words else ()

    @property
    def typed(self) -> Any:
        """What the command line takes: a type that is not None."""
        if self.option.typed is not None:
            return self.option.typed
        if self.choices:
            return str
        (single,) = [part for part in _alternatives(self.type) if part is not type(None)]
        return single

    def check(self, value: Any) -> None:
        """Refuses a value out of bounds.

        Raises:
            RequestError: names option, value and what is known.
        """
        if self.choices and value is not None and value not in self.choices:
            known = f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
            raise RequestError(f"{self.flag} {value}: choose {known}.")
        least = self.option.minimum
        if least is not None and (isinstance(value, float | str) or (isinstance(value, int) and value < least)):
            raise RequestError(f"{self.flag} {value}: a whole number of at least {least} is needed.")


@dataclass(frozen=True)
class Options:
    """Base of dataclasses of options; refuses values out of bounds, whoever makes them."""

    def __post_init__(self) -> None:
        for one in option_fields(type(self)):
            one.check(getattr(self, one.name))


def option_fields(kind: type) -> list[OptionField]:
    """The options of a dataclass in the order of its constructor; fields without an :class:`Option` are left out."""
    assert is_dataclass(kind)
    listed = []
    for field in fields(kind):
        assert not isinstance(field.type, str), f"the annotations of {kind.__module__} are postponed: drop the import"
        own, *notes = get_args(field.type) if get_origin(field.type) is Annotated else (field.type,)
        for option in (note for note in notes if isinstance(note, Option)):
            made = MISSING if field.default_factory is MISSING else field.default_factory()
            default = made if field.default is MISSING else field.default
            default = inspect.Parameter.empty if default is MISSING else default
            listed.append(OptionField(field.name, own, option, default, positional=not field.kw_only))
    return sorted(listed, key=lambda one: not one.positional)


def part_of(values: Options, kind: type[T], **changes: Any) -> T:
    """A dataclass of the fields that ``values`` shares with it, and of ``changes``; the others have their defaults."""
    assert is_dataclass(kind)
    held = {field.name for field in fields(values)}
    shared = {field.name: getattr(values, field.name) for field in fields(kind) if field.name in held - set(changes)}
    return kind(**shared, **changes)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if isinstance(kind, ForwardRef):
        return ()
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
