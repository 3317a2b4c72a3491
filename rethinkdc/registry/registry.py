"""What the installed distributions provide, behind one object."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, TypeVar, overload

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import PluginError
from rethinkdc.method import Method
from rethinkdc.notes import MethodCode
from rethinkdc.reference import Reference, print_reference
from rethinkdc.registry.building import Builder
from rethinkdc.registry.describing import Listed, codes_of, define, list_installed, used_distributions
from rethinkdc.registry.finding import Finder
from rethinkdc.registry.plugins import Plugins
from rethinkdc.registry.protocols import Protocols
from rethinkdc.registry.providers import OWN
from rethinkdc.registry.spelling import Spelling
from rethinkdc.registry.trackers import Trackers
from rethinkdc.registry.view_ops import ViewOps

M = TypeVar("M", bound=Method)


class Registry:
    """Builds methods from references, spells and describes them.

    Attributes:
        plugins: the entry points, and what of them is loaded.
        view_ops: the view ops that packages bring.
        protocols: the protocols that they ship.
        trackers: the plugins that hear of runs.
    """

    def __init__(self, points: Iterable[EntryPoint] | None = None, cache_folder: Path | None = None) -> None:
        """Finds what is installed; imports nothing.

        Args:
            points: the entry points; None = those of the installed distributions.
            cache_folder: remembers how third parties' plugins were judged; None = the default one.
        """
        self.plugins = Plugins(points, cache_folder)
        self.view_ops = ViewOps(self.plugins)
        self.protocols = Protocols(self.plugins, self.view_ops)
        self._finder = Finder(self.plugins)
        self._spelling = Spelling(self._finder)
        self._builder = Builder(self._finder, self._spelling)
        self.trackers = Trackers(self.plugins, self._builder)

    @overload
    def build(self, kind: type[M], reference: Reference | str) -> M: ...

    @overload
    def build(self, kind: str, reference: Reference | str) -> Method: ...

    def build(self, kind: type[Method] | str, reference: Reference | str) -> Method:
        """Validates a reference and returns its method; nested references are made canonical.

        Args:
            kind: the base class that the method must have, or the name of its kind.
            reference: of a dataset also an existing path or a hub id, of a model ``timm/NAME`` or ``torchvision/NAME``.

        Raises:
            RequestError: unknown method or parameter, or a value out of bounds; names the nearest known ones.
        """
        if isinstance(kind, str):
            return self._builder.build(kind, reference)
        built = self._builder.build(kind.kind, reference)
        if not isinstance(built, kind):
            raise PluginError(f"{self.label(built)} is a {built.kind}, but no {kind.__name__}, which is needed here.")
        return built

    def find(self, kind: str, name: str) -> type[Method]:
        """The class that a bare name, or ``distribution/name``, means.

        Raises:
            PluginError: no such method, a broken plugin of that name, or several third parties claim it.
        """
        return self._finder.find(kind, name)

    def check_unambiguous(self, kind: str, reference: Reference | str) -> None:
        """Refuses a reference, as typed by a user, that names a method which several distributions claim.

        Raises:
            RequestError: names the distributions, and how to say which one is meant; or a parameter is wrong.
        """
        self._builder.check_unambiguous(kind, reference)

    def complete(self, compressor: Compressor, size: int, classes: int) -> Compressor:
        """The compressor with the references in place that it leaves open and its paper names.

        Args:
            compressor: stays as it is.
            size: side of a canvas in pixels.
            classes: of the data.

        Raises:
            UnsupportedError: its paper names none for such canvases, and somebody must.
        """
        found = compressor.open_references(size, classes)
        if not found:
            return compressor
        known = self.reference(compressor)
        return self.build(Compressor, Reference(name=known.name, values={**known.values, **found}))

    def reference(self, method: Method) -> Reference:
        """The canonical reference; a selection by score goes under the score's own name."""
        return self._spelling.reference(method)

    def label(self, method: Method) -> str:
        """The canonical printed form: it reads as the same method."""
        return print_reference(self.reference(method))

    def whose(self, method: Method) -> str:
        """Names a method, and the package of a third party's, at the beginning of a sentence."""
        provider, name = self._finder.provider(method), f"The {method.kind} {method.name}"
        return name if provider is None or provider.distribution == OWN else f"{name} of {provider}"

    def definition(self, method: Method) -> dict[str, Any]:
        """All that a method's result depends on, as JSON data: name, revision, changed parameters, nested methods.

        Raises:
            RequestError: a file whose content defines it cannot be read.
        """
        return define(method, self._finder, self._builder.build)

    def used(self, methods: Iterable[Method]) -> dict[str, str]:
        """Distribution -> version of every plugin that these methods, and the ones nested in them, come from."""
        return used_distributions(methods, self._finder, self._builder.build)

    def codes(self, methods: Iterable[Method]) -> tuple[MethodCode, ...]:
        """The code of these methods, and of the ones nested in them, with all their parameters."""
        return codes_of(methods, self._finder, self._builder.build)

    def listing(self) -> list[Listed]:
        """Every method and tracker of every plugin; broken ones and those whose name is another's with the reason."""
        return list_installed(self.plugins, self._finder)
