"""Which batch of views each step is given, where labels were made before."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from rethinkdc.labels import LabelSchedule
from rethinkdc.training.length import Length
from rethinkdc.types import ViewKey


def schedule(
    rows: int = 10, batch: int = 4, steps: int = 30, count: int | None = None, distinct: bool = False
) -> LabelSchedule:
    length = Length(rows, batch, steps, -(-steps // -(-rows // batch)))
    return LabelSchedule(length, steps if count is None else count, order=1, views=2, draws=3, distinct=distinct)


def test_in_full_every_step_is_given_its_own_batch() -> None:
    found = schedule()
    assert [found.drawn(step).key for step in (0, 1, 2, 3, 29)] == [
        ViewKey(2, 0, 0),
        ViewKey(2, 0, 1),
        ViewKey(2, 0, 2),
        ViewKey(2, 1, 0),
        ViewKey(2, 9, 2),
    ]
    assert [len(found.drawn(step).rows) for step in range(6)] == [4, 4, 2, 4, 4, 2]
    for epoch in range(10):
        rows = torch.cat([found.drawn(3 * epoch + place).rows for place in range(3)])
        assert rows.sort().values.tolist() == list(range(10))
    assert not torch.equal(found.drawn(0).rows, found.drawn(3).rows)


def test_batches_follow_each_other_without_a_gap() -> None:
    found = schedule()
    assert [found.start(batch) for batch in range(7)] == [0, 4, 8, 10, 14, 18, 20]
    assert found.start(found.count) == 100
    assert all(found.start(batch + 1) - found.start(batch) == len(found.rows(batch)) for batch in range(30))
    assert all(found.batch(found.key(batch)) == batch for batch in range(30))


@pytest.mark.parametrize(("rows", "batch", "count"), [(10, 4, 6), (10, 4, 8), (8, 4, 5), (4, 4, 3), (10, 10, 4)])
def test_pruned_labels_draw_only_stored_batches_of_the_steps_own_size(rows: int, batch: int, count: int) -> None:
    whole, pruned = schedule(rows, batch, 3000), schedule(rows, batch, 3000, count)
    drawn = [pruned.batch_of(step) for step in range(3000)]
    assert set(drawn) == set(range(count))
    for step in range(0, 3000, 7):
        assert len(pruned.drawn(step).rows) == len(whole.drawn(step).rows)
    again = schedule(rows, batch, 3000, count)
    assert drawn == [again.batch_of(step) for step in range(3000)]


def test_batches_are_drawn_uniformly_with_replacement() -> None:
    """Full batches 0, 1, 3, 4, 6, 7 for two of three steps, the short ones 2 and 5 for the third."""
    found = schedule(10, 4, 9000, 8)
    counts = Counter(found.batch_of(step) for step in range(9000))
    assert all(abs(counts[full] - 1000) < 5 * 30 for full in (0, 1, 3, 4, 6, 7))
    assert all(abs(counts[short] - 1500) < 5 * 30 for short in (2, 5))


@pytest.mark.parametrize(("rows", "batch", "count"), [(10, 4, 6), (12, 4, 8), (10, 4, 7)])
def test_distinct_draws_name_no_full_batch_twice_in_an_epoch(rows: int, batch: int, count: int) -> None:
    found = schedule(rows, batch, 3000, count, distinct=True)
    drawn = [found.batch_of(step) for step in range(3000)]
    assert set(drawn) == set(range(count))
    full = rows // batch
    for epoch in range(1000):
        assert len(set(drawn[3 * epoch : 3 * epoch + full])) == full
    assert all(len(found.drawn(step).rows) == len(schedule(rows, batch).drawn(step).rows) for step in range(30))
    counts = Counter(drawn[place] for place in range(3000) if place % 3 < full)
    expected = 1000 * full / len(counts)
    assert all(abs(seen - expected) < 5 * expected**0.5 for seen in counts.values())
