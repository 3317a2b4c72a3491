"""How hard a teacher finds each training image, and which of a class lie in the middle (DELT, arXiv 2411.19946)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from rethinkdc.contracts.context import Context
from rethinkdc.data.chunks import joined
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Images

_BATCH = 256


def true_class_probabilities(context: Context, teacher: Teacher, data: Images) -> Tensor:
    """The probability that a teacher gives each image's own class, seen as the teacher is tested: float32 [N]."""

    def asked(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
        for span in spans:
            rows = torch.arange(span.start, span.stop)
            said = teacher.logits(teacher.test.render(data, rows)).cpu().softmax(dim=1)
            yield {"probability": said.gather(1, data.targets[rows, None]).squeeze(1)}

    return joined(context.chunks("difficulty", len(data), _BATCH, asked, unit="images"), "probability")


def from_the_middle(count: int, wanted: int) -> list[int]:
    """Positions in an ascending order of ``count``: the middle one, the next, the one before, and so on outwards.

    DELT's data_selection.py, which names the middle ceil(count / 2), 0-based. Positions may lie beyond either end where
    ``wanted`` is close to ``count``.
    """
    middle = -(-count // 2)
    return [middle + (step // 2 if step % 2 == 0 else -(step // 2)) for step in range(1, wanted + 1)]
