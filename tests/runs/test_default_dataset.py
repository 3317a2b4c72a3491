"""What is taken when neither dataset nor protocol is named."""

from __future__ import annotations

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, resolve_run


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def resolved(cache: Cache, *words: str, **given: str) -> Run:
    return resolve_run(Request(*words, **given), Registry(), cache)  # type: ignore[arg-type]


@pytest.mark.parametrize(("labeler", "protocol"), [("hard", "mnist-5k-hard"), ("soft", "mnist-5k-soft")])
def test_a_run_without_a_dataset_takes_the_embedded_one_and_the_protocol_of_its_labels(
    cache: Cache, labeler: str, protocol: str
) -> None:
    run = resolved(cache, "pca", labeler)
    assert (run.names.dataset, run.protocol.id, run.names.ipc) == ("mnist-5k", protocol, "1")


@pytest.mark.parametrize(("labeler", "protocol"), [("hard", "digits-hard"), ("soft", "digits-soft")])
def test_the_small_digits_have_their_own(cache: Cache, labeler: str, protocol: str) -> None:
    run = resolved(cache, "pca", labeler, dataset="digits")
    assert (run.names.dataset, run.protocol.id) == ("digits", protocol)
    assert resolved(cache, "pca", labeler, protocol=protocol).names.dataset == "digits"
