"""The kinds of plugin that a package can begin as, and what is done with each."""

from __future__ import annotations

from dataclasses import dataclass

_FIELDS = "Its fields are its parameters; the maths is a function of tensors."
_REVISION = (
    "Whenever results change, also by another default, raise `revision` and the version: records of both never mix."
)
_NO_RESULT = "No result depends on it: none is made anew when it changes."


@dataclass(frozen=True)
class Kind:
    """A kind of plugin.

    Attributes:
        name: as the command line says it.
        noun: what a sentence calls such a plugin.
        commands: what is typed to see it work, after its tests; ``$name`` is its name, ``$here`` its folder.
        place: what its module holds.
        changes: what its author does when it changes.
        further: files beside those that every package has: place in the package, and its template.
    """

    name: str
    noun: str
    commands: tuple[str, ...]
    place: str = _FIELDS
    changes: str = _REVISION
    further: tuple[tuple[str, str], ...] = ()


_KINDS = (
    Kind(
        "compressor",
        "compressor",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor $name:size=4",
        ),
    ),
    Kind(
        "score",
        "score",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor $name:direction=easy",
            "rethinkdc run --dataset digits --compressor pca:score=$name",
        ),
    ),
    Kind(
        "selector",
        "compressor",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor $name --ipc 10",
        ),
    ),
    Kind(
        "distillation",
        "compressor",
        (
            "rethinkdc check-plugin $name:iterations=3",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor $name:iterations=20",
        ),
    ),
    Kind(
        "labeler",
        "labeler",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor random --labeler $name:gamma=1",
        ),
    ),
    Kind(
        "evaluator",
        "evaluator",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor random --evaluator $name",
        ),
    ),
    Kind(
        "dataset",
        "dataset",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run -d $name:path=FILE.npz --protocol auto-hard --compressor random",
        ),
    ),
    Kind(
        "model",
        "model",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor random --student $name:depth=2",
        ),
    ),
    Kind(
        "teacher",
        "teacher",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor random --labeler 'soft-static:teachers=[$name]'",
        ),
    ),
    Kind(
        "protocol",
        "protocol",
        ("rethinkdc show $name", "rethinkdc run --compressor random --protocol $name", "rethinkdc sweep $name --plan"),
        place="It registers what the TOML files beside it say.",
        changes="Whenever a value changes, raise the `version` in its file: results of both never stand in one table.",
        further=(
            ("$package/protocols/$name.toml", "protocol.toml"),
            ("$package/protocols/studies/$name.toml", "study.toml"),
        ),
    ),
    Kind(
        "tracker",
        "tracker",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor random --tracker $name:path=runs.jsonl",
        ),
        place="Its fields are its parameters; its methods hear the events.",
        changes=_NO_RESULT,
    ),
    Kind(
        "engine",
        "engine",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc sweep digits-small --jobs 2 --engine $name:nice=15",
        ),
        place="Its fields are its parameters; it starts processes, and tells which go on.",
        changes=_NO_RESULT,
    ),
    Kind(
        "view-op",
        "view op",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc list-plugins --kind view-op",
            "rethinkdc run --compressor random --protocol $here$name.toml",
        ),
        place="Its fields are its parameters, which protocols state; `$name.toml` is one that names it.",
        changes="The digest of its code is in the key of every run that it is a part of: a change makes records anew.",
        further=(("$name.toml", "protocol.toml"),),
    ),
)

KINDS = {kind.name: kind for kind in _KINDS}
"""The kinds by name."""
