"""The test set's own error of differences to random, from the predictions that lie beside records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rethinkdc.boards.beside import ImageError
from rethinkdc.boards.entry import Entry
from rethinkdc.boards.ranking import Draft
from rethinkdc.boards.results import counted_axis
from rethinkdc.errors import RethinkError
from rethinkdc.runs.prediction_files import disagreement, per_image, read_arrays, recompute
from rethinkdc.runs.records import Records
from rethinkdc.seeds import write_seeds
from rethinkdc.statistics import resample_images


class PredictionFiles:
    """The predictions of a folder of records, one number an image, each read once."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[tuple[str, int, str], NDArray[np.float64] | str] = {}

    def of(self, run: Entry, metric: str) -> NDArray[np.float64] | str:
        """A metric of each test image, float64 [N]; a text says why there is none."""
        place = (run.key, run.attempt, metric)
        if place not in self._known:
            self._known[place] = self._read(run, metric)
        return self._known[place]

    def _read(self, run: Entry, metric: str) -> NDArray[np.float64] | str:
        if metric not in run.results:
            return f"the record has no {metric}"
        if run.predictions is None:
            return "none were kept"
        try:
            arrays = read_arrays(run.predictions, self._records.folder / run.key)
        except RethinkError as error:
            return str(error)
        values = per_image(arrays, metric)
        if values is None:
            return f"they do not tell {metric} of each image"
        return disagreement(metric, recompute(arrays, [metric])[metric], run.results[metric]) or values


def measure_image_error(draft: Draft, metric: str, predictions: PredictionFiles) -> Draft:
    """The same with the error that another draw of test images would make in its difference.

    Each image counts what the method's students and those that it is compared with differ by on it, a mean over the
    pairs of runs, weighed as in the row's difference. What no pair has predictions of is named.
    """
    if not draft.row.difference:
        return draft
    axis = counted_axis(draft.runs[0])
    apart: list[tuple[int, NDArray[np.float64]]] = []
    missing: dict[str, None] = {}
    for run, other in draft.beside.pairs(draft.runs):
        ours, theirs = predictions.of(run, metric), predictions.of(other, metric)
        name = other.names.labeler if other.compressor == run.compressor else other.names.compressor
        for values, whose in ((ours, "its"), (theirs, f"{name}'s")):
            if isinstance(values, str):
                missing[f"{whose} seed {write_seeds(run.seeds)}: {values}"] = None
        if not isinstance(ours, str) and not isinstance(theirs, str):
            apart.append((int(getattr(run.seeds, axis)), ours - theirs))
    interval = None
    if apart:
        students = Counter(seed for seed, _ in apart)
        weighed = [values / students[seed] for seed, values in apart]
        # Rounded: equal differences of several seeds must be one value, in whatever order they were added.
        interval = resample_images(np.round(np.sum(weighed, axis=0) / len(students), 9))
    return replace(draft, row=replace(draft.row, image_error=ImageError(interval, len(apart), tuple(missing))))
