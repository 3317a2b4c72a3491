"""An option is written once: the command line, the Python functions and studies have it by the same words."""

from __future__ import annotations

import inspect
import pydoc
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import typer.main

import rethinkdc as rdc
from rethinkdc.cli.main import COMMANDS, app
from rethinkdc.errors import RequestError
from rethinkdc.evidence.calls import CompareCall, ExplainCall, RobustCall
from rethinkdc.preparation.calls import PrepareCall
from rethinkdc.runs import calls
from rethinkdc.runs.options import Option, OptionField, Options, option_fields, part_of
from rethinkdc.runs.request import Request, read_overrides
from rethinkdc.studies.calls import SweepCall
from rethinkdc.studies.study import Study

CALLS: dict[str, type[Options]] = {
    "run": calls.RunCall,
    "compress": calls.CompressCall,
    "evaluate": calls.EvaluateCall,
    "export": calls.ExportCall,
    "inspect": calls.InspectCall,
    "score": calls.ScoreCall,
    "rows": calls.RowsCall,
    "trace": calls.TraceCall,
    "sweep": SweepCall,
    "compare": CompareCall,
    "explain": ExplainCall,
    "robust": RobustCall,
    "leaderboard": calls.LeaderboardCall,
    "parity": calls.ParityCall,
    "prepare": PrepareCall,
    "report": calls.ReportCall,
    "plot": calls.PlotCall,
    "verify": calls.VerifyCall,
}
# What only the command line has: where it writes what Python returns, what it prints, and how many runs it makes.
COMMAND_ONLY = {
    "run": {"seeds_text", "as_json"},
    "compress": {"as_json"},
    "evaluate": {"seeds_text", "as_json"},
    "export": {"as_json"},
    "inspect": {"as_json"},
    "score": {"out", "as_json"},
    "rows": {"out", "as_json"},
    "trace": {"as_json"},
    "sweep": {"plan", "detect", "as_json"},
    "compare": {"plan", "as_json"},
    "explain": {"plan", "as_json"},
    "robust": {"plan", "as_json"},
    "leaderboard": {"form", "wide", "students", "as_json"},
    "parity": {"form", "as_json"},
    "prepare": {"as_json"},
    "report": {"as_json"},
    "plot": {"listed", "as_json"},
    "verify": {"as_json"},
}
AXES = {
    "compressor": "compressors",
    "labeler": "labelers",
    "ipc": "ipc",
    "seed": "seeds",
    "overrides": "overrides",
    "setting": "axes",
}
"""Options of a run that a study lists, and what it calls them."""

EVERY = [(name, one) for name, call in CALLS.items() for one in option_fields(call)]
SHARED = [(name, one) for name, one in EVERY if not one.option.python_only]


def command_parameters(name: str) -> dict[str, Any]:
    # Which library's type a group is depends on the release of typer.
    group: Any = typer.main.get_command(app)
    return {parameter.name: parameter for parameter in group.commands[name].params if parameter.name}


PLAIN = {"hookimpl", "contact_sheet", "read_predictions", "read_sheet"}
"""Public functions that are no command."""


def test_every_public_function_takes_a_call_and_has_a_command() -> None:
    functions = {name for name in rdc.__all__ if inspect.isfunction(getattr(rdc, name))} - PLAIN
    assert set(CALLS) == functions
    assert set(COMMANDS) == functions | {
        "carry-out",
        "check-plugin",
        "completion",
        "docs",
        "doctor",
        "list-plugins",
        "list-protocols",
        "list-studies",
        "new-plugin",
        "new-protocol",
        "show",
    }


@pytest.mark.parametrize(("name", "one"), SHARED, ids=lambda value: getattr(value, "name", value))
def test_the_command_line_has_the_option_with_its_flags_help_and_default(name: str, one: OptionField) -> None:
    parameter = command_parameters(name)[one.name]
    words = [one.name] if one.option.argument else [one.flag, *filter(None, [one.option.short])]
    assert parameter.opts == words
    assert (parameter.help or "").startswith(one.option.help)
    assert parameter.required == (one.default is inspect.Parameter.empty)
    if isinstance(one.default, str | int):
        assert parameter.default == one.default
    else:
        assert not parameter.default


@pytest.mark.parametrize("name", CALLS)
def test_a_command_has_no_option_that_is_written_elsewhere(name: str) -> None:
    known = {one.name for one in option_fields(CALLS[name]) if not one.option.python_only}
    assert set(command_parameters(name)) == known | COMMAND_ONLY[name]


@pytest.mark.parametrize(("name", "one"), EVERY, ids=lambda value: getattr(value, "name", value))
def test_the_python_function_has_the_keyword_with_its_help_and_default(name: str, one: OptionField) -> None:
    function = getattr(rdc, name)
    assert inspect.signature(function).parameters[one.name].default == one.default
    assert f"    {one.name}: {one.option.help}" in (inspect.getdoc(function) or "").splitlines()


@pytest.mark.parametrize("one", option_fields(Request), ids=lambda one: one.name)
def test_a_study_has_the_key_with_its_default_or_lists_it(one: OptionField) -> None:
    keys = {field.name: field for field in fields(Study)}
    if one.name in AXES:
        assert AXES[one.name] in keys
        return
    field = keys[one.name]
    default = field.default if field.default_factory is MISSING else field.default_factory()
    assert default == one.default


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_keyword_names_the_public_function_and_the_nearest_option(name: str, tmp_path: Path) -> None:
    known = option_fields(CALLS[name])[-1].name
    with pytest.raises(RequestError) as caught:
        getattr(rdc, name)(**{f"{known}s": tmp_path})
    assert str(caught.value).startswith(f"rdc.{name} has no option '{known}s'. Did you mean ")
    assert f"'{known}'" in str(caught.value)


def test_an_option_that_is_missing_given_twice_or_too_much_is_refused_by_the_functions_name() -> None:
    wrong: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
        ("run", (), {}, "missing a required argument: 'compressor'"),
        ("run", ("pca",), {"compressor": "pca"}, "multiple values for argument 'compressor'"),
        ("run", ("pca", "hard", "digits"), {}, "too many positional arguments"),
        ("compress", ("pca",), {}, "missing a required argument: 'out'"),
    ]
    for name, given, options, message in wrong:
        with pytest.raises(RequestError, match=rf"^rdc\.{name}: {message}.*compressor: str"):
            getattr(rdc, name)(*given, **options)


def test_help_shows_parameters_and_what_they_mean() -> None:
    text = pydoc.plain(pydoc.render_doc(rdc.run))
    assert "run(compressor: str, labeler: str = 'hard', *, dataset: str | None = None" in text.replace("\n", "")
    assert text.index("Args:") < text.index("ipc: Images per class") < text.index("Raises:")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backing": "coded"}, "--backing coded: choose auto, decoded or encoded."),
        ({"seed": -1}, "--seed -1: a whole number of at least 0"),
        ({"seed": 1.5}, "--seed 1.5: a whole number"),
        ({"workers": -1}, "--workers -1"),
        ({"threads": 0}, "--threads 0: a whole number of at least 1"),
        ({"overrides": None}, "overrides = None: expected a table"),
    ],
)
def test_bounds_hold_in_python_too(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=message):
        rdc.run("random", records=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_a_request_is_the_part_of_a_call_that_makes_the_result() -> None:
    overrides = {"training.steps": 5}
    call = calls.RunCall("pca", "soft", ipc=3, seed=2, overrides=overrides, threads=2, force=True)
    request = part_of(call, Request)
    assert request == Request("pca", "soft", ipc=3, seed=2, overrides=overrides)
    assert request.seeds == rdc.Seeds.all(2)
    overrides["training.steps"] = 7
    assert request.overrides == {"training.steps": 5}


def test_overrides_are_read_by_the_grammar_of_references() -> None:
    read = read_overrides(["training.steps=5", "proxy.clean=[1.0]", "a.b=word"])
    assert read == {"training.steps": 5, "proxy.clean": [1.0], "a.b": "word"}


def test_every_option_says_what_it_is_in_one_sentence() -> None:
    for name, one in EVERY:
        assert isinstance(one.option, Option)
        assert one.option.help.endswith("."), (name, one.name)
        assert one.option.help[0].isupper() or one.name == "device", (name, one.name)
