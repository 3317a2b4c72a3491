"""``rethinkdc check-plugin``. Imports nothing heavy before the command is called."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.errors import RequestError, nearest
from rethinkdc.runs.calls import CacheFolder
from rethinkdc.runs.options import Option

if TYPE_CHECKING:
    from rethinkdc.seeds import Axis
    from rethinkdc.testing.verdicts import Verdict

_MARKS = {
    "kept": ("kept", typer.colors.GREEN),
    "broken": ("BROKEN", typer.colors.RED),
    "does not apply": ("-", None),
}


@dataclass(frozen=True)
class CheckPluginCommand(Printed):
    """What the command takes."""

    name: Annotated[
        str,
        Option(
            "A method or view op, also with parameters as in sre2l:iterations=3 or as distribution/name; a protocol or "
            "its .toml file; or a distribution: all its methods.",
            argument="name",
        ),
    ]
    kind: Annotated[str | None, Option("Only what is of this kind, e.g. compressor.")] = field(
        default=None, kw_only=True
    )
    quick: Annotated[
        bool,
        Option("Leave out what takes long: odd data, the cache, kills, two ranks, the way through the command line."),
    ] = field(default=False, kw_only=True)
    varies_with: Annotated[
        str | None,
        Option("Seed axes that the result must depend on, and on no other, e.g. set,proxy; default: found out."),
    ] = field(default=None, kw_only=True)
    device: Annotated[str | None, Option("Where networks run: cpu, cuda or cuda:N; default: cpu.")] = field(
        default=None, kw_only=True
    )
    cache_dir: CacheFolder = field(default=None, kw_only=True)


@takes_options(CheckPluginCommand)
def check_plugin(command: CheckPluginCommand) -> None:
    """Hold a method to the rules of its kind, on small images: a verdict for each rule.

    Exit code 1 where one is broken, or where nothing could be tried. That it kept all is noted with the digest of its
    code, and told by list-plugins and boards until the code changes. stderr tells which rule is being tried.
    Example: rethinkdc check-plugin nearest-mean
    """
    import tempfile
    from pathlib import Path

    from rethinkdc.registry.registry import Registry
    from rethinkdc.runs.device import choose_device
    from rethinkdc.testing.checking import check_subject, find_subjects

    device = str(choose_device(command.device or "cpu"))
    axes, registry, reports = _axes(command.varies_with), Registry(), []
    cache_folder = Path(command.cache_dir) if command.cache_dir else None
    for subject in find_subjects(registry, command.name, command.kind):
        if not command.as_json:
            say(f"{subject.kind} {subject.reference}")
        with tempfile.TemporaryDirectory(prefix="rethinkdc-check-") as folder:
            report = check_subject(
                subject,
                registry,
                Path(folder),
                quick=command.quick,
                device=device,
                varies_with=axes,
                listener=_Shown(as_json=command.as_json),
                cache_folder=cache_folder,
            )
        reports.append(report)
    faulty = [f"{report.kind} {report.method}" for report in reports if not report.kept]
    if command.as_json:
        from rethinkdc.cli.tables import print_json

        print_json([{**report.model_dump(mode="json"), "kept": report.kept} for report in reports])
    else:
        say(_sum_up(len(reports), faulty))
    if faulty:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Shown:
    """Shows which rule is tried, on stderr, and its verdict, which a document holds already."""

    as_json: bool

    def trying(self, rule: str) -> AbstractContextManager[object]:
        from rethinkdc.cli.progress import waiting

        return waiting(f"trying {rule}")

    def hear(self, verdict: "Verdict") -> None:
        if not self.as_json:
            _tell(verdict)


def _tell(verdict: "Verdict") -> None:
    word, colour = _MARKS[verdict.outcome]
    told = f"  {verdict.told}" if verdict.told else ""
    say(f"{word:>8}  {verdict.rule:<14} {verdict.seconds:6.1f} s{told}", colour=colour)
    if verdict.outcome == "broken":
        say(f"{'':>8}  the rule: {verdict.demands}")


def _sum_up(count: int, faulty: list[str]) -> str:
    if not faulty:
        return "All rules that apply are kept." if count == 1 else f"All rules that apply are kept, by {count} methods."
    return f"Not kept, or not tried, by: {', '.join(faulty)}."


def _axes(text: str | None) -> "tuple[Axis, ...] | None":
    from rethinkdc.seeds import AXES

    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = {str(axis): axis for axis in AXES}
    for name in names:
        if name not in known:
            raise RequestError(f"--varies-with {text}: {name!r} is no seed axis. {nearest(name, known)}")
    return tuple(known[name] for name in names)
