"""What a study says: axes, sets made elsewhere, exclusions, studies within studies; read strictly, written back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.resolving import Run
from rethinkdc.seeds import Seeds
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.points import expand
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.study import Block, Exclusion, Included, Study
from rethinkdc.studies.writing import write_study

DIGITS = 'dataset = "digits"\n'


def write(folder: Path, text: str, name: str = "study.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def planned(folder: Path, text: str) -> list[Run]:
    return runs_of(load_study(write(folder, DIGITS + text)), "study.toml", Registry(), Cache(folder / "cache"))


def write_set(path: Path, ipc: int = 2, seed: int = 0) -> Path:
    """A set of the digits' size, as somebody else's program stores tensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draws = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (10 * ipc, 3, 8, 8), dtype=torch.uint8, generator=draws)
    save_file({"images": images, "labels": torch.arange(10).repeat_interleave(ipc)}, path)
    return path


# -- axes ----------------------------------------------------------------------------------------------------------


def test_protocols_students_and_overrides_are_axes(tmp_path: Path) -> None:
    text = """
compressors = ["random", "noise"]
protocols = ["digits-hard", "digits-hard"]
students = ["convnet:depth=2,width=8", "convnet:depth=2,width=16"]
overrides = [{}, { training.steps = 5 }]
seeds = [0, 1]
"""
    runs = planned(tmp_path, text)
    seen = [(run.names.student, run.protocol.modified, run.names.compressor, run.request.seeds.set) for run in runs]
    assert seen == [
        (student, modified, compressor, seed)
        for student in ("convnet:depth=2,width=8", "convnet:depth=2,width=16")
        for modified in (False, True)
        for compressor in ("random", "noise")
        for seed in (0, 1)
    ]
    assert [run.modified for run in runs] == [modified for _, modified, _, _ in seen]


def test_several_protocols_keep_their_order_and_their_own_runs(tmp_path: Path) -> None:
    text = 'compressors = ["random"]\nprotocols = ["digits-soft", "digits-hard"]\nlabelers = ["hard"]\n'
    text += (
        'exclude = [{ protocol = "digits-soft" }]\n[[runs]]\n[[runs]]\nprotocols = ["digits-soft"]\nlabelers = ["soft"]'
    )
    text = text.replace(
        'exclude = [{ protocol = "digits-soft" }]', 'exclude = [{ protocol = "digits-soft", labeler = "hard" }]'
    )
    assert [(run.names.protocol, run.names.labeler) for run in planned(tmp_path, text)] == [
        ("digits-hard v1", "hard"),
        ("digits-soft v1", "soft"),
    ]


@pytest.mark.parametrize(
    ("top", "block"),
    [
        ('protocols = ["digits-hard", "digits-soft"]', 'protocol = "digits-hard"'),
        ('protocol = "digits-soft"', 'protocols = ["digits-hard"]'),
        ('students = ["convnet:width=8"]\nprotocol = "digits-soft"', 'student = "convnet"\nprotocol = "digits-hard"'),
        ("ipc = [1, 2]", "keep = [0.1]"),
        ("overrides = [{}, { training.steps = 3 }]", "overrides = {}"),
    ],
)
def test_what_a_block_says_of_an_axis_replaces_the_studys_in_either_spelling(
    tmp_path: Path, top: str, block: str
) -> None:
    runs = planned(tmp_path, f'compressors = ["random"]\n{top}\n[[runs]]\n{block}')
    alone = planned(tmp_path, f'compressors = ["random"]\n{block}')
    assert [run.key for run in runs] == [run.key for run in alone]


def test_one_table_of_overrides_is_the_list_of_it(tmp_path: Path) -> None:
    one = planned(tmp_path, 'compressors = ["random"]\n[overrides]\ntraining.steps = 5')
    several = planned(tmp_path, 'compressors = ["random"]\noverrides = [{ "training.steps" = 5 }]')
    assert [run.key for run in one] == [run.key for run in several]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('protocol = "a"\nprotocols = ["b"]', "give either protocol = 'a' or protocols = ['b'], not both"),
        ('students = ["a"]\nstudent = "b"', "give either student = 'b' or students = ['a'], not both"),
        ("protocols = []", r"line 3: protocols = \[\]: expected at least 1"),
        ("overrides = [3]", r"line 3: overrides\[0\] = 3: expected a table"),
        ("overrides = 3", "line 3: overrides = 3: expected a table or a list, each a table"),
        ("exclude = [{}]", r"line 3: exclude\[0\] = a table: an entry without a value would leave every run out"),
        ("exclude = [{ ipcs = 1 }]", r"line 3: exclude\[0\]\.ipcs = 1: no such field. Did you mean 'ipc'"),
        ("reported = 3", "line 3: reported = 3: expected a text"),
        ('reported = "nowhere.toml"', "line 3: reported = 'nowhere.toml': Cannot read the file of published values"),
        ("include = [3]", "line 3: include: expected a list of texts"),
        ('include = ["digits-smal"]', r"line 3: include\[0\] = 'digits-smal': Unknown study 'digits-smal'.*'digits-sm"),
    ],
)
def test_a_wrong_value_is_told_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, f'{DIGITS}compressors = ["random"]\n{text}')
    with pytest.raises(RequestError, match=said.replace("['", r"\['").replace("']", r"'\]")) as caught:
        load_study(path)
    assert f"{path}, line " in str(caught.value)


def test_all_faults_of_a_study_are_told_at_once(tmp_path: Path) -> None:
    text = 'compressors = ["pcaa", "random"]\nlabelers = ["hard", "herd"]\nseeds = [0, 1]\n'
    text += 'exclude = [{ compressor = "noise" }]'
    with pytest.raises(RequestError) as caught:
        planned(tmp_path, text)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "entry 1 of exclude: no run has compressor = 'noise'" in lines[0]
    assert "compressor 'pcaa', labeler 'hard': Unknown compressor 'pcaa'" in lines[1]
    assert "(So have 3 more runs.)" in lines[1]
    assert "compressor 'random', labeler 'herd': Unknown labeler 'herd'" in lines[2]


# -- exclusions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ('compressor = "select:score=el2n,direction=easy"', 4),
        ('compressor = "random", ipc = 1', 6),
        ("ipc = 2, seed = 1", 6),
        ('seed = "student=0"', 4),
        ('labeler = "hard", compressor = "random"', 4),
        ('overrides = { "training.steps" = 5 }, ipc = 1', 4),
    ],
)
def test_a_run_with_all_the_values_of_an_entry_is_left_out(tmp_path: Path, entry: str, left: int) -> None:
    text = (
        'compressors = ["random", "el2n:direction=easy"]\nipc = [1, 2]\nseeds = [0, 1]\noverrides.training.steps = 5\n'
    )
    assert len(planned(tmp_path, text)) == 8
    runs = planned(tmp_path, f"exclude = [{{ {entry} }}]\n{text}")
    assert len(runs) == left


@pytest.mark.parametrize(
    "entry", ['compressor = "noise"', "ipc = 3", 'protocol = "digits-hard"', 'student = "convnet"', "keep = 0.5"]
)
def test_an_entry_that_leaves_nothing_out_is_an_error(tmp_path: Path, entry: str) -> None:
    key, _, value = entry.partition(" = ")
    with pytest.raises(RequestError, match=f"entry 1 of exclude: no run has {key} = {value}".replace('"', "'")):
        planned(tmp_path, f'compressors = ["random"]\nipc = [1]\nexclude = [{{ {entry} }}]')


# -- sets made elsewhere -------------------------------------------------------------------------------------------


def test_a_set_stands_where_a_compressor_stands(tmp_path: Path) -> None:
    write_set(tmp_path / "sets" / "theirs.safetensors")
    text = 'compressors = ["random", "sets/theirs.safetensors"]\nipc = [2]\nseeds = [0, 1]'
    runs = planned(tmp_path, text)
    assert [(run.names.compressor, run.names.ipc, run.seeds.set) for run in runs] == [
        ("random", "2", 0),
        ("random", "2", 1),
        ("theirs", "2", 0),
        ("theirs", "2", 1),
    ]
    assert len({run.key for run in runs}) == 4
    assert [run.awaits_set for run in runs] == [False] * 4


def test_a_table_says_of_a_set_what_its_file_does_not(tmp_path: Path) -> None:
    save_file({"images": torch.rand(20, 3, 8, 8)}, tmp_path / "res.safetensors")
    save_file({"labels": torch.arange(10).repeat(2)}, tmp_path / "y.safetensors")
    text = 'compressors = [{ set = "res.safetensors", name = "DC", labels = "y.safetensors", mean = [0.0, 0.0, 0.0],'
    (run,) = planned(tmp_path, f"{text} std = [1.0, 1.0, 1.0] }}]")
    assert run.names.compressor == "DC"
    assert run.finished
    assert run.finished.labels == tmp_path / "y.safetensors"
    assert run.finished.mean == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('"sets/none.pt"', "there is no file or folder .*sets/none.pt"),
        ('"./none"', "there is no file or folder .*none"),
        ('"a/b/c"', "no method, since no distribution a/b with plugins is installed, and no set, since there is no"),
        ('{ name = "DC" }', r"compressors\[0\].set is missing: expected a text"),
        ('{ set = "./here", means = [0.1] }', r"compressors\[0\].means .*Did you mean 'mean'"),
        ('""', r"compressors\[0\] = ''"),
    ],
)
def test_what_is_neither_a_method_nor_a_set_is_told_by_both_readings(tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(RequestError, match=said):
        load_study(write(tmp_path, f"{DIGITS}compressors = [{entry}]"))


def test_a_bare_word_is_a_method_also_beside_a_folder_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "random").mkdir()
    assert load_study(write(tmp_path, 'compressors = ["random", "rethinkdc/random"]')).compressors == (
        "random",
        "rethinkdc/random",
    )
    with pytest.raises(
        RequestError, match=r"Unknown compressor 'theirs'.*finished set, write its path, as in './theirs'"
    ):
        planned(tmp_path, 'compressors = ["theirs"]')


def test_a_set_of_another_size_than_listed_is_told(tmp_path: Path) -> None:
    write_set(tmp_path / "theirs.safetensors", ipc=3)
    with pytest.warns(UserWarning, match=r"the set theirs has 3 images per class; ipc lists 1, 2\. It stands"):
        runs = planned(tmp_path, 'compressors = ["theirs.safetensors"]\nipc = [1, 2]')
    assert [run.names.ipc for run in runs] == ["3"]


def test_a_set_is_run_once_for_each_seed_that_it_depends_on(tmp_path: Path) -> None:
    write_set(tmp_path / "theirs.safetensors")
    text = 'compressors = ["random", "theirs.safetensors"]\n'
    seeds = [run.seeds for run in planned(tmp_path, text + 'seeds = "set=0,1,2"')]
    assert seeds == [Seeds(), Seeds(set=1), Seeds(set=2), Seeds()]
    assert len(planned(tmp_path, text + 'seeds = "student=0,1,2"')) == 6


def test_a_set_that_is_known_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_set(tmp_path / "theirs.safetensors")
    text = 'compressors = ["theirs.safetensors"]'
    first = planned(tmp_path, text)

    def refuse(*_: object) -> None:
        raise AssertionError("the set is read again")

    with monkeypatch.context() as patched:
        patched.setattr("rethinkdc.runs.identity.open_set", refuse)
        assert [run.key for run in planned(tmp_path, text)] == [run.key for run in first]
    write_set(path, seed=1)
    assert [run.key for run in planned(tmp_path, text)] != [run.key for run in first]


def test_a_set_of_the_hub_that_is_not_here_awaits_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hub"))
    runs = planned(tmp_path, 'compressors = ["someone/their-set", "someone/other-set", "random"]\nipc = [1]')
    assert [(run.names.compressor, run.awaits_set) for run in runs] == [
        ("their-set", True),
        ("other-set", True),
        ("random", False),
    ]
    with pytest.raises(RequestError, match="takes hard labels; the labeler soft"):
        planned(tmp_path, 'compressors = ["someone/their-set"]\nlabelers = ["soft"]\nprotocol = "digits-hard"')


def test_a_set_can_be_left_out(tmp_path: Path) -> None:
    write_set(tmp_path / "theirs.safetensors")
    text = 'compressors = ["random", "theirs.safetensors"]\nipc = [2]\nseeds = [0, 1]\n'
    left = planned(tmp_path, text + 'exclude = [{ compressor = "./theirs.safetensors", seed = 1 }]')
    assert [(run.names.compressor, run.seeds.set) for run in left] == [("random", 0), ("random", 1), ("theirs", 0)]


# -- studies within studies ----------------------------------------------------------------------------------------


def test_included_runs_come_first_under_their_own_values(tmp_path: Path) -> None:
    write(tmp_path, 'dataset = "digits:fold=1"\ncompressors = ["noise"]\nipc = [3]', "more/inner.toml")
    text = 'include = ["more/inner.toml"]\ncompressors = ["random"]\nipc = [1]'
    assert [(run.names.compressor, run.names.ipc, run.names.dataset) for run in planned(tmp_path, text)] == [
        ("noise", "3", "digits:fold=1"),
        ("random", "1", "digits"),
    ]
    study = load_study(write(tmp_path, DIGITS + text)).replaced(dataset="digits:fold=2", seeds="4")
    runs = runs_of(study, "study", Registry(), Cache(tmp_path / "cache"))
    assert {(run.names.dataset, run.seeds.set) for run in runs} == {("digits:fold=2", 4)}


def test_a_run_that_two_studies_ask_for_is_run_once_and_may_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, f'{DIGITS}compressors = ["random", "noise"]\nipc = [1]', "inner.toml")
    text = 'include = ["inner.toml", "inner.toml"]\ncompressors = ["random"]\nipc = [1]'
    assert [run.names.compressor for run in planned(tmp_path, text)] == ["random", "noise"]
    text = f'exclude = [{{ compressor = "random" }}]\n{text}'
    assert [run.names.compressor for run in planned(tmp_path, text)] == ["noise"]


def test_a_study_may_only_include_others(tmp_path: Path) -> None:
    assert [run.key for run in planned(tmp_path, 'include = ["digits-small"]')] == [
        run.key for run in runs_of(load_study("digits-small"), "", Registry(), Cache(tmp_path / "cache"))
    ]


def test_a_study_that_many_include_is_read_and_expanded_once(tmp_path: Path) -> None:
    """Each doubles the ways to the innermost: by each way, this would take years."""
    write(tmp_path, 'compressors = ["noise", "random"]\nipc = [1]', "0.toml")
    for depth in range(1, 40):
        write(tmp_path, f'include = ["{depth - 1}.toml", "{depth - 1}.toml"]', f"{depth}.toml")
    study = load_study(tmp_path / "39.toml").replaced(dataset="digits")
    assert [point.compressor for point in expand(study, "it", Registry()).points] == ["noise", "random"]
    write(tmp_path, 'include = ["0.toml"]\nexclude = [{ compressor = "noise" }]', "less.toml")
    study = load_study(write(tmp_path, 'include = ["less.toml", "39.toml"]'))
    assert {point.compressor for point in expand(study, "it", Registry()).points} == {"noise", "random"}


def test_a_circle_of_studies_is_refused_with_its_chain(tmp_path: Path) -> None:
    write(tmp_path, 'include = ["b.toml"]', "a.toml")
    write(tmp_path, 'include = ["c.toml"]', "b.toml")
    write(tmp_path, 'include = ["b.toml"]', "c.toml")
    with pytest.raises(RequestError, match=r"b\.toml includes c\.toml includes b\.toml"):
        load_study(tmp_path / "a.toml")


def test_a_protocol_beside_the_study_is_found_from_anywhere(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "protocols" / "digits-hard.toml"
    write(tmp_path, shipped.read_text().replace('id = "digits-hard"', 'id = "mine"'), "mine.toml")
    (run,) = planned(tmp_path, 'compressors = ["random"]\nprotocol = "mine.toml"')
    assert run.protocol.id == "mine"


# -- written -------------------------------------------------------------------------------------------------------

names = st.sampled_from(["random", "pca:grid=3", "el2n:direction=easy", 'rows:path="a \\" b.csv"'])
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
lists = {
    "labelers": st.lists(texts, min_size=1, max_size=3).map(tuple),
    "protocols": st.lists(texts.filter(lambda text: not text.endswith(".toml")), min_size=1, max_size=2).map(tuple),
    "students": st.lists(texts, min_size=1, max_size=2).map(tuple),
    "ipc": st.lists(st.integers(1, 500), min_size=1, max_size=2).map(tuple),
    "keep": st.lists(st.floats(0.001, 1), min_size=1, max_size=2).map(tuple),
    "seeds": st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple) | st.just("student=0,1"),
    "overrides": st.lists(
        st.dictionaries(texts, st.integers() | st.floats(allow_nan=False) | st.booleans() | texts, max_size=2),
        min_size=1,
        max_size=2,
    ).map(tuple),
}
sets = st.builds(
    StudySet,
    set=st.sampled_from(["/", "someone/their-set"]),
    name=st.none() | texts,
    mean=st.none() | st.just((0.5, 0.4, 0.3)),
    experiment=st.none() | st.integers(0, 3),
    student_lr=st.none() | st.just(0.01) | st.just(Path("/lr.pt")),
)
blocks: dict[str, Any] = {"compressors": st.lists(names | sets, min_size=1, max_size=3).map(tuple), **lists}
studies = st.builds(
    Study,
    title=st.text(max_size=5),
    dataset=st.none() | texts,
    tune=st.booleans(),
    runs=st.lists(st.builds(Block, **{name: st.none() | each for name, each in blocks.items()}), max_size=2).map(tuple),
    exclude=st.lists(st.builds(Exclusion, compressor=names, ipc=st.none() | st.integers(1, 9)), max_size=2).map(tuple),
    **{**blocks, "keep": st.none() | lists["keep"]},
)


@settings(max_examples=60, deadline=None)
@given(study=studies)
def test_a_study_reads_back_as_it_was_written(study: Study, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.mktemp("written"), write_study(study))
    assert load_study(path) == study


def test_a_written_study_means_the_same_in_another_folder(tmp_path: Path) -> None:
    write_set(tmp_path / "there" / "theirs.safetensors")
    write(tmp_path / "there", f'{DIGITS}compressors = ["noise"]', "inner.toml")
    text = (
        'include = ["inner.toml", "digits-small"]\ncompressors = ["random", "theirs.safetensors"]\n[[runs]]\nipc = [2]'
    )
    first = load_study(write(tmp_path / "there", DIGITS + text))
    assert isinstance(first.include[0], Included)
    assert load_study(write(tmp_path / "elsewhere", write_study(first))) == first


def test_what_toml_has_no_word_for_is_refused() -> None:
    with pytest.raises(RequestError, match="None cannot be written in TOML"):
        write_study(Study(compressors=("random",), overrides={"teacher": None}))


def test_a_study_that_excludes_all_its_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="exclude leaves no run"):
        planned(tmp_path, 'compressors = ["random"]\nipc = [1]\nexclude = [{ ipc = 1 }]')
