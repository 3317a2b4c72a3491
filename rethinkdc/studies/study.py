"""Studies: which runs a question needs, as values that are written in TOML or in Python."""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.dataclasses import rebuild_dataclass

from rethinkdc.choices import Backing
from rethinkdc.errors import RequestError
from rethinkdc.runs.request import Basis, Judging, Precise, Tiling, Tuned
from rethinkdc.studies.axes import Axes, make_axes, under
from rethinkdc.studies.family import RUN_KEYS, Family, flatten, make_family, overlap
from rethinkdc.studies.reported import load_reported
from rethinkdc.studies.sets import StudySet, locate, read_compressor

_STRICT = ConfigDict(extra="forbid")
_AXES = (("protocol", "protocols"), ("student", "students"))
"""An axis of one value, and of several."""
_TOGETHER = (*_AXES, ("ipc", "keep"), ("compressors",), ("labelers",), ("seeds",), ("overrides",))
"""What a block replaces together."""


def _find_protocol(text: str, info: ValidationInfo) -> str:
    """A protocol's file beside the study's; what is not there is a file from where the command is called, or an id."""
    beside = locate(text, info) if info.context and text.endswith(".toml") else None
    return str(beside) if beside and beside.is_file() else text


def _find_reported(text: str, info: ValidationInfo) -> str:
    name = str(locate(text, info)) if text.endswith(".toml") else text
    try:
        load_reported(name)
    except RequestError as error:
        raise ValueError(str(error)) from None
    return name


_Text = Annotated[str, Field(min_length=1)]
_Protocol = Annotated[_Text, AfterValidator(_find_protocol)]
_Compressor = Annotated[_Text | StudySet, BeforeValidator(read_compressor)]
_Whole = Annotated[int, Field(strict=True, ge=0)]
_Ipc = Annotated[int, Field(strict=True, ge=1)]
_Share = Annotated[float, Field(gt=0, le=1)]
_OneOrMore = Field(min_length=1)


@pydantic_dataclass(frozen=True, kw_only=True, config=_STRICT)
class Block:
    """A block of runs: every value of each axis with every value of the others. What it leaves out is the study's.

    Attributes:
        compressors: references to methods, and finished sets.
        labelers: references.
        protocol: the one protocol, by its id or its file.
        protocols: several.
        student: the one model that is trained in place of the protocol's student.
        students: several.
        ipc: images per class.
        keep: shares of the training set; sizes are those of ``ipc`` and those of ``keep``.
        seeds: of all axes of randomness together; or a text such as ``student=0,1,2``, of one.
        overrides: values that replace the protocol's, by dotted keys, as one table or as several; an empty one is the
            protocol as it is written.
    """

    compressors: Annotated[tuple[_Compressor, ...], _OneOrMore] | None = None
    labelers: Annotated[tuple[_Text, ...], _OneOrMore] | None = None
    protocol: _Protocol | None = None
    protocols: Annotated[tuple[_Protocol, ...], _OneOrMore] | None = None
    student: _Text | None = None
    students: Annotated[tuple[_Text, ...], _OneOrMore] | None = None
    ipc: Annotated[tuple[_Ipc, ...], _OneOrMore] | None = None
    keep: Annotated[tuple[_Share, ...], _OneOrMore] | None = None
    seeds: Annotated[tuple[_Whole, ...], _OneOrMore] | str | None = None
    overrides: dict[str, Any] | Annotated[tuple[dict[str, Any], ...], _OneOrMore] | None = None

    @model_validator(mode="after")
    def _check_spellings(self) -> "Block":
        for one, several in _AXES:
            single, listed = getattr(self, one), getattr(self, several)
            if single is not None and listed is not None:
                raise ValueError(f"give either {one} = {single!r} or {several} = {list(listed)}, not both")
        return self


@pydantic_dataclass(frozen=True, kw_only=True, config=_STRICT)
class Exclusion:
    """Runs that a study leaves out: those that have all the values of this entry, by the words of the axes.

    Attributes:
        compressor: a reference, however it is spelled, or a set.
        labeler: a reference.
        protocol: as its axis names it.
        student: a reference.
        ipc: images per class.
        keep: share of the training set.
        seed: of all axes of randomness, or a text such as ``student=1``.
        overrides: a table.
    """

    compressor: _Compressor | None = None
    labeler: _Text | None = None
    protocol: _Protocol | None = None
    student: _Text | None = None
    ipc: _Ipc | None = None
    keep: _Share | None = None
    seed: _Whole | _Text | None = None
    overrides: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check_not_empty(self) -> "Exclusion":
        if not self.values:
            raise ValueError("an entry without a value would leave every run out")
        return self

    @property
    def values(self) -> dict[str, Any]:
        """What the entry says."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in said.items() if value is not None}


@pydantic_dataclass(frozen=True, kw_only=True, config=_STRICT)
class Included:
    """A study whose runs are another's too.

    Attributes:
        name: its file, or the name of a shipped one.
        study: what it says.
    """

    name: str
    study: "Study"


@pydantic_dataclass(frozen=True, kw_only=True, config=_STRICT)
class Study(Block, Tuned, Judging, Tiling, Precise, Basis):
    """What a study file says: blocks of runs, and what all its runs share, by the fields of their requests.

    Without ``[[runs]]`` the axes at the top are its one block of runs; with them they are the blocks' defaults. Without
    a size the protocol's holds, without ``seeds`` seed 0. Overrides mark the records modified. Paths are relative to
    the study's file.

    A finished set among the compressors has a size of its own: it stands under that, whatever ``ipc`` and ``keep``
    say, and is told of where ``ipc`` does not list it. It is run once for each seed that its labels and its student
    depend on: seeds of the axes ``set`` and ``proxy`` alone change nothing about it.

    Attributes:
        title: what tables call the study.
        include: studies whose runs come first, each under its own values.
        runs: the blocks.
        exclude: what is left out, of included studies too.
        axes: knobs of a family of protocols, each with its levels: all runs are made under every setting of its
            design; see :func:`~rethinkdc.studies.family.make_family`.
        settings: how many settings of the axes are wanted at most; fewer than there are make a fraction.
        students_per_set: students that are trained on each set.
        reported: file of published values that belong beside these runs, or the name of a shipped one.
    """

    title: str = ""
    include: tuple[Included, ...] = ()
    labelers: Annotated[tuple[_Text, ...], _OneOrMore] = ("hard",)
    runs: tuple[Block, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    axes: dict[str, Any] = field(default_factory=dict)
    settings: Annotated[int, Field(strict=True, ge=2, le=1000)] | None = None
    students_per_set: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    reported: Annotated[_Text, AfterValidator(_find_reported)] | None = None

    def replaced(
        self,
        *,
        dataset: str | None = None,
        protocol: str | None = None,
        backing: Backing | None = None,
        seeds: str | None = None,
    ) -> "Study":
        """The study with other values, which then hold for all its runs; None changes nothing."""
        given = {"dataset": dataset, "protocol": protocol, "backing": backing, "seeds": seeds}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        return self._replaced(changes, {}) if changes else self

    def _replaced(self, changes: Mapping[str, Any], known: dict[str, Included]) -> "Study":
        """As :meth:`replaced`; a study that several include, which are ``known`` by name, is one afterwards too."""
        cleared: dict[str, Any] = {key: None for key in ("protocol", "seeds") if key in changes}
        if "protocol" in changes:
            cleared["protocols"] = None
        for each in self.include:
            if each.name not in known:
                known[each.name] = replace(each, study=each.study._replaced(changes, known))
        return replace(
            self,
            **{**cleared, **changes},
            runs=tuple(replace(block, **cleared) for block in self.runs),
            include=tuple(known[each.name] for each in self.include),
        )

    @property
    def family(self) -> Family | None:
        """The family of protocols that its axes declare; None where it has none.

        Raises:
            RequestError: its axes do not go together, or not with what else the study says.
        """
        if not self.axes:
            if self.settings is not None:
                raise RequestError(f"settings = {self.settings} counts settings of [axes], and the study has none.")
            return None
        try:
            family = make_family(self.axes, self.settings)
        except ValueError as error:
            raise RequestError(f"axes: {error}.") from None
        _check_alone(self, {key for knob in family.knobs for key in knob.keys})
        return family

    def blocks(self) -> list[Axes]:
        """The study's own blocks of runs, each complete.

        Raises:
            RequestError: one names no compressor, or its axes are wrong.
        """
        family = self.family
        if family is None:
            return self._blocks()
        (whole,) = self._blocks()
        return [under(setting, whole) for setting in family.settings]

    def _blocks(self) -> list[Axes]:
        """As :meth:`blocks`, under the protocol as it is."""
        listed = self.runs
        if not listed and (self.compressors or not self.include):
            listed = (Block(),)
        whole = []
        for number, block in enumerate(listed, start=1):
            values = {field.name: getattr(block, field.name) for field in fields(Block)}
            said = {name for name, value in values.items() if value is not None}
            for names in _TOGETHER:
                # A block that says something of an axis takes nothing of it from the study, in either spelling.
                if not said & set(names):
                    values |= {name: getattr(self, name) for name in names}
            if not values["compressors"]:
                where = f"block {number} of [[runs]]" if self.runs else "the study"
                raise RequestError(f'{where} names no compressor. Add a line such as compressors = ["random", "pca"].')
            whole.append(make_axes(values))
        return whole


rebuild_dataclass(Study)  # type: ignore[arg-type]


def _check_alone(study: Study, keys: set[str]) -> None:
    """Refuses what would say again, or several times, what the axes of a family say.

    Raises:
        RequestError: the study does so.
    """
    several = {
        "[[runs]]": bool(study.runs),
        "include": bool(study.include),
        "exclude": bool(study.exclude),
        "protocols": study.protocols is not None,
        "students": study.students is not None,
        "several labelers": len(study.labelers) > 1,
        "several tables of overrides": isinstance(study.overrides, tuple),
        "several sizes": len(study.ipc or ()) + len(study.keep or ()) > 1,
    }
    if said := [name for name, found in several.items() if found]:
        raise RequestError(
            f"a study with [axes] has {said[0]} too. Its settings are those of the axes alone: take {said[0]} out, or "
            "make an axis of it."
        )
    fixed = {key for key, _ in flatten(study.overrides)} if isinstance(study.overrides, dict) else set()
    fixed |= {key for key in RUN_KEYS if getattr(study, key, None) is not None}
    fixed |= {"labeler"} if study.labelers != ("hard",) else set()
    if twice := sorted((key, own) for key in keys for own in fixed if overlap(key, own)):
        raise RequestError(f"{twice[0][0]} is set by an axis, and {twice[0][1]} for the whole study: say it once.")
