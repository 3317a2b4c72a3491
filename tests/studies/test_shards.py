"""Shards are parts of a study that follow from it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.resolving import Run
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.shards import Shard, read_shard, runs_in
from rethinkdc.studies.study import Study


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    study = Study(dataset="digits", compressors=("random", "el2n:direction=easy", "pca"), ipc=(1, 2), seeds=(0, 1, 2))
    return runs_of(study, "study", Registry(), Cache(Path(tmp_path_factory.mktemp("cache"))))


@pytest.mark.parametrize("count", [1, 2, 4, 7, 18, 30])
def test_every_run_is_in_one_shard_and_none_has_two_more_than_another(runs: list[Run], count: int) -> None:
    parts = [runs_in(Shard(number, count), runs) for number in range(count)]
    assert sorted(run.key for part in parts for run in part) == sorted(run.key for run in runs)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_runs_with_one_proxy_are_in_one_shard(runs: list[Run]) -> None:
    for number in range(3):
        part = runs_in(Shard(number, 3), runs)
        assert {run.seeds.proxy for run in part} == {number}
        assert [runs.index(run) for run in part] == sorted(runs.index(run) for run in part)


def test_a_shard_is_read_as_it_is_typed() -> None:
    assert read_shard("3/16") == Shard(3, 16)


@pytest.mark.parametrize("text", ["3", "a/b", "-1/4", "1/", "/4", "1.5/4", "1/2/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"counted from 0, as in 0/16 or \$SLURM_ARRAY_TASK_ID/16"):
        read_shard(text)


@pytest.mark.parametrize("text", ["4/4", "16/4"])
def test_a_shard_beyond_the_last_is_refused_since_arrays_may_count_from_one(text: str) -> None:
    with pytest.raises(RequestError, match=r"the parts are 0/4 to 3/4\. A job array of N counts from 0: --array=0-3"):
        read_shard(text)
    with pytest.raises(RequestError, match="0/1 is the whole study"):
        read_shard("0/0")
