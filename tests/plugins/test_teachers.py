"""Teachers: trained here, of a library, or from a user's file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from rethinkdc.context.run import RunContext
from rethinkdc.errors import RequestError
from rethinkdc.models import build_seeded, weights_digest
from rethinkdc.protocol.teachers import TEACHER_SEMANTICS
from rethinkdc.registry.registry import Registry
from rethinkdc.storage import digest
from rethinkdc.testing import context, images
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.training.teacher import Teacher
from rethinkdc.views import VIEWS_REVISION

MODEL = "convnet:depth=1,width=8,norm=batch"


def here(folder: Path, classes: int = 4, test: bool = True) -> RunContext:
    found = context(folder, data=images(classes=classes, per_class=6), protocol="digits-soft")
    return replace(found, test=images(classes=classes, per_class=3, seed=1) if test else None)


def state(classes: int = 4, seed: int = 5) -> dict[str, Tensor]:
    return build_seeded(Registry().build("model", MODEL), classes, 8, seed).state_dict()  # type: ignore[arg-type]


# -- trained -----------------------------------------------------------------------------------------------------------


def test_a_teacher_is_trained_once_and_the_record_tells_how_good_it_is(tmp_path: Path) -> None:
    first = here(tmp_path)
    teacher = first.teacher()
    about = first.books.notes["teachers"]["trained:recipe=standard"]
    assert about == {"top1": teacher.top1, "digest": teacher.digest, "bytes": teacher.bytes, "for": ["labels"]}
    assert teacher.top1 is not None
    assert 0 <= teacher.top1 <= 1
    assert any(stage.startswith("teacher:") for stage in first.books.seconds)
    again = here(tmp_path)
    assert again.teacher("trained").digest == teacher.digest
    assert len(list((tmp_path / "cache" / "teachers").iterdir())) == 1
    assert again.books.nested < first.books.nested


def test_the_accuracy_is_that_of_the_teachers_own_test_view(tmp_path: Path) -> None:
    found = here(tmp_path)
    teacher = found.teacher()
    assert found.test is not None
    shown = teacher.test.render(found.test, torch.arange(12))
    assert teacher.top1 == float((teacher.logits(shown).argmax(1) == found.test.targets).double().mean())
    assert here(tmp_path / "other", test=False).teacher().top1 is None


def test_each_recipe_and_each_seed_makes_its_own_teacher(tmp_path: Path) -> None:
    found = here(tmp_path)
    digests = {found.teacher(f"trained:recipe={name}").digest for name in ("weak", "standard", "strong")}
    found = replace(found, seeds=found.seeds.model_copy(update={"teacher": 1}))
    digests.add(found.teacher().digest)
    found = replace(found, seeds=found.seeds.model_copy(update={"set": 1, "proxy": 1, "labels": 1, "student": 1}))
    digests.add(found.teacher().digest)
    # Of two steps each, weak and standard are one recipe and so one teacher.
    assert len(digests) == 3


def test_another_architecture_is_another_teacher_of_the_same_recipe(tmp_path: Path) -> None:
    found = here(tmp_path)
    teacher = found.teacher("trained:model=[convnet:depth=2,width=8,norm=batch]")
    assert teacher.id == "trained:recipe=standard,model=[convnet:depth=2,width=8,norm=batch]"
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in teacher.module.modules()) == 2
    assert (teacher.mean, teacher.std) == (found.teacher().mean, found.teacher().std)
    with pytest.raises(RequestError, match="convnte"):
        found.teacher("trained:model=convnte")


@pytest.mark.parametrize("recipe", ["standard", "weak"])
def test_a_teacher_of_its_recipes_own_architecture_is_known_as_before(recipe: str, tmp_path: Path) -> None:
    """Written out, so that caches and records of earlier versions stay valid."""
    found, registry = here(tmp_path), Registry()
    reference = "trained" if recipe == "standard" else f"trained:recipe={recipe}"
    method = registry.build("teacher", reference)
    parameters = {} if recipe == "standard" else {"recipe": recipe}
    expected = {"kind": "teacher", "name": "trained", "revision": 1, "parameters": parameters}
    assert registry.definition(method) == expected
    assert registry.label(method) == reference
    teacher = found.teacher(reference)
    assert teacher.id == f"trained:recipe={recipe}"
    assert found.protocol.teacher is not None
    used = found.protocol.teacher.recipes[recipe]
    key = {
        "semantics": [TEACHER_SEMANTICS, LOOP_REVISION, VIEWS_REVISION],
        "model": registry.definition(registry.build("model", used.model)),
        "recipe": used.model_dump(mode="json"),
        "store": found.protocol.store.model_dump(mode="json"),
        "data": found.data.fingerprint,
        "seed": 0,
    }
    assert [folder.name for folder in (tmp_path / "cache" / "teachers").iterdir()] == [digest(key)]


def test_an_unknown_recipe_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no teacher recipe 'strnog'. Did you mean 'strong'"):
        here(tmp_path).teacher("trained:recipe=strnog")


# -- from a file -------------------------------------------------------------------------------------------------------


def write(path: Path, form: str) -> Path:
    weights = state()
    if form == "safetensors":
        save_file(weights, path)
    elif form == "plain":
        torch.save(weights, path)
    elif form == "nested":
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in weights.items()}}, path)
    else:
        torch.save({"model": {f"_orig_mod.{name}": tensor for name, tensor in weights.items()}}, path)
    return path


@pytest.mark.parametrize("form", ["safetensors", "plain", "nested", "compiled"])
def test_a_checkpoint_is_read_out_of_the_containers_of_its_trainer(form: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"weights.{'safetensors' if form == 'safetensors' else 'pt'}", form)
    teacher = here(tmp_path).teacher(f'checkpoint:path="{path}",model=[{MODEL}],mean=[0.1,0.2,0.3],size=8')
    expected = build_seeded(Registry().build("model", MODEL), 4, 8, 5)  # type: ignore[arg-type]
    assert weights_digest(teacher.module) == weights_digest(expected)
    assert teacher.mean == (0.1, 0.2, 0.3)
    assert teacher.std == (0.376, 0.376, 0.376)


def test_the_record_tells_what_was_chosen_of_a_file_and_what_left_out(tmp_path: Path) -> None:
    averaged, plain = state(seed=5), state(seed=6)
    torch.save({"state_dict": plain, "state_dict_ema": averaged, "epoch": 3}, tmp_path / "both.pt")
    asked = f'checkpoint:path="{tmp_path / "both.pt"}",model=[{MODEL}]'
    found = here(tmp_path)
    teacher = found.teacher(asked)
    told = found.books.notes["teachers"][teacher.id]["weights"]
    assert told == ["entry 'state_dict_ema', left out: epoch, state_dict"]
    other = found.teacher(f"{asked},entry=state_dict")
    assert torch.equal(teacher.module.state_dict()["0.weight"], averaged["0.weight"])
    assert torch.equal(other.module.state_dict()["0.weight"], plain["0.weight"])


def test_a_checkpoint_of_another_shape_says_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state(classes=7), path)
    with pytest.raises(RequestError, match=r"does not fit the model .*weight is \[7, .*not \[4, .*2 tensors differ"):
        here(tmp_path).teacher(f'checkpoint:path="{path}",model=[{MODEL}]')


class _Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("unpickled"),))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pt"
    torch.save({"model": _Evil()}, path)
    with pytest.raises(RequestError, match=r"weights\.pt holds objects that are no tensors \(getattr\)"):
        here(tmp_path).teacher(f'checkpoint:path="{path}",model=[{MODEL}]')
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("content", [b"", b"no weights at all"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_file_that_is_none_is_named(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=rf"weights\.{suffix}"):
        here(tmp_path).teacher(f'checkpoint:path="{path}",model=[{MODEL}]')
    with pytest.raises(RequestError, match=r"missing\.pt"):
        here(tmp_path).teacher(f'checkpoint:path="{tmp_path / "missing.pt"}",model=[{MODEL}]')


def test_two_files_of_one_content_are_one_teacher(tmp_path: Path) -> None:
    registry = Registry()
    paths = [write(tmp_path / f"{name}.safetensors", "safetensors") for name in ("one", "two")]
    built = [registry.build("teacher", f'checkpoint:path="{path}",model=[{MODEL}]') for path in paths]
    assert registry.definition(built[0]) == registry.definition(built[1])


# -- of a library ------------------------------------------------------------------------------------------------------


def random_resnet18(classes: int) -> dict[str, Tensor]:
    from torchvision.models import resnet18

    with torch.random.fork_rng():
        weights: dict[str, Tensor] = resnet18(weights=None, num_classes=classes).state_dict()
    return weights


def test_torchvisions_weights_bring_their_normalisation_and_test_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = random_resnet18(1000)
    asked: list[tuple[str, dict[str, Any]]] = []

    def downloaded(url: str, **options: Any) -> dict[str, Tensor]:
        asked.append((url, options))
        return weights

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", downloaded)
    found = here(tmp_path, classes=1000, test=False)
    teacher = found.teacher("torchvision/resnet18:weights=IMAGENET1K_V1")
    assert asked[0][1]["weights_only"] is True
    assert (teacher.size, teacher.test.resize, teacher.test.fit) == (224, 256, "centre")
    assert teacher.mean == (0.485, 0.456, 0.406)
    assert found.books.notes["external_data"] == ["IMAGENET1K_V1 weights of torchvision"]
    assert torch.equal(teacher.module.state_dict()["fc.bias"], weights["fc.bias"])


def test_a_download_that_fails_names_the_alternatives_and_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise URLError("there is no network here")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refused)
    monkeypatch.setattr("timm.create_model", refused)
    found = here(tmp_path, classes=1000, test=False)
    for name in ("torchvision/resnet18", "timm/resnet18"):
        with pytest.raises(RequestError, match=r"no network here.*name another teacher: trained, or checkpoint:path="):
            found.teacher(name)


def test_timms_weights_bring_their_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    original = timm.create_model
    monkeypatch.setattr("timm.create_model", lambda name, pretrained: original(name, pretrained=pretrained and False))
    teacher = here(tmp_path, classes=1000, test=False).teacher("timm/resnet18")
    config = timm.get_pretrained_cfg("resnet18")
    assert config is not None
    assert teacher.mean == tuple(config.mean)
    assert teacher.size == config.input_size[-1]
    assert teacher.test.resize == round(teacher.size / config.crop_pct)
    assert teacher.external == "weights of timm/resnet18.a1_in1k"


@pytest.mark.parametrize("name", ["torchvision/resnet18", "timm/resnet18"])
def test_a_teacher_of_other_classes_is_refused_before_a_download(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"tells 1000 classes apart, and the data has 4"):
        here(tmp_path).teacher(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("torchvision/resnet81", "torchvision has no model 'resnet81'. Did you mean"),
        ("torchvision/resnet18:weights=V3", "ships no weights 'V3' for resnet18. Known: IMAGENET1K_V1"),
        ("timm/resnet81", "timm has no model 'resnet81'. Did you mean"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        here(tmp_path).teacher(name)
    assert told in str(refused.value)


def test_a_library_teacher_is_printed_as_it_is_named() -> None:
    registry = Registry()
    for name in ("torchvision/resnet18", "torchvision/resnet50:weights=IMAGENET1K_V2", "timm/resnet18.a1_in1k"):
        assert registry.label(registry.build("teacher", name)) == name
    # Another timm may prefer other weights.
    assert registry.label(registry.build("teacher", "timm/resnet18")) == "timm/resnet18.a1_in1k"


# -- in records --------------------------------------------------------------------------------------------------------


def test_notes_of_teachers_are_json(tmp_path: Path) -> None:
    found = here(tmp_path)
    found.teacher("trained:recipe=weak")
    found.teacher("trained:recipe=strong")
    assert set(json.loads(json.dumps(found.books.notes))["teachers"]) == {
        "trained:recipe=weak",
        "trained:recipe=strong",
    }
    assert isinstance(found.teacher(), Teacher)
