"""The whole extension surface on one page.

A plugin is a module (or any object) that an entry point of the group ``rethinkdc`` names. It implements some of these
hooks with :data:`hookimpl`; one that is not on this page makes the plugin broken, since nobody would call it. Entry
points are read from the metadata of the installed distributions, so that a command imports only the plugins that it
names: give each method an entry point of its own name.

What this page and ``rethinkdc.contracts`` hold has the version of the distribution, by semantic versioning: a package
says which it is made for as its requirement, ``rethinkdc>=1.0`` or ``rethinkdc>=1.2,<2``. Where the installed version
is none of these, its plugins are not imported: ``rethinkdc list-plugins`` shows them as incompatible, and a command
that names one ends with exit code 2. ``rethinkdc --plugins DISTRIBUTION,...`` and ``RETHINKDC_PLUGINS`` let in those of
the named distributions alone, and none where they are empty; the framework's own are always there.

The ``register_`` hooks are called once in every process (every rank under ``torchrun``) that imports the plugin, right
after the import; before that in a process of their own, which is ended where they hang. What they raise, as what the
import raises, makes the plugin broken, and so does whatever ends that process: ``rethinkdc list-plugins`` shows it with
the reason, a command that names it ends with exit code 2 and the same reason, and all others go on.

The run events are called for the plugins that ``--tracker NAME`` names (of ``run``, ``evaluate``, ``sweep`` and what
sweeps), in the order in which they are named, in the process that makes the run, and in the first rank alone, which
trains the student and writes the record. A tracker with parameters is a method, the class
:class:`~rethinkdc.contracts.Tracker`, which hears the same. An implementation may leave out arguments that it does not
need. Each call gets a copy of its own:
what a tracker changes reaches nobody. What it raises is a warning with the plugin's name, once for each event; the run
goes on, and so do the calls. Only Ctrl-C ends it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from rethinkdc.method import Method
    from rethinkdc.views import ViewOp

GROUP = "rethinkdc"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

RUN_EVENTS = ("run_started", "epoch_ended", "run_finished")
"""The hooks of a tracker."""


@hookspec
def register_methods() -> list[type[Method]]:  # type: ignore[empty-body]
    """Returns the methods that the plugin provides, of any kind: the base class of each says which.

    Called when a command names the plugin, or looks for a name that no entry point has. Every rank must return the
    same. A class that breaks the contract of its kind makes the plugin broken, with all that it registers.

    Example::

        @hookimpl
        def register_methods():
            return [NearestMean]
    """


@hookspec
def register_protocols() -> list[Path]:  # type: ignore[empty-body]
    """Returns protocol files (TOML), or folders of them, that the plugin provides.

    A folder ``studies`` in such a folder holds studies: ``rethinkdc sweep NAME`` finds them by their names, or as
    ``distribution/name``. A protocol may extend one that ships with the framework, or one beside it.

    Called when a command looks at all protocols, or at all methods. Every rank must return the same. A file that cannot
    be read, or whose id is taken, is left out with a warning.

    Example::

        @hookimpl
        def register_protocols():
            return [Path(__file__).parent / "experiments"]
    """


@hookspec
def register_view_ops() -> list[type[ViewOp]]:  # type: ignore[empty-body]
    """Returns view ops that protocols may name: subclasses of ``PixelOp`` and the like with a name in their ``op``.

    Called when a protocol names an op that is not the framework's. The digest of the plugin's code goes into every
    key that the op is a part of. A class that no renderer could use makes the plugin broken.

    Example::

        @hookimpl
        def register_view_ops():
            return [Invert]
    """


@hookspec
def run_started(definition: dict[str, Any], names: dict[str, str], key: str) -> None:
    """Tells that a run begins to compute, with the definition, the names and the key that its record will hold.

    Called after every check that needs no training, and again when a run that was killed goes on; not for a run that is
    on record already. What it raises is a warning.

    Example::

        @hookimpl
        def run_started(definition, names):
            print(names["compressor"], definition["seeds"])
    """


@hookspec
def epoch_ended(epoch: int, loss: float) -> None:
    """Tells that an epoch of the student's training ended, with its 0-based number and mean loss.

    Called between :func:`run_started` and :func:`run_finished`, not for proxies and teachers; a run that goes on after
    a kill begins with the epoch that comes next. It holds the training up: what takes long belongs in a thread. What
    it raises is a warning.

    Example::

        @hookimpl
        def epoch_ended(epoch, loss):
            print(f"epoch {epoch}: {loss:.3f}")
    """


@hookspec
def run_finished(record: dict[str, Any]) -> None:
    """Tells that a run's record is on disk, with the record as JSON data; its ``status`` is ``ok`` or ``failed``.

    Called last; never for a run that was killed, or that was refused before it began. What it raises is a warning.

    Example::

        @hookimpl
        def run_finished(record):
            print(record["key"], record["status"])
    """
