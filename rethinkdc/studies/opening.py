"""A study that a user hands over as a value or by its place."""

from __future__ import annotations

from rethinkdc.studies.calls import StudyRequest
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.study import Study


def open_study(wanted: StudyRequest) -> tuple[Study, str]:
    """Returns the study that is meant, with what replaces its own values, and what errors call it.

    Raises:
        RequestError: there is none, or it has unknown or wrong values.
    """
    given = wanted.study
    study, name = (given, "the study") if isinstance(given, Study) else (load_study(given), str(given))
    changed = study.replaced(
        dataset=wanted.dataset, protocol=wanted.protocol, backing=wanted.backing, seeds=wanted.seeds
    )
    return changed, name
