"""Studies: TOML files that say which runs a sweep makes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from rethinkdc.choices import Backing
from rethinkdc.context.cache import Cache
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RequestError
from rethinkdc.protocol.faults import list_faults
from rethinkdc.protocol.reading import STUDY_KEYS, check_purpose
from rethinkdc.protocol.toml_files import read_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.options import part_of
from rethinkdc.runs.request import Basis, Departures, Judging, Request, Tiling, parse_seeds
from rethinkdc.runs.resolving import Run, resolve_run
from rethinkdc.seeds import Seeds
from rethinkdc.studies.shipped import find_shipped, shipped_studies

_Texts = Annotated[tuple[str, ...], Field(min_length=1)]
_Ipc = Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...], Field(min_length=1)]
_Keep = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]
_Seeds = Annotated[tuple[Annotated[int, Field(strict=True, ge=0)], ...], Field(min_length=1)] | str
_STRICT = ConfigDict(extra="forbid")


@pydantic_dataclass(frozen=True, kw_only=True, config=_STRICT)
class Block:
    """A block of runs: every compressor with every labeler, size and seed. What it leaves out is the study's."""

    protocol: str | None = None
    compressors: _Texts | None = None
    labelers: _Texts | None = None
    ipc: _Ipc | None = None
    keep: _Keep | None = None
    seeds: _Seeds | None = None


@pydantic_dataclass(frozen=True, kw_only=True, config=_STRICT)
class Study(Departures, Judging, Tiling, Basis, Block):
    """What a study file says: lists of runs, and what all its runs share, by the fields of their requests.

    Without ``[[runs]]`` the lists at the top are its one block of runs; with them they are the blocks' defaults. Sizes
    are those of ``ipc`` and of ``keep``. Without either the protocol's holds, without ``seeds`` seed 0. Overrides
    replace dotted protocol keys and mark the records modified.
    """

    title: str = ""
    labelers: _Texts = ("hard",)
    runs: tuple[Block, ...] = ()

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
        cleared: dict[str, Any] = {key: None for key in ("protocol", "seeds") if key in changes}
        return replace(self, **changes, runs=tuple(replace(block, **cleared) for block in self.runs))

    def blocks(self) -> list[Block]:
        """The blocks of runs, each complete but for ``ipc``, ``keep`` and ``protocol``.

        Raises:
            RequestError: one names no compressor.
        """
        keys = [field.name for field in fields(Block)]
        whole = []
        for number, block in enumerate(self.runs or (Block(),), start=1):
            missing = {key: getattr(self, key) for key in keys if getattr(block, key) is None}
            if block.ipc or block.keep:
                # A block that names a size takes none from the study.
                missing = {key: value for key, value in missing.items() if key not in ("ipc", "keep")}
            whole.append(replace(block, **missing))
            if not whole[-1].compressors:
                where = f"block {number} of [[runs]]" if self.runs else "the study"
                raise RequestError(f'{where} names no compressor. Add a line such as compressors = ["random", "pca"].')
        return whole


@dataclass(frozen=True)
class Entry:
    """One run as a study asks for it, and where it does."""

    where: str
    request: Request


def load_study(name: str | Path) -> Study:
    """Reads a study by the path of its file, or by the name of a shipped one.

    Raises:
        RequestError: there is none, or it has unknown or wrong values; one line for each.
    """
    path = find_shipped(str(name), shipped_studies(), "study")
    file = read_toml(path, "study", "Give the path of a .toml file, or the name of a shipped study.")
    content, known = file.content, [field.name for field in fields(Study)]
    if "student" in content and not any(key in content for key in STUDY_KEYS):
        raise RequestError(f"{path} is a protocol, no study. Use it with --protocol {path}.")
    check_purpose(content, known, f"{path} is no study", 'A study has a line such as compressors = ["random", "pca"].')
    try:
        study = TypeAdapter(Study).validate_python(content)
        study.blocks()
    except ValidationError as error:
        faults = list_faults(error, content, Study, lambda place: f"{path}, line {file.line(place)}: ")
        raise RequestError("\n".join([f"{path} is not a valid study:", *faults])) from None
    except RequestError as error:
        raise RequestError(f"{path} is not a valid study: {error}") from None
    return study


def runs_of(study: Study, name: str | Path, registry: Registry, cache: Cache) -> list[Run]:
    """Resolves every run of a study, each once, in the study's order; nothing is computed.

    Args:
        study: what to run.
        name: what errors call the study.
        registry: finds the methods.
        cache: knows fingerprints of datasets seen before.

    Raises:
        RequestError: an unknown name or a wrong value, with the study and the entry that holds it.
    """
    runs: dict[str, Run] = {}
    for entry in _entries(study, str(name), registry):
        try:
            run = resolve_run(entry.request, registry, cache)
        except RequestError as error:
            raise RequestError(f"{entry.where}: {error}") from error
        runs.setdefault(run.key, run)
    return list(runs.values())


def _entries(study: Study, name: str, registry: Registry) -> Iterator[Entry]:
    for number, block in enumerate(study.blocks(), start=1):
        where = f"{name}, block {number} of [[runs]]" if study.runs else name
        seeds = _seeds(block, where)
        for (ipc, keep), labeler, compressor in product(_sizes(block), block.labelers or (), block.compressors or ()):
            entry = f"{where}, compressor {compressor!r}, labeler {labeler!r}"
            entry += (f", ipc {ipc}" if ipc else "") + (f", keep {keep:g}" if keep else "")
            budgeted = _budgeted(compressor, registry, entry)
            for chosen in seeds:
                request = part_of(
                    study,
                    Request,
                    compressor=compressor,
                    labeler=labeler,
                    protocol=block.protocol,
                    # The whole training set has no ipc: in a list beside budgets it is run once.
                    ipc=ipc if budgeted else None,
                    keep=keep if budgeted else None,
                    seed=chosen,
                    overrides=dict(_dotted(study.overrides)),
                )
                yield Entry(entry, request)


def _sizes(block: Block) -> list[tuple[int | None, float | None]]:
    """Every ``ipc`` and every ``keep`` of a block; one open size where it has neither."""
    sizes: list[tuple[int | None, float | None]] = [(ipc, None) for ipc in block.ipc or ()]
    return [*sizes, *((None, keep) for keep in block.keep or ())] or [(None, None)]


def _seeds(block: Block, where: str) -> list[Seeds]:
    try:
        given = block.seeds
        return parse_seeds(",".join(map(str, given)) if isinstance(given, tuple) else given)
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from error


def _budgeted(compressor: str, registry: Registry, where: str) -> bool:
    try:
        return registry.build(Compressor, compressor).budgeted
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from error


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """TOML reads an unquoted ``training.steps = 5`` as a table within a table."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
