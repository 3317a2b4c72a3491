"""Designs: which settings of several knobs are run, so that each knob's effect can be told from the others'."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, product

_MOST_STRENGTH = 4
"""Beyond it nothing is gained that a report tells: all effects of two knobs are clear of each other."""
_MOST_TRIES = 2_000
"""Subspaces that are looked at for one strength; the same everywhere, so that a design never depends on the clock."""
_ROMAN = {2: "III", 3: "IV", 4: "V"}

_Vector = tuple[int, ...]
_Basis = tuple[_Vector, ...]


@dataclass(frozen=True)
class Design:
    """Settings of knobs, each a row with one level of every knob, counted from 0.

    Attributes:
        levels: how many each knob has.
        rows: the settings, in order; the first has the first level of every knob.
    """

    levels: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def grid(self) -> int:
        """How many settings there are in all."""
        return math.prod(self.levels)

    @property
    def whole(self) -> bool:
        """Whether every setting is a row."""
        return len(self.rows) == self.grid

    @cached_property
    def strength(self) -> int:
        """The most knobs, up to four, of which every combination of levels stands in equally many rows; counted."""
        return next((size for size in range(1, _MOST_STRENGTH + 1) if not self._balances(size)), 5) - 1

    @property
    def resolution(self) -> str:
        """``III``, ``IV`` or ``V`` of a fraction; empty where every setting is a row."""
        return "" if self.whole else _ROMAN.get(self.strength, "")

    def __str__(self) -> str:
        counts = Counter(self.levels)
        spelled = " ".join(f"{level}^{count}" for level, count in sorted(counts.items()))
        if self.whole:
            return f"full factorial {spelled}, {self.grid} settings"
        return (
            f"orthogonal array OA({len(self.rows)}, {spelled}), a regular fraction of {self.grid} settings, "
            f"resolution {self.resolution}"
        )

    def _balances(self, size: int) -> bool:
        for knobs in combinations(range(len(self.levels)), min(size, len(self.levels))):
            counts = Counter(tuple(row[knob] for knob in knobs) for row in self.rows)
            if len(counts) < math.prod(self.levels[knob] for knob in knobs) or len(set(counts.values())) > 1:
                return False
        return True


@lru_cache(maxsize=64)
def choose_design(levels: tuple[int, ...], most: int) -> Design:
    """The design of so many settings at most: every setting, or else a fraction in which all main effects are clear.

    A fraction is a linear orthogonal array: knobs of q levels are columns over the field of q elements, those of q^d
    levels d columns with all that these span, and groups of different primes are crossed (Hedayat, Sloane and Stufken,
    *Orthogonal Arrays*, 1999, chapters 3 and 11). Of those that fit it has the highest strength that the search finds,
    up to four, then the most settings, then the first columns in lexicographic order. No draw is made.

    Args:
        levels: of each knob, at least 2.
        most: settings.

    Raises:
        ValueError: no fraction of so few settings has clear main effects; says what the least is.
    """
    if math.prod(levels) <= most:
        return Design(levels, tuple(product(*map(range, levels))))
    groups = [_Group.of(levels, prime) for prime in sorted({prime for level in levels for prime in _primes(level)})]
    sizes = product(*(range(1, sum(group.dimensions) + 1) for group in groups))
    fitting = [size for size in sizes if _runs(groups, size) <= most]
    found = [(strength, _runs(groups, size), size) for size in fitting if (strength := _strength(groups, size)) >= 2]
    if not found:
        raise ValueError(
            f"{most} settings are too few to tell the effects of these knobs apart: {_least(groups)} are needed"
        )
    *_, chosen = max(found, key=lambda one: one[:2])
    parts = [group.rows(size) for group, size in zip(groups, chosen, strict=True)]
    rows = [_joined(groups, combined, len(levels)) for combined in product(*parts)]
    return Design(levels, tuple(sorted(rows)))


@dataclass(frozen=True)
class _Group:
    """What knobs have of one prime.

    Attributes:
        prime: q.
        knobs: the numbers of those whose levels q divides.
        dimensions: how often it does, of each.
    """

    prime: int
    knobs: tuple[int, ...]
    dimensions: tuple[int, ...]

    @classmethod
    def of(cls, levels: Sequence[int], prime: int) -> _Group:
        counts = {knob: _primes(level)[prime] for knob, level in enumerate(levels) if level % prime == 0}
        # Large ones first: what is left has room for columns.
        ordered = sorted(counts, key=lambda knob: (-counts[knob], knob))
        return cls(prime, tuple(ordered), tuple(counts[knob] for knob in ordered))

    def rows(self, size: int) -> list[dict[int, int]]:
        """The level of each knob, as far as this prime makes it, in all q^size rows."""
        bases = self.columns(size)
        listed = []
        for point in product(range(self.prime), repeat=size):
            values = (
                [sum(a * b for a, b in zip(vector, point, strict=True)) % self.prime for vector in basis]
                for basis in bases
            )
            listed.append({knob: _number(digits, self.prime) for knob, digits in zip(self.knobs, values, strict=True)})
        return listed

    def strength(self, size: int) -> int:
        """That of the best columns in so many dimensions; 0 where none is above 1."""
        if size == sum(self.dimensions):
            return _MOST_STRENGTH
        return next((s for s in range(_MOST_STRENGTH, 1, -1) if _find(self.prime, self.dimensions, size, s)), 0)

    def columns(self, size: int) -> tuple[_Basis, ...]:
        """The best columns, one basis for each knob."""
        if size == sum(self.dimensions):
            return _blocks(self.dimensions, size)
        return _find(self.prime, self.dimensions, size, self.strength(size)) or ()


def _runs(groups: Sequence[_Group], size: Sequence[int]) -> int:
    return math.prod(group.prime**dimension for group, dimension in zip(groups, size, strict=True))


def _strength(groups: Sequence[_Group], size: Sequence[int]) -> int:
    return min(group.strength(dimension) for group, dimension in zip(groups, size, strict=True))


def _least(groups: Sequence[_Group]) -> int:
    return math.prod(
        group.prime ** next(n for n in range(1, sum(group.dimensions) + 1) if group.strength(n) >= 2)
        for group in groups
    )


def _joined(groups: Sequence[_Group], combined: Sequence[dict[int, int]], knobs: int) -> tuple[int, ...]:
    """One row: what each prime makes of a knob's level, one after the other as digits."""
    levels = [0] * knobs
    for group, values in zip(groups, combined, strict=True):
        for knob, dimension in zip(group.knobs, group.dimensions, strict=True):
            levels[knob] = levels[knob] * group.prime**dimension + values[knob]
    return tuple(levels)


@lru_cache(maxsize=256)
def _find(prime: int, dimensions: tuple[int, ...], size: int, strength: int) -> tuple[_Basis, ...] | None:
    """Subspaces of these dimensions of which any ``strength`` are independent, and which span all; None = not found."""
    chosen = _blocks(dimensions, size)
    if sum(map(len, chosen)) < size or not _independent(chosen, strength, prime):
        return None
    tries = iter(range(_MOST_TRIES))

    def extend(found: tuple[_Basis, ...]) -> tuple[_Basis, ...] | None:
        if len(found) == len(dimensions):
            return found
        for basis in _subspaces(prime, size, dimensions[len(found)]):
            if next(tries, None) is None:
                return None
            if _stays_independent(found, basis, strength, prime) and (whole := extend((*found, basis))):
                return whole
        return None

    return extend(chosen)


def _blocks(dimensions: Sequence[int], size: int) -> tuple[_Basis, ...]:
    """The first knobs on unit vectors of their own, as many as there is room for."""
    bases, used = [], 0
    for dimension in dimensions:
        if used + dimension > size:
            break
        bases.append(tuple(tuple(int(at == place) for at in range(size)) for place in range(used, used + dimension)))
        used += dimension
    return tuple(bases)


def _independent(bases: Sequence[_Basis], strength: int, prime: int) -> bool:
    return all(_stays_independent(bases[:place], basis, strength, prime) for place, basis in enumerate(bases) if place)


def _stays_independent(found: Sequence[_Basis], basis: _Basis, strength: int, prime: int) -> bool:
    """Whether the new subspace shares nothing with the sum of any ``strength`` - 1 others."""
    for others in combinations(found, min(strength - 1, len(found))):
        vectors = [*basis, *(vector for other in others for vector in other)]
        if _rank(vectors, prime) < len(vectors):
            return False
    return True


def _subspaces(prime: int, size: int, dimension: int) -> Iterator[_Basis]:
    """Every subspace once, by its reduced basis, in lexicographic order of pivots and of what stands beside them."""
    for pivots in combinations(range(size), dimension):
        free = [(row, at) for row, pivot in enumerate(pivots) for at in range(pivot + 1, size) if at not in pivots]
        for values in product(range(prime), repeat=len(free)):
            matrix = [[int(at == pivot) for at in range(size)] for pivot in pivots]
            for (row, at), value in zip(free, values, strict=True):
                matrix[row][at] = value
            yield tuple(map(tuple, matrix))


def _rank(vectors: Sequence[_Vector], prime: int) -> int:
    rows, rank = [list(vector) for vector in vectors], 0
    for column in range(len(rows[0])):
        pivot = next((row for row in range(rank, len(rows)) if rows[row][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][column], -1, prime)
        for row in range(rank + 1, len(rows)):
            factor = rows[row][column] * inverse
            rows[row] = [(a - factor * b) % prime for a, b in zip(rows[row], rows[rank], strict=True)]
        rank += 1
    return rank


def _number(digits: Sequence[int], base: int) -> int:
    number = 0
    for digit in digits:
        number = number * base + digit
    return number


def _primes(number: int) -> Counter[int]:
    found, divisor = Counter[int](), 2
    while number > 1:
        while number % divisor == 0:
            found[divisor] += 1
            number //= divisor
        divisor += 1
    return found


__all__ = ["Design", "choose_design"]
