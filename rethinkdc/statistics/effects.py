"""Main effects: the mean at each level of a knob, with all other knobs held in balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NOTHING = 1e-10
"""Of a fit: below it a column or a sum of squares is rounding."""


@dataclass(frozen=True)
class MainEffect:
    """A knob of a design, as far as the settings that there are tell of it.

    Attributes:
        levels: the numbers of its levels that some setting has.
        weights: of the settings, whose weighted mean is the mean at a level; one tuple for each of ``levels``.
        share: of the sum of squares between settings, what the fit loses without this knob.
    """

    levels: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    share: float


def fit_effects(rows: Sequence[Sequence[int]], values: ArrayLike) -> list[MainEffect | None]:
    """Fits a sum of main effects by least squares; None for a knob that the settings do not tell from others.

    Nothing is told of any knob where the fit has no mean of its own: what is left of a design may take it for effects.
    In an orthogonal array the means are those of the settings at each level, and the shares sum to what main effects
    explain. Where settings are missing a mean is the fit's, averaged over the levels of the other knobs, and a share is
    what this knob alone can explain.

    Args:
        rows: the level of each knob in each setting.
        values: of the settings, float [n].
    """
    results = np.asarray(values, dtype=np.float64)
    design = np.asarray(rows, dtype=np.int64)
    present = [tuple(sorted(set(design[:, knob].tolist()))) for knob in range(design.shape[1])]
    blocks = [_code(design[:, knob], levels) for knob, levels in enumerate(present)]
    whole = np.concatenate([np.ones((len(results), 1)), *blocks], axis=1)
    total = float(np.sum((results - results.mean()) ** 2))
    rank, left = np.linalg.matrix_rank(whole), _residual(whole, results)
    mean_told = np.linalg.matrix_rank(whole[:, 1:]) < rank
    starts = np.cumsum([1, *(block.shape[1] for block in blocks)])
    effects: list[MainEffect | None] = []
    inverse = np.linalg.pinv(whole)
    for knob, levels in enumerate(present):
        columns = range(int(starts[knob]), int(starts[knob + 1]))
        without = np.delete(whole, list(columns), axis=1)
        if not mean_told or not columns or rank - np.linalg.matrix_rank(without) < len(columns):
            effects.append(None)
            continue
        codes = _code(np.asarray(levels), levels)
        weights = [inverse[0] + codes[place] @ inverse[list(columns)] for place in range(len(levels))]
        share = (_residual(without, results) - left) / total if total > _NOTHING**2 else 0.0
        told = tuple(tuple(map(float, np.round(weight, 12))) for weight in weights)
        effects.append(MainEffect(levels, told, max(0.0, share)))
    return effects


def _code(column: NDArray[np.int64], levels: Sequence[int]) -> NDArray[np.float64]:
    """Effect coding: a column for each level but the last, which is -1 in all of them."""
    coded = np.stack([(column == level).astype(np.float64) for level in levels], axis=1)
    apart: NDArray[np.float64] = coded[:, :-1] - coded[:, -1:]
    return apart


def _residual(matrix: NDArray[np.float64], results: NDArray[np.float64]) -> float:
    fitted = matrix @ np.linalg.lstsq(matrix, results, rcond=None)[0]
    return float(np.sum((results - fitted) ** 2))


__all__ = ["MainEffect", "fit_effects"]
