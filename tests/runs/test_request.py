"""Tests of rethinkdc.runs.request."""

from __future__ import annotations

import pytest

from rethinkdc.errors import RequestError
from rethinkdc.reference import Reference
from rethinkdc.runs.request import Request, read_overrides


def test_a_reference_among_overrides_is_the_text_that_a_file_says() -> None:
    given = read_overrides(["student.model=[convnet:width=16]", "training.batch=4", "proxy.clean=[1.0,0.5]"])
    request = Request("random", overrides=given)
    assert request.overrides == {"student.model": ["convnet:width=16"], "training.batch": 4, "proxy.clean": [1.0, 0.5]}
    within = {"training.views": [{"op": Reference(name="flip", values={})}]}
    assert Request("random", overrides=within).overrides == {"training.views": [{"op": "flip"}]}


@pytest.mark.parametrize("value", [object(), {1, 2}, [b"x"]])
def test_what_no_file_can_say_is_refused(value: object) -> None:
    with pytest.raises(RequestError, match=r"overrides\['training.batch'\] = .*: expected a number"):
        Request("random", overrides={"training.batch": value})
