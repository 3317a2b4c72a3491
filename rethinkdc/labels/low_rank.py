"""Logits as a few numbers of a codebook each: the directions in which they vary most, and codes of residuals there.

The arrangement is that of the vector-quantised autoencoder of arXiv 2603.03808: an encoder that nobody has to store,
indices into a codebook for each view, a decoder and a codebook that count as bytes. Of the paper the abstract and
summaries were at hand, and no code; its encoder and decoder are trained networks. Here they are linear, the best ones
that there are for squared error (principal directions), and the codebooks are k-means of what the codebooks before them
left over: a relative of the paper's method, not the method.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from rethinkdc.labels.coding import index_dtype

_ROUNDS = 25
"""Of k-means, at most."""
_PART = 1 << 12
"""Rows that are compared with a codebook at a time."""


@dataclass(frozen=True)
class LowRankLearner:
    """Learns a :class:`LowRank` coding.

    Attributes:
        rank: r, directions that are kept; at most C - 1, since a softmax does not see a constant.
        books: codebooks, one after the other; a view has an index into each.
        codes: vectors of a codebook; at most as many as there are views to learn from.
        seed: of the vectors that k-means begins with.
        views: from whose logits it learns, about.
    """

    rank: int
    books: int
    codes: int
    seed: int
    views: int

    def learn(self, logits: Tensor) -> dict[str, Tensor]:
        """The decoder of logits like these, float [n, C], as it is stored: all in half precision.

        Returns:
            ``mean`` [C], ``basis`` [r, C] with orthonormal rows, ``books`` [books, codes, r].
        """
        centred = _centred(logits)
        mean = centred.mean(dim=0)
        basis = principal_directions(centred - mean, self.rank).half()
        # Codes are learned for the decoder that will be there, with the rounding of its numbers.
        left = (centred - mean.half().double()) @ basis.double().T
        generator, books = torch.Generator().manual_seed(self.seed), list[Tensor]()
        for _ in range(self.books):
            book = k_means(left, min(self.codes, len(left)), generator).half()
            books.append(book)
            left = left - book.double()[nearest(left, book.double())]
        return {"mean": mean.half(), "basis": basis, "books": torch.stack(books)}

    def coding(self, learned: dict[str, Tensor]) -> LowRank:
        """The coding of what :meth:`learn` gave."""
        return LowRank(learned["mean"].double(), learned["basis"].double(), learned["books"].double(), self)

    def definition(self) -> dict[str, Any]:
        """JSON data that tells learners apart."""
        return {"coding": "low-rank", **asdict(self)}


@dataclass(frozen=True, eq=False)
class LowRank:
    """One index into each codebook; decoded to the mean plus the sum of their vectors in the kept directions.

    Logits come back without their mean over the classes, which no softmax sees. Their squared error is what lies
    outside the kept directions plus what the codes leave over inside them.

    Attributes:
        mean: float64 [C].
        basis: float64 [r, C].
        books: float64 [books, codes, r].
        learner: that made it.
    """

    mean: Tensor
    basis: Tensor
    books: Tensor
    learner: LowRankLearner

    def encode(self, logits: Tensor) -> dict[str, Tensor]:
        left, indices = (_centred(logits) - self.mean) @ self.basis.T, list[Tensor]()
        for book in self.books:
            chosen = nearest(left, book)
            left = left - book[chosen]
            indices.append(chosen)
        return {"codes": torch.stack(indices, dim=1).to(index_dtype(self.books.shape[1]))}

    def decode(self, stored: dict[str, Tensor]) -> Tensor:
        codes = stored["codes"].long()
        kept = torch.stack([book[codes[:, index]] for index, book in enumerate(self.books)]).sum(dim=0)
        return (self.mean + kept @ self.basis).float()

    def bytes_per_view(self, classes: int) -> int:  # noqa: ARG002 - does not depend on them
        return len(self.books) * index_dtype(self.books.shape[1]).itemsize

    def definition(self) -> dict[str, Any]:
        return self.learner.definition()


def _centred(logits: Tensor) -> Tensor:
    """Float64, with a mean over the classes of 0."""
    exact = logits.double()
    return exact - exact.mean(dim=1, keepdim=True)


def principal_directions(rows: Tensor, count: int) -> Tensor:
    """The orthonormal directions in which ``rows`` [n, C] are largest, largest first: float64 [count, C].

    Each is turned such that its largest entry is positive: which way a decomposition points is not said by anything.
    """
    vectors: Tensor = torch.linalg.eigh(rows.T @ rows)[1].flip(dims=(1,)).T[:count]
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return vectors * largest.sign()


def nearest(rows: Tensor, book: Tensor) -> Tensor:
    """The vector of a codebook [K, r] that is nearest to each row [n, r]: int64 [n]; of equal ones the first."""
    square = book.square().sum(dim=1)
    return torch.cat([(square - 2 * part @ book.T).argmin(dim=1) for part in rows.split(_PART)])


def k_means(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """A codebook of ``count`` means of ``rows`` [n, r], from as many different rows on: float64 [count, r].

    Lloyd's steps until nothing moves. A mean that no row is nearest to takes the row that is worst off.
    """
    book = rows[torch.randperm(len(rows), generator=generator)[:count]].clone()
    before: Tensor | None = None
    for _ in range(_ROUNDS):
        own = nearest(rows, book)
        if before is not None and torch.equal(own, before):
            break
        before, sizes = own, own.bincount(minlength=count)
        sums = torch.zeros_like(book).index_add_(0, own, rows)
        book = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], book)
        empty = (sizes == 0).nonzero().flatten()
        worst = (rows - book[own]).square().sum(dim=1).argsort(descending=True, stable=True)[: len(empty)]
        book[empty] = rows[worst]
    return book
