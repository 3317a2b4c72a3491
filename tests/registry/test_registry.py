"""Finding methods, and saying what is wrong when there is none."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path

import pytest

from rethinkdc.code import read_code
from rethinkdc.contracts import Labeler, Score
from rethinkdc.contracts.hooks import GROUP
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema
from rethinkdc.errors import PluginError, RequestError
from rethinkdc.layouts.file_datasets import FolderDataset, HubDataset
from rethinkdc.method import Method
from rethinkdc.pruning.selector import Selector
from rethinkdc.reference import Reference, parse_reference
from rethinkdc.registry.registry import Registry

Install = Callable[..., Registry]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Adds distributions of one module each: name of the entry point = source of the module."""
    monkeypatch.syspath_prepend(tmp_path)

    def installed(**packages: tuple[str, str]) -> Registry:
        points: list[EntryPoint] = list(entry_points(group=GROUP))
        for package, (point, source) in packages.items():
            distribution = package.replace("_", "-")
            monkeypatch.delitem(sys.modules, package, raising=False)
            (tmp_path / f"{package}.py").write_text("from typing import *\n" + textwrap.dedent(source))
            info = tmp_path / package / f"{package}-2.5.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.5\n")
            (info / "entry_points.txt").write_text(f"[{GROUP}]\n{point} = {package}\n")
            points += [one for found in distributions(path=[str(tmp_path / package)]) for one in found.entry_points]
        return Registry(points)

    return installed


def test_the_code_of_a_third_party_is_part_of_what_defines_it_and_of_the_frameworks_own_a_mark(
    install: Install, registry: Registry
) -> None:
    """A default that changed under the same revision would otherwise meet what was made before."""
    assert "code" not in registry.definition(registry.build("compressor", "random"))
    source = compressor("mine-one", "n: int = Field(1, description='x')")
    made = install(my_place=("mine-one", source))
    method = made.build("compressor", "mine-one")
    (code,) = made.codes([method])
    assert made.definition(method)["code"] == code.digest
    assert (code.method, code.distribution, code.version) == ("compressor mine-one", "my-place", "2.5")
    assert code.parameters == {"n": 1}
    for changed, same in ((f"# A word.\n{source}", True), (source.replace("Field(1", "Field(2"), False)):
        Path(code_file(method)).write_text("from typing import *\n" + changed)
        # What is in memory is what this process does.
        assert made.codes([method])[0].digest == code.digest
        assert (read_code(EntryPoint("mine-one", "my_place", GROUP)).digest == code.digest) is same
    (nested, outer) = registry.codes([registry.build("compressor", "select:score=el2n,direction=easy")])[::-1]
    assert {nested.method, outer.method} == {"score el2n", "compressor select"}


def code_file(method: Method) -> str:
    return str(sys.modules[type(method).__module__].__file__)


def compressor(name: str, fields: str = "") -> str:
    return f"""
from pydantic import Field
from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Compressor
from rethinkdc.contracts import hookimpl

class Mine(Compressor):
    \"\"\"A third party's.\"\"\"
    name: ClassVar[str] = "{name}"
    {fields}

@hookimpl
def register_methods():
    return [Mine]
"""


SCORE = """
from rethinkdc.contracts import Score
from rethinkdc.contracts import hookimpl

class Mine(Score):
    name: ClassVar[str] = "el2n"

@hookimpl
def register_methods():
    return [Mine]
"""

MODEL = """
from torch import nn
from rethinkdc.contracts import hookimpl
from rethinkdc.models import Model

class Mine(Model):
    name: ClassVar[str] = "convnet"

    def build(self, classes, size):
        return nn.Linear(3 * size * size, classes)

@hookimpl
def register_methods():
    return [Mine]
"""

LISTENER = """
from rethinkdc.contracts import hookimpl

@hookimpl
def run_started(definition):
    1 / 0
"""


# -- references --------------------------------------------------------------------------------------------------------


def test_a_scores_name_is_the_compressor_that_selects_by_it(registry: Registry) -> None:
    short = registry.build("compressor", "el2n:direction=easy,observe=clean,balance=none")
    long = registry.build("compressor", "select:score=[el2n:observe=clean],direction=easy,balance=none")
    assert short == long
    assert registry.definition(short) == registry.definition(long)
    assert registry.label(long) == "el2n:observe=clean,direction=easy,balance=none"
    assert registry.build("compressor", registry.label(long)) == long


def test_a_score_that_shares_its_name_with_a_compressor_is_selected_by_the_long_form(registry: Registry) -> None:
    assert registry.build("compressor", "random").name == "random"
    long = registry.build("compressor", "select:score=random,direction=easy")
    assert registry.label(long) == "select:score=random,direction=easy"


@pytest.mark.parametrize("text", ["el2n", "select:score=el2n", "combine:select=el2n"])
def test_a_selection_without_direction_is_an_error(registry: Registry, text: str) -> None:
    with pytest.raises(RequestError, match="needs the parameter 'direction'"):
        registry.build("compressor", text)


@pytest.mark.parametrize(
    ("one", "other", "printed"),
    [
        ("pca:grid=2,score=el2n,direction=easy", "pca", "pca"),
        ("pca:grid=3,score=[el2n:repeats=1]", "pca:score=el2n,grid=3", "pca:grid=3"),
        ("pca:scale=[0.5,1],grid=3", "pca:grid=3,scale=[0.5,1.0]", "pca:grid=3,scale=[0.5,1.0]"),
        (
            "pca:score=[el2n:repeats=2,epochs=3]",
            "pca:score=[el2n:epochs=3,repeats=2]",
            "pca:score=[el2n:epochs=3,repeats=2]",
        ),
        (
            "combine:select=[select:score=el2n,direction=easy]",
            "combine:select=[el2n:direction=easy]",
            "combine:select=[el2n:direction=easy]",
        ),
    ],
)
def test_two_spellings_of_one_method_have_one_printed_form_and_one_definition(
    registry: Registry, one: str, other: str, printed: str
) -> None:
    first, second = (registry.build("compressor", text) for text in (one, other))
    assert registry.label(first) == registry.label(second) == printed
    assert registry.definition(first) == registry.definition(second)
    assert registry.build("compressor", printed) == first


def test_a_changed_parameter_of_a_nested_method_changes_the_definition(registry: Registry) -> None:
    texts = [
        "pca",
        "pca:score=random",
        "pca:score=[el2n:epochs=1]",
        "pca:score=[el2n:epochs=1.0]",
        "pca:score=[el2n:epochs=2]",
    ]
    definitions = [str(registry.definition(registry.build("compressor", text))) for text in texts]
    assert len(set(definitions)) == len(texts)


def test_models_of_timm_and_torchvision_print_as_they_are_named(registry: Registry) -> None:
    for name in ("timm/resnet18", "torchvision/resnet18"):
        model = registry.build("model", name)
        assert registry.label(model) == name
        assert registry.build("model", registry.label(model)) == model


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("compressor", "randon", "Unknown compressor 'randon'. Did you mean 'random'"),
        ("compressor", "el2m:direction=easy", "Did you mean 'el2n'"),
        ("score", "elln", "Unknown score 'elln'. Did you mean 'el2n'"),
        ("labeler", "softt", "Unknown labeler 'softt'. Did you mean 'soft'"),
        ("model", "resnet-lite", "Did you mean 'resnet-light'"),
        ("model", "timm/resnet1818", "Did you mean 'timm/resnet18"),
        ("dataset", "cifar11", "Did you mean 'cifar10'"),
        ("dataset", "./nowhere", "No such dataset folder: ./nowhere"),
        ("compressor", "pca:gird=3", "pca has no parameter 'gird'. Did you mean 'grid'"),
        ("compressor", "pca:grid=0", "pca: grid = 0 is not valid"),
        ("compressor", "pca:grid=two", "grid = 'two' is not valid"),
        ("compressor", "pca:scale=[0.5,2]", "pca: scale.1 = 2 is not valid: Input should be less than or equal to 1."),
        ("compressor", "pca:scale=[0.9,0.1]", "scale = [0.9, 0.1] is not valid: a range is (smallest, largest);"),
        ("compressor", "pca:score=el2", "Unknown score 'el2'. Did you mean 'el2n'"),
        ("compressor", "pca:score=[el2n:repeats=0]", "el2n: repeats = 0 is not valid"),
        ("compressor", "el2n:direction=simple", "direction = 'simple' is not valid"),
        ("compressor", "sre2l:roll=[3,1]", "roll = [3, 1] is not valid: a range is (smallest, largest); found (3, 1)."),
        ("compressor", "gvbsm:roll=[3,1]", "roll = [3, 1] is not valid: a range is (smallest, largest); found (3, 1)."),
        ("compressor", "cda:crop=false", "cda: crop=false leaves no curriculum: that is sre2l. See"),
    ],
)
def test_an_unknown_name_or_value_is_named_with_what_is_known(
    registry: Registry, kind: str, text: str, message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        registry.build(kind, text)
    assert message in str(caught.value)


def test_an_unknown_protocol_is_named_with_the_nearest(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="Did you mean 'digits-hard'"):
        registry.protocols.find("digit-hard")
    with pytest.raises(RequestError, match="Cannot read the protocol file"):
        registry.protocols.find(str(tmp_path / "none.toml"))


def test_the_default_protocol_is_the_one_of_the_layout_and_track(registry: Registry) -> None:
    folder = FolderDataset(path="anywhere")
    digits, mnist = registry.build(Dataset, "digits"), registry.build(Dataset, "mnist-5k")
    cifar10, cifar100 = (Schema(classes=classes, train=50_000, test=10_000) for classes in (10, 100))
    embedded = Schema(classes=10, train=4000, test=1000)
    # Ten classes of photographs are no digits, also where there are as many; of seven classes nothing is known.
    photographs, seven = Schema(classes=10, train=9469, test=3925), Schema(classes=7, train=10, test=10)
    named = [(digits, Schema(classes=10, train=1437, test=360)), (mnist, embedded)]
    layouts = [*named, *((folder, schema) for schema in (cifar10, cifar100))]
    declared = [registry.protocols.default(dataset, schema, "hard") for dataset, schema in layouts]
    assert [one and one.id for one in declared] == [
        "digits-hard",
        "mnist-5k-hard",
        "cifar10-small-hard",
        "cifar100-hard",
    ]
    for schema in (photographs, seven, embedded):
        assert registry.protocols.default(folder, schema, "hard") is None


# -- datasets ----------------------------------------------------------------------------------------------------------


def test_a_registered_dataset_comes_before_a_folder_of_its_name_and_a_folder_before_a_hub_id(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("digits", "owner/photos", "rethinkdc/digits"):
        (tmp_path / name).mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    assert registry.build(Dataset, "digits").name == "digits"
    assert registry.build(Dataset, "owner/photos") == FolderDataset(path="owner/photos")
    assert registry.build(Dataset, "rethinkdc/digits") == FolderDataset(path="rethinkdc/digits")
    assert registry.build(Dataset, str(tmp_path / "digits")) == FolderDataset(path=str(tmp_path / "digits"))
    monkeypatch.chdir(elsewhere)
    assert registry.build(Dataset, "owner/photos") == HubDataset(repo="owner/photos")
    assert registry.build(Dataset, "rethinkdc/digits").name == "digits"


def test_a_path_with_the_grammars_characters_is_a_path(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "a=b,c:d [e]"
    folder.mkdir()
    assert registry.build(Dataset, str(folder)) == FolderDataset(path=str(folder))


# -- third parties -----------------------------------------------------------------------------------------------------


def rows(registry: Registry, name: str) -> list[tuple[str, str, str]]:
    return [(row.kind, row.status, row.provider.distribution) for row in registry.listing() if row.name == name]


def test_a_third_partys_method_is_found_listed_and_credited(install: Install) -> None:
    found = install(their_own=("third", compressor("third", 'n: int = Field(default=2, description="d")')))
    assert rows(found, "third") == [("compressor", "ok", "their-own")]
    method = found.build("compressor", "their-own/third:n=3")
    assert found.label(method) == "third:n=3"
    assert found.used([method]) == {"their-own": "2.5"}


@pytest.mark.filterwarnings("ignore:The plugin name")
def test_methods_of_one_name_from_two_distributions_never_share_a_digest(install: Install) -> None:
    found = install(one_pack=("third", compressor("third")), other_pack=("third", compressor("third")))
    one, other = (found.build("compressor", f"{name}/third") for name in ("one-pack", "other-pack"))
    assert found.definition(one) != found.definition(other)
    assert "distribution" not in found.definition(found.build("compressor", "random"))


def test_a_clash_is_an_error_only_for_who_asks_for_the_bare_name(install: Install) -> None:
    with pytest.warns(UserWarning, match="'random' is provided by rethinkdc .*, rival 2.5"):
        found = install(rival=("random", compressor("random")))
    with pytest.raises(PluginError, match=r"'random' is claimed by rethinkdc .* and rival 2.5"):
        found.check_unambiguous("compressor", "random")
    with pytest.raises(PluginError, match=r"'random' is claimed by"):
        found.check_unambiguous("compressor", "combine:select=[random],grid=3")
    found.check_unambiguous("compressor", "combine:select=rival/random")
    # What the framework itself names, in protocols and defaults, is its own.
    assert found.label(found.build("compressor", "random")) == "rethinkdc/random"
    assert found.label(found.build("compressor", "pca")) == "pca"
    assert ("compressor", "clash", "rival") in rows(found, "random")


@pytest.mark.filterwarnings("ignore:The plugin name")
def test_the_printed_form_of_a_clashing_method_finds_it_again(install: Install) -> None:
    found = install(rival=("random", compressor("random")))
    for name in ("rethinkdc/random", "rival/random"):
        method = found.build("compressor", name)
        assert found.label(method) == name
        assert found.build("compressor", found.reference(method)) == method
        assert list(found.used([method])) == [name.partition("/")[0]]
    nested = found.build("compressor", "combine:select=rival/random,grid=3")
    assert found.label(nested) == "combine:select=rival/random,grid=3"
    assert found.build("compressor", found.label(nested)) == nested
    assert found.definition(nested)["parameters"]["select"]["distribution"] == "rival"


@pytest.mark.filterwarnings("ignore:The plugin name")
def test_a_clashing_score_is_selected_with_its_distribution(install: Install) -> None:
    found = install(rival=("el2n", SCORE))
    with pytest.raises(PluginError, match="score name 'el2n' is claimed by"):
        found.check_unambiguous("compressor", "el2n:direction=easy")
    method = found.build("compressor", "rethinkdc/el2n:direction=easy,observe=clean")
    assert found.label(method) == "rethinkdc/el2n:observe=clean,direction=easy"
    assert found.build("compressor", found.label(method)) == method


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("raise SystemError('broken')", "SystemError: broken"),
        ("x = 1", "implements no hook"),
        (compressor("third").replace("[Mine]", "[int]"), "not a subclass of rethinkdc's Method"),
        (compressor("third", "n: int = 3"), "the fields n have no description"),
        (compressor("third").replace("[Mine]", "Mine"), "register_methods must return a list, found <class"),
        (
            compressor("third").replace("register_methods", "register_datasets"),
            "'register_datasets', which nobody calls",
        ),
        (
            compressor("third") + "@hookimpl\ndef run_ended(record):\n    pass",
            "Known: epoch_ended, register_methods, register_protocols, register_view_ops, run_finished, run_started.",
        ),
        (compressor("a b"), "must be a plain name"),
        (compressor("3"), "must be a plain name"),
        (compressor("owner/third"), "must be a plain name"),
        (compressor("third", 'n: Literal["none"] = Field(description="d")'), "reads as a word of the grammar"),
    ],
    ids=[
        "import",
        "raises",
        "no-hook",
        "no-method",
        "no-description",
        "no-list",
        "former-hook",
        "unknown-hook",
        "space",
        "number",
        "slash",
        "word",
    ],
)
def test_a_broken_plugin_is_listed_with_the_reason_and_breaks_nothing_else(
    install: Install, source: str, reason: str
) -> None:
    found = install(broken_one=("third", source))
    (row,) = [row for row in found.listing() if row.status == "broken"]
    assert (row.name, row.provider.distribution) == ("third", "broken-one")
    assert reason in row.reason
    with pytest.raises(PluginError, match=r"plugin 'third' of broken-one 2\.5 is broken"):
        found.build("compressor", "third")
    assert found.build("compressor", "pca").name == "pca"


def test_a_hook_that_only_another_version_calls_may_be_marked_optional(install: Install) -> None:
    source = compressor("third") + "@hookimpl(optionalhook=True)\ndef run_paused():\n    pass"
    assert rows(install(their_own=("third", source)), "third") == [("compressor", "ok", "their-own")]


def test_a_method_whose_name_is_anothers_entry_point_is_found_with_its_distribution(install: Install) -> None:
    """A compressor of a score's name: the bare name means the score, and a listing says so."""
    found = install(rival=("bundle", compressor("el2n")))
    assert found.label(found.build("compressor", "el2n:direction=easy")) == "el2n:direction=easy"
    theirs = found.build("compressor", "rival/el2n")
    assert found.label(theirs) == "rival/el2n"
    assert found.build("compressor", found.label(theirs)) == theirs
    assert found.definition(theirs)["distribution"] == "rival"
    assert found.used([theirs]) == {"rival": "2.5"}
    (row,) = [row for row in found.listing() if row.name == "el2n" and row.provider.distribution == "rival"]
    assert (row.status, row.reason) == ("clash", "another plugin's entry point has the name; ask for rival/el2n")


def test_a_method_of_a_module_with_another_entry_point_is_found_by_its_name(install: Install) -> None:
    found = install(rival=("bundle", compressor("third")))
    assert found.label(found.build("compressor", "third")) == "third"
    assert rows(found, "third") == [("compressor", "ok", "rival")]


def test_a_method_is_built_as_the_kind_that_is_asked_for(registry: Registry) -> None:
    assert registry.build(Score, "el2n") == registry.build("score", "el2n")
    assert registry.build(Selector, "herding").kind == "compressor"
    with pytest.raises(PluginError, match="pca is a compressor, but no Selector"):
        registry.build(Selector, "pca")
    with pytest.raises(PluginError, match="Unknown labeler 'el2n'"):
        registry.build(Labeler, "el2n")


def test_a_parameter_keeps_its_value_through_a_nested_reference(registry: Registry) -> None:
    method = registry.build("compressor", "pca:score=[el2n:epochs=[1,0.5]],fit=centre,scale=[0.25,1.0]")
    assert parse_reference(registry.label(method)) == parse_reference(
        "pca:score=[el2n:epochs=[1,0.5]],fit=centre,scale=[0.25,1.0]"
    )
    score = registry.build("score", method.changed()["score"])
    assert score.changed() == {"epochs": (1, 0.5)}


@pytest.mark.filterwarnings("ignore:The plugin name")
def test_a_clash_on_a_name_that_only_protocols_use_breaks_nothing(install: Install) -> None:
    found = install(rival=("convnet", MODEL))
    protocol = found.protocols.find("digits-hard")
    assert found.label(found.build("model", protocol.student.model)).startswith("rethinkdc/convnet")
    with pytest.raises(PluginError, match="'convnet' is claimed by"):
        found.check_unambiguous("model", "convnet:depth=1")


def test_only_activated_plugins_hear_run_events(install: Install) -> None:
    registry = install(rival=("listener", LISTENER))
    registry.listing()
    registry.trackers.run_started({}, {}, "")
    registry.trackers.add("listener")
    with pytest.warns(UserWarning, match="division by zero"):
        registry.trackers.run_started({}, {}, "")


def test_a_file_defines_a_method_by_what_it_says_and_not_by_where_it_lies(registry: Registry, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text("1\n2\n")
    paths = [tmp_path / name / f"{name}.csv" for name in ("a", "b")]
    methods = [registry.build("score", Reference(name="file", values={"path": str(path)})) for path in paths]
    first, second = (registry.definition(method) for method in methods)
    assert first == second
    assert str(tmp_path) not in str(first)
    assert registry.build("score", registry.label(methods[0])) == methods[0]
    paths[1].write_text("1\n3\n")
    assert registry.definition(methods[1]) != first
    paths[1].unlink()
    with pytest.raises(RequestError, match=r"Cannot read .*b\.csv"):
        registry.definition(methods[1])


@pytest.mark.parametrize("name", ["pca", "ccs", "d2", "select", "weighted-facility-location"])
def test_every_method_that_takes_a_score_takes_a_file_of_scores(registry: Registry, tmp_path: Path, name: str) -> None:
    (tmp_path / "scores.csv").write_text("1\n2\n")
    direction = ",direction=hard" if name in ("select",) else ""
    built = registry.build("compressor", f"{name}:scores={tmp_path / 'scores.csv'}{direction}")
    assert registry.build("compressor", registry.label(built)) == built
    assert "file" in registry.label(built)
    with pytest.raises(RequestError, match="either score=NAME or scores=FILE"):
        registry.build("compressor", f"{name}:scores=a.csv,score=aum{direction}")


def test_a_method_without_a_score_takes_no_file_of_scores(registry: Registry) -> None:
    with pytest.raises(RequestError, match="random has no parameter 'scores'"):
        registry.build("compressor", "random:scores=a.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pca:grid=1e999", "larger than any"),
        (f"pca:grid={'9' * 5000}", "larger than any"),
        (f"pca:score={'[' * 33}{']' * 33}", "at most 32 brackets"),
        (f"pca:score={'[' * 100_000}", "at most 32 brackets"),
        (f"a:b={'[c:d=' * 5000}", "at most 32 brackets"),
    ],
)
def test_a_reference_that_nothing_could_hold_is_refused(text: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        parse_reference(text)


def test_a_number_that_a_float_holds_is_read() -> None:
    assert parse_reference(f"a:b={'9' * 300},c=-1e300,d=[[1]]").values == {"b": int("9" * 300), "c": -1e300, "d": [[1]]}
