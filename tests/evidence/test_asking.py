"""Questions as studies: what is run, in which order, what is shared, and what is refused; nothing is trained here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import rethinkdc as rdc
from rethinkdc.compressed import export_folder, read_set, set_of_tensors
from rethinkdc.errors import RequestError
from rethinkdc.evidence.calls import CompareCall, ExplainCall, read_students
from rethinkdc.evidence.comparing import Entrant, ask_comparison
from rethinkdc.evidence.corners import CORNERS, Corner
from rethinkdc.evidence.explaining import ask_explanation
from rethinkdc.evidence.explanation import EMPTY, FULL
from rethinkdc.evidence.question import Question
from rethinkdc.evidence.subjects import LEARNED
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.reading import load_study


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    where = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}
    return {**where, "dataset": "digits", "out": tmp_path / "question"}


def runner_of(call: ExplainCall | CompareCall) -> Runner:
    return make_runner(call, call)


def finished(tmp_path: Path, *, learned: bool) -> Path:
    draws = torch.Generator().manual_seed(17)
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=draws)
    labels = torch.randn((20, 10), generator=draws) if learned else None
    made = set_of_tensors(images, torch.arange(10).repeat(2), soft_targets=labels)
    export_folder(made, tmp_path / "made", size=8)
    return tmp_path / "made"


def ask(kind: type[ExplainCall] | type[CompareCall], values: dict[str, Any]) -> Question[Any]:
    call = kind(**values)
    return (
        ask_explanation(call, runner_of(call))
        if isinstance(call, ExplainCall)
        else ask_comparison(call, runner_of(call))
    )


def keys(runs: tuple[Run, ...]) -> list[str]:
    return [run.key for run in runs]


def test_corners_differ_in_their_switches_alone(place: dict[str, Any]) -> None:
    call = ExplainCall("pca:grid=1", ipc=2, seeds=2, **place)
    parts = ask_explanation(call, runner_of(call)).parts
    assert set(parts) == {*CORNERS, "random", "shuffled"}
    definitions = {corner: parts[corner][0].definition for corner in CORNERS}
    plain = definitions[FULL]
    soft = {"labeler": plain.labeler, "labeler_teachers": plain.labeler_teachers}
    assert len({definition.key for definition in definitions.values()}) == 8
    for corner, definition in definitions.items():
        run = parts[corner][0]
        same = {
            **({} if corner.images == "own" else {"compressor": plain.compressor}),
            **(soft if corner.labels == "hard" else {}),
            "semantics": plain.semantics,
            "protocol": plain.protocol,
        }
        assert definition.model_copy(update=same) == plain
        assert run.protocol.overrides == dict(corner.overrides)
        assert run.protocol.training.model_copy(update={"fixed_views": False}) == parts[FULL][0].protocol.training
        assert run.labeler.track == ("online" if corner.labels == "soft" else "hard")
        assert run.modified == (corner.labels == "hard" or corner.views == "fixed")
    assert [run.seeds.set for run in parts[EMPTY]] == [0, 1]


def test_what_is_on_record_already_and_noise_of_another_method_is_shared(place: dict[str, Any]) -> None:
    """The corner with everything on is the plain run; corners of noise are those of every method of this budget."""
    one = ExplainCall("pca:grid=1", ipc=2, seeds="1", **place)
    other = ExplainCall("random", ipc=2, seeds="1", **place)
    first, second = (ask_explanation(call, runner_of(call)).parts for call in (one, other))
    noise = [corner for corner in CORNERS if corner.images == "noise"]
    assert all(keys(first[corner]) == keys(second[corner]) for corner in noise)
    assert keys(first["random"]) == keys(second[FULL])


def test_the_study_that_is_written_asks_for_the_same_runs(place: dict[str, Any]) -> None:
    explain = ExplainCall("random", ipc=2, seeds=2, **place)
    compare = CompareCall(["noise", "random"], ipc=2, seeds=2, **place)
    runner = runner_of(explain)
    questions: list[Question[Any]] = [ask_explanation(explain, runner), ask_comparison(compare, runner)]
    for question in questions:
        read = load_study(question.write())
        swept = runs_of(read, "study", runner.registry, runner.cache)
        assert {run.key for run in swept} == {run.key for run in question.runs}


def test_the_first_seed_of_all_comes_before_the_second_and_an_answer_before_its_surroundings(
    place: dict[str, Any],
) -> None:
    call = CompareCall(["noise", "pca:grid=1"], labeler="soft", ipc=2, seeds="3,5", **place)
    runs = ask_comparison(call, runner_of(call)).runs
    assert [(run.names.compressor, run.seeds.set) for run in runs] == [
        ("random", 3),
        ("pca:grid=1", 3),
        ("random", 5),
        ("pca:grid=1", 5),
        ("noise", 3),
        ("full", 3),
        ("noise", 5),
        ("full", 5),
    ]


def test_the_full_set_is_trained_for_as_many_steps_and_noise_only_beside_soft_labels(place: dict[str, Any]) -> None:
    call = CompareCall(["pca:grid=1"], ipc=2, seeds=1, students=("convnet", "convnet:depth=2"), **place)
    parts = ask_comparison(call, runner_of(call)).parts
    assert Entrant("noise", "noise", "convnet") not in parts
    assert [part.role for part in parts] == ["random", "method", "full"] * 2
    (full,) = parts[Entrant("full", "full", "convnet:depth=2")]
    assert full.protocol.full_at_ipc == 2
    assert full.modified
    assert full.ipc is None
    assert full.names.student != parts[Entrant("full", "full", "convnet")][0].names.student


def test_a_finished_set_is_explained_under_a_soft_protocol_of_its_data(tmp_path: Path, place: dict[str, Any]) -> None:
    rdc.compress("random", tmp_path / "set", ipc=2, dataset="digits", cache_dir=tmp_path / "cache", device="cpu")
    call = ExplainCall(str(tmp_path / "set"), seeds=2, **{**place, "dataset": None})
    parts = ask_explanation(call, runner_of(call)).parts
    assert parts[FULL][0].protocol.id == "digits-soft"
    assert parts[FULL][0].ipc == parts[EMPTY][0].ipc == 2


def test_learned_labels_go_with_noise_that_bears_them(tmp_path: Path, place: dict[str, Any]) -> None:
    call = ExplainCall(str(finished(tmp_path, learned=True)), seeds=2, **place)
    parts = ask_explanation(call, runner_of(call)).parts
    assert set(parts) == set(CORNERS), "random and shuffled have no such labels"
    assert {run.names.labeler for run in parts[FULL]} == {LEARNED}
    noise = read_set(place["out"] / "noise-set")
    own = read_set(tmp_path / "made")
    assert noise.soft_targets is not None
    assert own.soft_targets is not None
    assert torch.equal(noise.soft_targets, own.soft_targets)
    assert torch.equal(noise.targets, own.targets)
    assert not torch.equal(noise.canvases(torch.arange(20), 8), own.canvases(torch.arange(20), 8))
    # The same noise again: a question that is asked twice finds its records.
    again = ask_explanation(call, runner_of(call)).parts
    assert keys(again[Corner("noise", "soft", "new")]) == keys(parts[Corner("noise", "soft", "new")])


@pytest.mark.parametrize(
    ("call", "values", "said"),
    [
        (ExplainCall, {"method": "pca", "labeler": "hard"}, "explain sets soft labels against hard ones"),
        (ExplainCall, {"method": "full"}, "need so many images of each class"),
        (ExplainCall, {"method": "pcaa"}, "Did you mean 'pca'"),
        (ExplainCall, {"method": "pca", "protocol": "digits-hard"}, "digits-hard takes hard labels"),
        (ExplainCall, {"method": "pca", "seeds": "0"}, "one set at least"),
        (ExplainCall, {"method": "pca", "seeds": "a,b"}, "expected how many sets, such as 5"),
        (CompareCall, {"methods": []}, "compare needs a method or a set"),
        (CompareCall, {"methods": ["full"]}, "compare needs a method that makes sets"),
        (CompareCall, {"methods": ["pca"], "labeler": "sooft"}, "Did you mean 'soft'"),
    ],
)
def test_what_cannot_be_asked_is_refused(place: dict[str, Any], call: Any, values: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        ask(call, {**values, **place})


def test_methods_take_the_size_of_a_set_that_they_are_compared_with(tmp_path: Path, place: dict[str, Any]) -> None:
    call = CompareCall(["pca:grid=1", str(finished(tmp_path, learned=False))], seeds=1, **place)
    parts = ask_comparison(call, runner_of(call)).parts
    assert [(str(part), part.role, runs[0].ipc) for part, runs in parts.items()] == [
        ("random", "random", 2),
        ("pca:grid=1", "method", 2),
        ("made", "method", 2),
        ("full", "full", None),
    ]


def test_sets_of_different_sizes_are_not_compared(tmp_path: Path, place: dict[str, Any]) -> None:
    call = CompareCall([str(finished(tmp_path, learned=False)), "random"], ipc=5, seeds=1, **place)
    with pytest.raises(RequestError, match=r"one number of images per class: made has 2, random has 5"):
        ask_comparison(call, runner_of(call))


@pytest.mark.parametrize(("seeds", "numbers"), [(5, (0, 1, 2, 3, 4)), ("2", (0, 1)), ("4,7", (4, 7)), ("7,", (7,))])
def test_seeds_are_a_number_of_sets_or_a_list(seeds: Any, numbers: tuple[int, ...]) -> None:
    assert ExplainCall("pca", seeds=seeds).numbers == numbers


def test_one_method_is_no_list_of_letters_and_a_list_is_copied() -> None:
    methods = ["pca"]
    call = CompareCall(methods)
    methods.append("random")
    assert call.methods == CompareCall("pca").methods == ("pca",)


def test_students_are_listed_with_commas_but_for_those_in_brackets() -> None:
    assert read_students("convnet, timm/resnet18") == ("convnet", "timm/resnet18")
    assert read_students("[convnet:depth=2,width=8],resnet-light") == ("[convnet:depth=2,width=8]", "resnet-light")
