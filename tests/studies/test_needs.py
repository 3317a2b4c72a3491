"""Which run begins next: one that waits for nothing which somebody makes, as far as there is one."""

from __future__ import annotations

from pathlib import Path

from rethinkdc.context.cache import Cache
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.records import Records
from rethinkdc.runs.working import hold_run
from rethinkdc.storage import make_folder
from rethinkdc.studies.needs import Candidate, Hindrance, Need, choose, needs_of
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.study import Study


def candidate(name: str, *needs: Need) -> Candidate[str]:
    return Candidate(name, None, needs)


PROXY, MAYBE = Need("proxies", "p"), Need("proxies", "p", sure=False)
TEACHER = Need("teachers", "t", of_labels=True)


def chosen(cache: Cache, waiting: list[Candidate[str]], going: list[Candidate[str]]) -> tuple[str, Hindrance]:
    found = choose(waiting, going, cache)
    assert found
    return found[0].about, found[1]


def test_what_a_running_run_makes_is_not_waited_for_where_there_is_other_work(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    sure, maybe, soft, free = (
        candidate("sure", PROXY),
        candidate("maybe", MAYBE),
        candidate("soft", TEACHER),
        candidate("free", Need("proxies", "another")),
    )
    assert chosen(cache, [sure, free], []) == ("sure", Hindrance.NONE)
    assert chosen(cache, [sure, maybe, free], [maybe]) == ("free", Hindrance.NONE)
    assert chosen(cache, [sure, maybe], [sure]) == ("maybe", Hindrance.PERHAPS)
    assert chosen(cache, [sure, soft], [sure, soft]) == ("sure", Hindrance.SURE)
    assert choose([], [], cache) is None


def test_what_another_process_makes_is_not_waited_for_either(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    waiting = [candidate("soft", TEACHER), candidate("hard")]
    with Cache(tmp_path).hold("teachers", "t"):
        assert chosen(cache, waiting, []) == ("hard", Hindrance.NONE)
    assert chosen(cache, waiting, []) == ("soft", Hindrance.NONE)


def test_a_run_that_another_process_is_at_comes_last(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    waiting: list[Candidate[str]] = [Candidate("theirs", "k", ()), candidate("ours")]
    with hold_run(Cache(tmp_path / "cache"), Records(tmp_path / "records"), "k"):
        assert chosen(cache, waiting, []) == ("ours", Hindrance.NONE)
        assert chosen(cache, waiting[:1], []) == ("theirs", Hindrance.SURE)


def test_where_the_set_is_there_only_the_labels_need_anything(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    distilled, soft = candidate("distilled", Need("sets", "s"), PROXY), candidate("soft", Need("sets", "s"), TEACHER)
    going = [candidate("proxy", PROXY), candidate("teacher", TEACHER)]
    assert chosen(cache, [distilled, soft], going) == ("distilled", Hindrance.SURE)
    make_folder(tmp_path / "sets" / "s")
    assert chosen(cache, [soft, distilled], going) == ("distilled", Hindrance.NONE)
    assert chosen(cache, [soft], going) == ("soft", Hindrance.SURE)


def test_the_proxy_is_needed_for_sure_by_scores_of_its_training(tmp_path: Path) -> None:
    study = Study(
        dataset="digits", protocol="digits-soft", compressors=("random", "el2n:direction=easy"), labelers=("soft",)
    )
    registry, cache = Registry(), Cache(tmp_path)
    random, el2n = (needs_of(run, registry, cache) for run in runs_of(study, "study", registry, cache))
    assert {(need.kind, need.sure, need.of_labels) for need in el2n} == {
        ("sets", True, False),
        ("scores", True, False),
        ("proxies", True, False),
        ("teachers", True, True),
    }
    assert [need.sure for need in random if need.kind == "proxies"] == [False]
