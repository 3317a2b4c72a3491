"""The kinds of plugin that a package can begin as, and what is done with each."""

from __future__ import annotations

from dataclasses import dataclass

_FIELDS = "Its fields are its parameters; the maths is a function of tensors."


@dataclass(frozen=True)
class Kind:
    """A kind of plugin.

    Attributes:
        name: as the command line says it.
        noun: what a sentence calls such a plugin.
        summary: what the method that is written does.
        commands: what is typed to see it work, after its tests; ``$name`` stands for its name.
        place: what its module holds.
        further: files beside those that every package has: place in the package, and its template.
    """

    name: str
    noun: str
    summary: str
    commands: tuple[str, ...]
    place: str = _FIELDS
    further: tuple[tuple[str, str], ...] = ()


_KINDS = (
    Kind(
        "compressor",
        "compressor",
        "The images of each class that are nearest to the mean image of the class.",
        ("rethinkdc check-plugin $name", "rethinkdc show $name", "rethinkdc run --compressor $name:size=4"),
    ),
    Kind(
        "score",
        "score",
        "Distance of an image to the mean image of its class.",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --compressor $name:direction=easy",
            "rethinkdc run --compressor pca:score=$name",
        ),
    ),
    Kind(
        "selector",
        "compressor",
        "Images of each class that lie far apart, in pixels.",
        ("rethinkdc check-plugin $name", "rethinkdc show $name", "rethinkdc run --compressor $name --ipc 10"),
    ),
    Kind(
        "distillation",
        "compressor",
        "Images whose gradient, in networks of random weights, points where that of real images points.",
        (
            "rethinkdc check-plugin $name:iterations=3",
            "rethinkdc show $name",
            "rethinkdc run --dataset digits --compressor $name:iterations=20",
        ),
    ),
    Kind(
        "labeler",
        "labeler",
        "Hard labels under the focal loss.",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --compressor random --labeler $name:gamma=1",
        ),
    ),
    Kind(
        "evaluator",
        "evaluator",
        "The standard student, and the expected calibration error of what it says.",
        ("rethinkdc check-plugin $name", "rethinkdc show $name", "rethinkdc run --compressor random --evaluator $name"),
    ),
    Kind(
        "dataset",
        "dataset",
        "Images and labels out of one NumPy file.",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run -d $name:path=FILE.npz --protocol auto-hard --compressor random",
        ),
    ),
    Kind(
        "model",
        "model",
        "A small network of residual blocks whose convolutions look at each channel by itself.",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --compressor random --student $name:depth=2",
        ),
    ),
    Kind(
        "teacher",
        "teacher",
        "A teacher without training: an image is of the class whose mean image is nearest.",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --compressor random --labeler 'soft-static:teachers=[$name]'",
        ),
    ),
    Kind(
        "protocol",
        "protocol",
        "The embedded digits with half the batch and twice the steps, and a study of it.",
        ("rethinkdc show $name", "rethinkdc run --compressor random --protocol $name", "rethinkdc sweep $name --plan"),
        place="It registers what the TOML files beside it say.",
        further=(
            ("$package/protocols/$name.toml", "protocol.toml"),
            ("$package/protocols/studies/$name.toml", "study.toml"),
        ),
    ),
    Kind(
        "tracker",
        "tracker",
        "A line of JSON for each event of a run.",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc run --compressor random --tracker $name:path=runs.jsonl",
        ),
        place="Its fields are its parameters; its methods hear the events.",
    ),
    Kind(
        "engine",
        "engine",
        "Processes of this machine with a low priority.",
        (
            "rethinkdc check-plugin $name",
            "rethinkdc show $name",
            "rethinkdc sweep digits-small --jobs 2 --engine $name:nice=15",
        ),
        place="Its fields are its parameters; it starts processes, and tells which go on.",
    ),
    Kind(
        "view-op",
        "view op",
        "Shows some views in shades of grey.",
        ("rethinkdc list-plugins --kind view-op", "rethinkdc run --compressor random --protocol $name/$name.toml"),
        place="Its fields are its parameters, which protocols state; `$name.toml` is one that names it.",
        further=(("$name.toml", "protocol.toml"),),
    ),
)

KINDS = {kind.name: kind for kind in _KINDS}
"""The kinds by name."""
