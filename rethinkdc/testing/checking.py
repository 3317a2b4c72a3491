"""Which methods a name means, and what the kit says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rethinkdc.context.checked import Checked, note_checked
from rethinkdc.errors import PluginError, RequestError, nearest
from rethinkdc.reference import parse_reference
from rethinkdc.registry.admission import ALL_KINDS
from rethinkdc.registry.describing import VIEW_OP
from rethinkdc.registry.plugins import Plugin
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Axis
from rethinkdc.testing.case import Case
from rethinkdc.testing.contract import check_case, open_case
from rethinkdc.testing.kit import rules_of
from rethinkdc.testing.protocol_rules import PROTOCOL, ProtocolCase
from rethinkdc.testing.rule import Listener, Rule, judge
from rethinkdc.testing.verdicts import Report, Verdict
from rethinkdc.testing.view_op_rules import VIEW_OP_RULES, ViewOpCase
from rethinkdc.views.op import OWN_OPS, ViewOp

PROTOCOL_KIND = "protocol"


@dataclass(frozen=True)
class Subject:
    """One method, view op or protocol, that is to be checked.

    Attributes:
        kind: of it.
        reference: with its parameters, as it was asked for.
    """

    kind: str
    reference: str


def find_subjects(registry: Registry, name: str, kind: str | None) -> list[Subject]:
    """What a name means: a method with its parameters, of each kind that has it; a protocol; a whole distribution.

    Raises:
        RequestError: nobody has the name, or there is no such kind; names the nearest.
    """
    kinds = (*ALL_KINDS, VIEW_OP, PROTOCOL_KIND)
    if kind is not None and kind not in kinds:
        raise RequestError(f"No plugin is of the kind {kind!r}. {nearest(kind, kinds)}")
    wanted = [one for one in ALL_KINDS if kind in (None, one)]
    bare = name.partition(":")[0]
    found = [Subject(one, name) for one in wanted if _is_registered(registry, one, bare)]
    if not found and kind in (None, VIEW_OP) and _find_view_op(registry, bare):
        found = [Subject(VIEW_OP, name)]
    if not found and kind in (None, PROTOCOL_KIND) and (bare.endswith(".toml") or bare in registry.protocols.all()):
        found = [Subject(PROTOCOL_KIND, name)]
    found = found or _of_distribution(registry, name, kind)
    if not found:
        raise _unknown(registry, bare, kind)
    return found


def check_subject(
    subject: Subject,
    registry: Registry,
    folder: Path,
    *,
    quick: bool,
    device: str,
    varies_with: tuple[Axis, ...] | None,
    listener: Listener,
    cache_folder: Path | None,
) -> Report:
    """The verdicts on one method, which are noted in the cache by the digest of its code.

    Args:
        subject: what is checked.
        registry: finds it.
        folder: empty; for the tries.
        quick: whether the rules that take long are left out.
        device: where networks run.
        varies_with: the seed axes that its result depends on; None = nobody says.
        listener: hears which rule is tried, and each verdict.
        cache_folder: None = the default one.
    """
    if subject.kind == PROTOCOL_KIND:
        return _check_protocol(subject, registry, folder, quick=quick, listener=listener)
    if subject.kind == VIEW_OP:
        return _check_view_op(subject, registry, folder, quick=quick, listener=listener)
    try:
        case = open_case(
            subject.reference,
            folder,
            registry=registry,
            kind=subject.kind,
            varies_with=varies_with,
            device=device,
        )
    except PluginError:
        raise
    except RequestError as error:
        rules = rules_of(subject.kind, quick=quick)
        return _not_built(subject, str(error), rules, quick=quick, listener=listener)
    report = _told_whose(check_case(case, quick=quick, listener=listener), case)
    if report.code and report.tried:
        names = tuple(verdict.rule for verdict in report.broken)
        noted = Checked(method=report.method, extent="quick" if quick else "whole", broken=names)
        note_checked(report.kind, report.name, report.code, noted, cache_folder)
    return report


def _told_whose(report: Report, case: Case) -> Report:
    """The report with the method's distribution and code; folders, hub ids and networks of libraries have none."""
    installed = case.bench.registry.plugins.installed
    plugin = next((one for one in installed if type(case.method) in one.methods), None)
    known = {} if plugin is None else {"distribution": str(plugin.provider), "code": plugin.code.digest}
    return report.model_copy(update=known)


def _check_protocol(subject: Subject, registry: Registry, folder: Path, *, quick: bool, listener: Listener) -> Report:
    protocol = registry.protocols.find(subject.reference)
    rules = [rule for rule in PROTOCOL if not (quick and rule.long)]
    verdicts = judge(ProtocolCase(protocol, registry, folder), rules, listener)
    label = f"{protocol.id} v{protocol.version}"
    return Report(kind=PROTOCOL_KIND, method=label, name=protocol.id, quick=quick, verdicts=verdicts)


def _check_view_op(subject: Subject, registry: Registry, folder: Path, *, quick: bool, listener: Listener) -> Report:
    wanted = parse_reference(subject.reference)
    kind = _find_view_op(registry, wanted.name)
    assert kind is not None
    try:
        op = kind.model_validate(dict(wanted.values))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        why = f"{faults}; name its parameters, as in {wanted.name}:p=0.5"
        return _not_built(subject, why, VIEW_OP_RULES, quick=quick, listener=listener)
    verdicts = judge(ViewOpCase(op, registry, folder), VIEW_OP_RULES, listener)
    distribution = " ".join(f"{name} {version}" for name, version in registry.view_ops.used([op]).items())
    return Report(
        kind=VIEW_OP,
        method=subject.reference,
        name=op.op,
        quick=quick,
        verdicts=verdicts,
        distribution=distribution,
        code=op.code,
    )


def _find_view_op(registry: Registry, name: str) -> type[ViewOp] | None:
    """The op of this name: the framework's, or one of a package."""
    return OWN_OPS.get(name) or registry.view_ops.find([name]).get(name)


def _not_built(subject: Subject, why: str, rules: Sequence[Rule[Any]], *, quick: bool, listener: Listener) -> Report:
    """The report on a method that needs parameters which nobody gave."""
    works = next(rule for rule in rules if rule.name == "works")
    verdict = Verdict(rule="works", demands=works.demands, outcome="does not apply", told=why)
    listener.hear(verdict)
    name = subject.reference.partition(":")[0].rpartition("/")[2]
    return Report(kind=subject.kind, method=subject.reference, name=name, quick=quick, verdicts=(verdict,))


def _is_registered(registry: Registry, kind: str, name: str) -> bool:
    """Whether a name means a method of a kind.

    Raises:
        PluginError: several third parties claim it.
    """
    rows = [row for row in _methods(registry.plugins.load_named(name)) if row[0] == kind]
    distribution, _, bare = name.rpartition("/")
    rows = rows or [row for row in _methods(registry.plugins.load_all(distribution or None)) if row == (kind, bare)]
    if not any(found == bare for _, found in rows):
        return False
    registry.find(kind, name)
    return True


def _of_distribution(registry: Registry, name: str, kind: str | None) -> list[Subject]:
    plugins = registry.plugins.load_all(name)
    return [
        Subject(found, f"{name}/{method}")
        for found, method in dict.fromkeys(_methods(plugins))
        if kind in (None, found)
    ]


def _methods(plugins: list[Plugin]) -> list[tuple[str, str]]:
    methods = [(method.kind, method.name) for plugin in plugins for method in plugin.methods]
    return methods + [(VIEW_OP, str(op.model_fields["op"].default)) for plugin in plugins for op in plugin.view_ops]


def _unknown(registry: Registry, name: str, kind: str | None) -> PluginError:
    for plugin in registry.plugins.load_named(name):
        if plugin.error:
            return plugin.broken(name)
    everything = registry.plugins.load_all()
    names = {method for found, method in _methods(everything) if kind in (None, found)}
    names |= {plugin.provider.distribution for plugin in everything}
    if kind in (None, PROTOCOL_KIND):
        names |= set(registry.protocols.all())
    return PluginError(
        f"Unknown {kind or 'method, view op, protocol or distribution'} {name!r}. {nearest(name, names)} "
        "See `rethinkdc list-plugins`."
    )
