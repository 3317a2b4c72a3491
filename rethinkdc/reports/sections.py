"""The figures of a report, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rethinkdc.reports.accuracies import draw_budgets, draw_bytes, draw_compute, draw_differences
from rethinkdc.reports.costs import draw_stages
from rethinkdc.reports.explanations import draw_explanations
from rethinkdc.reports.figures import Figure, Section
from rethinkdc.reports.insides import draw_classes, draw_curves
from rethinkdc.reports.material import Material
from rethinkdc.reports.published import draw_published
from rethinkdc.reports.sensitivities import draw_sensitivities
from rethinkdc.reports.tracks import draw_tracks


@dataclass(frozen=True)
class _Kind:
    """A kind of figure: how it is drawn, what is said above it, and what is missing where there is none."""

    draw: Callable[[Material], Sequence[Figure]]
    title: str
    lead: str
    missing: str


KINDS = {
    "difference": _Kind(
        draw_differences,
        "Difference to random",
        "What a method gains over a random subset of the same size, labels and seeds. An interval that spans zero "
        "supports no claim.",
        "No method has a run of random beside it: `rethinkdc run --compressor random` under the same conditions.",
    ),
    "ipc": _Kind(
        draw_budgets,
        "Accuracy against images per class",
        "One chart for each protocol, dataset, student and label track.",
        "No method was run at two budgets: add another `--ipc`.",
    ),
    "bytes": _Kind(
        draw_bytes,
        "Accuracy against receiver bytes",
        "What has to be sent: images in one fixed codec, labels as stored, and the teacher where it is asked. Here "
        "label tracks meet, because the labels are paid for.",
        "No run on record tells its bytes.",
    ),
    "compute": _Kind(
        draw_compute,
        "Accuracy against compute",
        "Images that went through networks in every stage, those of a shared proxy or teacher among them.",
        "No run on record tells how many images its networks saw: records of schema 3 and before do not.",
    ),
    "tracks": _Kind(
        draw_tracks,
        "Sets by labels, noise subtracted",
        "What a student learns beyond what it learns from noise under the same labels.",
        "Noise is on no board: `rethinkdc run --compressor noise` under the same conditions is the control.",
    ),
    "explain": _Kind(
        draw_explanations,
        "Where the accuracy comes from",
        "Three switches, images, labels and views, each on or off under one budget: what the student gains from each "
        "is its Shapley value, which splits what two do together evenly between them.",
        "No method has runs at all eight corners: `rethinkdc explain METHOD` makes them.",
    ),
    "robust": _Kind(
        draw_sensitivities,
        "How far it hangs on the protocol",
        "The same methods under every setting of a declared family of protocols. The settings were chosen, not drawn: "
        "in how many one method is above another is a count over a design, not a probability.",
        "No answer of `rethinkdc robust STUDY` is named: `--answers FOLDER` does.",
    ),
    "reported": _Kind(
        draw_published,
        "Reported beside measured",
        "What papers report, and what the same method reaches here.",
        "No published value belongs to these boards.",
    ),
    "curve": _Kind(
        draw_curves,
        "Learning curves",
        "The student's training. Results are those of the last epoch; nothing is chosen on the test set.",
        "No run on record has a curve.",
    ),
    "classes": _Kind(
        draw_classes,
        "Spread over classes",
        "How unequal the classes are: one mean can hide classes that were lost.",
        "No run on record tells of single classes.",
    ),
    "stages": _Kind(
        draw_stages,
        "Time by stage",
        "Where the seconds went.",
        "No run on record tells its seconds.",
    ),
}
"""In the order of the page."""


_OPENING = {"curve", "classes"}
"""Kinds whose figures open records, of which a report opens so many and no more."""


def draw_sections(material: Material) -> tuple[Section, ...]:
    """Every kind of figure, also those of which there is none; a family of protocols that was asked for comes first."""
    sections = []
    for name, kind in KINDS.items():
        figures = tuple(kind.draw(material))
        missing = kind.missing if not figures else _tell_unopened(material) if name in _OPENING else ""
        sections.append(Section(name, kind.title, kind.lead, figures, missing))
    return tuple(sorted(sections, key=lambda one: one.kind != "robust" or not one.figures))


def _tell_unopened(material: Material) -> str:
    closed = len(material.boards) - len(material.trainings)
    return f"{closed} boards are not drawn, so that not all records need be opened: choose some." if closed else ""
