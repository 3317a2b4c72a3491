"""The grammar of references, and what a method says of itself."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from rethinkdc.errors import RequestError
from rethinkdc.method import Method, OfKind, named_methods
from rethinkdc.reference import Reference, parse_reference, print_reference, print_value

KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    # Texts that read as something else unless they are quoted.
    st.sampled_from(
        ["true", "none", "3", "-1.5", "1e-5", "a=b", "a,b", "[x]", 'say "hi"', "back\\slash", "", "٣", " "]
    ),
)


def references(values: st.SearchStrategy[Any], *, bare: bool) -> st.SearchStrategy[Reference]:
    """References; inside a list one without parameters is written, and read, as a text."""
    pairs = st.dictionaries(KEYS, values, min_size=0 if bare else 1, max_size=3)
    return st.builds(lambda name, found: Reference(name=name, values=found), st.text(min_size=1, max_size=8), pairs)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(st.one_of(inner, references(inner, bare=False)), max_size=3),
    max_leaves=6,
)


def exact(value: Any) -> Any:
    """A form in which 1, 1.0 and True differ."""
    if isinstance(value, Reference):
        return (value.name, [(key, exact(item)) for key, item in value.values.items()])
    return [exact(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(references(VALUES, bare=True))
def test_what_is_printed_reads_as_the_same_reference(reference: Reference) -> None:
    text = print_reference(reference)
    assert exact(parse_reference(text)) == exact(reference)
    assert print_reference(parse_reference(text)) == text


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("pca", "pca", {}),
        ("pca:grid=3,fit=centre", "pca", {"grid": 3, "fit": "centre"}),
        ("m:a=1,b=1.0,c=1e-3,d=.5,e=-2,f=+4", "m", {"a": 1, "b": 1.0, "c": 0.001, "d": 0.5, "e": -2, "f": 4}),
        ("m:a=true,b=false,c=none", "m", {"a": True, "b": False, "c": None}),
        ('m:a="true",b="3",c="x, y"', "m", {"a": "true", "b": "3", "c": "x, y"}),
        ("m:a=[],b=[1],c=[[1,2],[3]]", "m", {"a": [], "b": [1], "c": [[1, 2], [3]]}),
        ("gvbsm:teachers=[resnet18,mobilenet_v2]", "gvbsm", {"teachers": ["resnet18", "mobilenet_v2"]}),
        ("m:net=timm/resnet18.a1_in1k", "m", {"net": "timm/resnet18.a1_in1k"}),
        ('"my folder":fold=1', "my folder", {"fold": 1}),
    ],
)
def test_a_reference_reads_as_the_grammar_says(text: str, name: str, values: dict[str, Any]) -> None:
    assert exact(parse_reference(text)) == exact(Reference(name=name, values=values))


def test_inside_brackets_a_pair_continues_the_reference_before_it() -> None:
    one = parse_reference("pca:score=[aum:space=prob,epoch=3],grid=3").values
    assert exact(one["score"]) == exact([Reference(name="aum", values={"space": "prob", "epoch": 3})])
    assert one["grid"] == 3
    two = parse_reference("mean:of=[aum:space=prob,el2n:observe=clean,random]").values["of"]
    assert exact(two) == exact(
        [Reference(name="aum", values={"space": "prob"}), Reference(name="el2n", values={"observe": "clean"}), "random"]
    )


@pytest.mark.parametrize(
    ("text", "wanted", "position", "found"),
    [
        ("", "a name", 1, "the end"),
        (":a=1", "a name", 1, "':'"),
        ("pca:", "a parameter's name", 5, "the end"),
        ("pca:grid", "'='", 9, "the end"),
        ("pca:grid=", "a value", 10, "the end"),
        ("pca:grid=3,", "a parameter's name", 12, "the end"),
        ("pca:grid=3 fit=centre", "the end", 11, "' '"),
        ("pca:score=[el2n", "',' or ']'", 16, "the end"),
        ("pca:score=el2n]", "the end", 15, "']'"),
        ('m:a="x', "a closing quote", 5, "'\"'"),
        ("m:a=b:c", "the end", 6, "':'"),
    ],
)
def test_an_error_says_what_was_expected_and_where(text: str, wanted: str, position: int, found: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_reference(text)
    assert f"expected {wanted} at character {position}, found {found}" in str(caught.value)
    assert "for example" in str(caught.value)


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(RequestError, match="'grid' twice"):
        parse_reference("pca:grid=2,grid=3")


def test_a_text_is_quoted_only_where_it_would_read_as_something_else() -> None:
    assert [print_value(text) for text in ("easy", "a/b", "x.y")] == ["easy", "a/b", "x.y"]
    assert [print_value(text) for text in ("3", "1e5", "none", "a b", "", "a\u00a0b")] == [
        '"3"',
        '"1e5"',
        '"none"',
        '"a b"',
        '""',
        '"a\u00a0b"',
    ]


def test_a_reference_field_takes_a_text_a_reference_or_a_list_of_one() -> None:
    wanted = Reference(name="el2n", values={"observe": "clean"})
    for given_ in ("el2n:observe=clean", wanted, [wanted], ["el2n:observe=clean"]):
        assert Reference.model_validate(given_) == wanted
    with pytest.raises(ValidationError):
        Reference.model_validate(["el2n", "random"])


def test_equal_references_have_equal_hashes_whatever_the_order_of_their_parameters() -> None:
    one, two = parse_reference("m:a=1,b=2"), parse_reference("m:b=2,a=1")
    assert one == two
    assert hash(one) == hash(two)


class Sample(Method):
    """Something with parameters.

    More of it.
    """

    kind: ClassVar[str] = "score"
    name: ClassVar[str] = "sample"

    needed: int = Field(description="has no default")
    rate: float = Field(default=0.5, ge=0, description="has one")
    sort: Literal["a", "b"] | None = Field(default="a", description="a choice")
    window: tuple[int, ...] = Field(default=(1, 2), description="a list")


def test_changed_gives_what_is_required_and_what_differs_from_its_default() -> None:
    assert Sample(needed=1).changed() == {"needed": 1}
    assert Sample(needed=1, rate=0.5, sort="a", window=(1, 2)).changed() == {"needed": 1}
    assert Sample(needed=1, window=(3,), sort=None).changed() == {"needed": 1, "sort": None, "window": (3,)}
    assert list(Sample(window=(3,), needed=1).changed()) == ["needed", "window"]


def test_a_method_is_frozen_and_refuses_unknown_wrong_and_infinite_values() -> None:
    made = Sample(needed=1)
    with pytest.raises(ValidationError):
        made.needed = 2  # type: ignore[misc]
    for wrong in (
        {"neded": 2},
        {"needed": 1, "rate": float("inf")},
        {"needed": 1, "rate": -1.0},
        {"needed": 1, "sort": "c"},
    ):
        with pytest.raises(ValidationError):
            Sample.model_validate(wrong)


def test_a_method_goes_through_json_unchanged() -> None:
    made = Sample(needed=3, window=(5, 6), sort=None)
    assert Sample.model_validate_json(made.model_dump_json()) == made


def test_the_summary_is_the_first_line() -> None:
    assert Sample.summary() == "Something with parameters."


class Naming(Method):
    """Names others."""

    kind: ClassVar[str] = "compressor"
    name: ClassVar[str] = "naming"

    size: int = 3
    score: Annotated[Reference, OfKind("score")] = Reference(name="el2n")
    teachers: Annotated[tuple[Reference, ...] | None, OfKind("teacher")] = None


def test_a_method_tells_what_its_fields_name() -> None:
    el2n, pair = Reference(name="el2n"), (Reference(name="trained"), Reference(name="timm", values={"id": "resnet18"}))
    assert list(Naming().references()) == [("score", "score", el2n), ("teachers", "teacher", None)]
    assert list(Naming(teachers=pair).references()) == [
        ("score", "score", el2n),
        ("teachers", "teacher", pair[0]),
        ("teachers", "teacher", pair[1]),
    ]
    assert list(Naming(teachers=()).references()) == [("score", "score", el2n)]
    assert Naming.naming_fields() == {"score": "score", "teachers": "teacher"}


def test_what_is_named_inside_what_is_named_is_found() -> None:
    inner = Naming(teachers=(Reference(name="trained"),))
    built = {"naming": inner, "el2n": Plain(), "trained": Plain()}
    outer = Naming(score=Reference(name="naming"))
    found = list(named_methods(outer, "teacher", lambda _, reference: built[reference.name]))
    assert found == [Reference(name="trained"), None]


class Plain(Method):
    """Names nothing."""

    kind: ClassVar[str] = "score"
    name: ClassVar[str] = "plain"
