"""The checks of a plugin's contract."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rethinkdc.contracts.kinds import Labeler
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import PluginError, UnsupportedError
from rethinkdc.method import Method
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Axis
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.case import Case
from rethinkdc.testing.kit import rules_of
from rethinkdc.testing.rule import NOBODY, Listener, judge
from rethinkdc.testing.surroundings import registry_with
from rethinkdc.testing.verdicts import ESSENTIAL, Report


def check_method(
    method: str | Method,
    folder: Path,
    *,
    kind: str = "compressor",
    varies_with: Iterable[Axis] = (),
    registry: Registry | None = None,
    data: DecodedImages | None = None,
    protocol: str | Protocol | None = None,
    ipc: int = 2,
    device: str = "cpu",
    quick: bool = True,
) -> Report:
    """Checks that a method keeps the rules of its kind: what ``rethinkdc check-plugin`` prints, as a test.

    Of every kind: it is described, the printed form builds the same method, the definition is JSON, and nothing of the
    process, no random state and no file is left behind. Of what works on data: what it is given is untouched, the
    result is the same under the same seeds, from decoded and encoded images, and for other seeds on axes that the
    method does not declare; it differs for another seed on those it does. Of each kind its own: budget, sizes, dtypes
    and ranges.

    Args:
        method: a reference, or an instance (whose module need not be installed).
        folder: the test's temporary folder.
        kind: of a reference: compressor, score, labeler, teacher, evaluator, dataset, model, tracker or engine.
        varies_with: the seed axes that the result depends on; ``("set",)`` for a random draw.
        registry: finds the methods; None = those installed, and the instance's module.
        data: training set; None = :func:`images`. It must hold enough images of each class for ``ipc``.
        protocol: shortened to two steps; None = ``digits-soft`` for labelers of soft tracks, else ``digits-hard``.
        ipc: images per class that a compressor is asked for.
        device: where networks run.
        quick: whether to leave out what takes long: odd data, the cache, kills, two ranks, the command line.

    Returns:
        The verdicts.

    Raises:
        AssertionError: names each rule that is broken, with what was expected and found.
        UnsupportedError: the method refuses the small images, so that nothing could be checked.
    """
    registry = registry or _find_registry(method)
    case = open_case(
        method,
        folder,
        kind=kind,
        varies_with=tuple(varies_with),
        registry=registry,
        data=data,
        protocol=protocol,
        ipc=ipc,
        device=device,
    )
    report = check_case(case, quick=quick)
    if report.broken:
        raise AssertionError(f"{report.kind} {report.method} breaks the contract:\n{report.sentences()}")
    if not report.tried:
        (told,) = (verdict.told for verdict in report.verdicts if verdict.rule == ESSENTIAL)
        raise UnsupportedError(f"{report.kind} {report.method} cannot be checked here: {told}")
    return report


def open_case(
    method: str | Method,
    folder: Path,
    *,
    registry: Registry,
    kind: str = "compressor",
    varies_with: tuple[Axis, ...] | None = None,
    data: DecodedImages | None = None,
    protocol: str | Protocol | None = None,
    ipc: int = 2,
    device: str = "cpu",
) -> Case:
    """A method ready to be checked; see :func:`check_method`. ``varies_with``: None = nobody says.

    Raises:
        RequestError: there is no such method, or it cannot be built.
    """
    reference = method if isinstance(method, str) else registry.reference(method)
    built = registry.build(kind if isinstance(method, str) else method.kind, reference)
    if protocol is None:
        soft = built.kind == "teacher" or (isinstance(built, Labeler) and built.track != "hard")
        protocol = "digits-soft" if soft else "digits-hard"
    return Case(built, Bench(registry, folder, data, protocol, ipc, device), varies_with)


def check_case(case: Case, *, quick: bool, listener: Listener = NOBODY) -> Report:
    """The verdicts on a method."""
    verdicts = judge(case, rules_of(case.kind, quick=quick), listener)
    return Report(kind=case.kind, method=case.label, name=case.method.name, quick=quick, verdicts=verdicts)


def _find_registry(method: str | Method) -> Registry:
    """Finds the installed plugins, and the module of an instance that none of them registers."""
    installed = Registry()
    if isinstance(method, str):
        return installed
    try:
        known = installed.find(method.kind, method.name) is type(method)
    except PluginError:
        known = False
    return installed if known else registry_with(type(method).__module__)
