"""Every protocol that ships: pinned, sourced, and able to run."""

from __future__ import annotations

import json
import math
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Evaluator, Labeler
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import TeacherSource
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.measurement import Evaluation
from rethinkdc.models import Model
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol, protocol_files
from rethinkdc.protocol.toml_files import parse_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator
from rethinkdc.testing import context, shortened
from rethinkdc.views import CutMix

FOLDER = Path(str(resources.files("rethinkdc.protocols")))
PROTOCOLS = [load_protocol(path) for path in protocol_files(FOLDER)]
PINNED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("digests.json").read_text())

ROWS = 4
# The sides of the real images: those of ImageNet are of any size, larger than a canvas, and rarely square.
NATIVE = {"imagenet-1k": (240, 280), "tiny-imagenet": (64, 64), "digits": (8, 8)}

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.id)
FILES = {path.stem: parse_toml(path.read_text(), path).content for path in protocol_files(FOLDER)}
EXTENDING = sorted(name for name, content in FILES.items() if "extends" in content)
"""Protocols that differ from another one in a few values: sizes, networks and proxies are mostly those of that one."""
# Their networks, sizes and proxies are those of another protocol that is tried in every run; ImageNet's own take ten
# seconds, and are tried in miniature.
LIKE_ANOTHER = {
    *EXTENDING,
    "imagenet1k-hard",
    "imagenet1k-hard-sgd",
    "imagenet1k-soft",
    "tiny-imagenet-hard",
    "tiny-imagenet-soft",
    "cifar10-soft",
    "cifar100-soft",
    "cifar100-hard",
    "cifar100-dc-hard",
    "tiny-imagenet-dc-hard",
}


def test_the_folder_ships_the_protocols_that_it_should() -> None:
    names = {protocol.id for protocol in PROTOCOLS}
    assert names >= {
        "digits-hard",
        "mnist-5k-hard",
        "cifar10-small-hard",
        "cifar10-hard",
        "cifar100-hard",
        "imagenet1k-hard",
        "imagenet1k-hard-sgd",
        "tiny-imagenet-hard",
        "digits-soft",
        "mnist-5k-soft",
        "cifar10-small-soft",
        "cifar10-soft",
        "cifar100-soft",
        "imagenet1k-soft",
        "tiny-imagenet-soft",
        "cifar10-dc-hard",
        "cifar100-dc-hard",
        "tiny-imagenet-dc-hard",
    }
    assert names == set(Registry().protocols.all())


@each_protocol
def test_a_protocol_is_what_its_version_was_when_it_was_pinned(protocol: Protocol) -> None:
    pinned = PINNED.get(protocol.id, {})
    version = str(protocol.version)
    assert version in pinned, f"{protocol.id} v{version} is not pinned: run `python tests/protocols/pin.py`."
    assert pinned[version] == protocol.digest, (
        f"{protocol.id} changed: raise its version, then run `python tests/protocols/pin.py`. Results of the old and "
        "the new one must never stand in one table."
    )


def test_nothing_is_pinned_that_does_not_ship() -> None:
    assert set(PINNED) == {protocol.id for protocol in PROTOCOLS}


@each_protocol
def test_a_protocol_says_where_its_values_come_from(protocol: Protocol) -> None:
    assert protocol.summary
    for part in ("data", "student", "training", "proxy", "teacher", *(["soft"] if protocol.soft else [])):
        assert any(key.split(".")[0] == part for key in protocol.sources), f"{protocol.id} gives no source for {part}"


@each_protocol
def test_a_protocol_ships_a_weak_a_standard_and_a_strong_teacher(protocol: Protocol) -> None:
    registry = Registry()
    assert protocol.teacher is not None
    assert isinstance(registry.build("teacher", protocol.teacher.use), TeacherSource)
    assert set(protocol.teacher.recipes) == {"weak", "standard", "strong"}
    weak, standard, strong = (protocol.teacher.recipes[name] for name in ("weak", "standard", "strong"))
    rows = protocol.data.train or 1000
    steps = [recipe.training.length(rows).steps for recipe in (weak, standard, strong)]
    assert steps[0] < steps[1]
    assert steps[1] < steps[2] or standard.model != strong.model
    for recipe in protocol.teacher.recipes.values():
        assert isinstance(registry.build("model", recipe.model), Model)


@pytest.mark.parametrize("name", EXTENDING)
def test_a_file_that_extends_another_gives_the_source_of_each_value_that_it_says(name: str) -> None:
    content, described = FILES[name], {"id", "version", "summary", "extends", "without", "sources", "track", "default"}
    said = {key for key in content if key not in described | {"default_dataset", "transfer_students", "twin"}}
    sources = [tuple(source.split(".")) for source in content["sources"]]
    unsourced = [
        place
        for key in said
        for place in leaves({key: content[key]})
        if not any(place[: len(source)] == source for source in sources)
    ]
    assert unsourced == []


def leaves(content: dict[str, Any]) -> list[tuple[str, ...]]:
    """The places of all values in tables."""
    found: list[tuple[str, ...]] = []
    for key, value in content.items():
        inner = leaves(value) if isinstance(value, dict) and not any(each.isdecimal() for each in value) else [()]
        found += [(key, *place) for place in inner]
    return found


@pytest.mark.parametrize(
    "protocol", [p for p in PROTOCOLS if p.soft and p.id not in EXTENDING], ids=lambda protocol: protocol.id
)
def test_a_soft_protocol_is_its_hard_one_with_soft_labels_and_a_mix(protocol: Protocol) -> None:
    assert protocol.soft is not None
    hard = Registry().protocols.find(protocol.id.replace("soft", "hard"))
    own = {"id", "summary", "sources", "track", "soft", "training", "reference"}
    assert protocol.model_dump(exclude=own) == hard.model_dump(exclude=own)
    if protocol.reference and hard.reference:
        optimiser = {"optimizer": protocol.reference.optimizer, "schedule": protocol.reference.schedule}
        assert protocol.reference == hard.reference.model_copy(update=optimiser)
        assert protocol.reference.optimizer.name == "adamw"
    assert protocol.training.model_copy(update={"mix": None}) == hard.training
    assert protocol.training.mix == CutMix(op="cutmix", alpha=1.0)


@each_protocol
def test_a_protocol_names_a_file_models_and_a_dataset_that_exist(protocol: Protocol) -> None:
    registry = Registry()
    assert (FOLDER / f"{protocol.id}.toml").exists()
    for reference in (protocol.student.model, protocol.proxy_recipe().model, *protocol.transfer_students):
        assert isinstance(registry.build("model", reference), Model)
    assert protocol.default_dataset is not None
    schema = registry.build(Dataset, protocol.default_dataset).schema
    assert schema is not None
    assert protocol.fits(schema)


def test_each_layout_and_track_has_at_most_one_default() -> None:
    # One that states no sizes is the default of its own dataset only.
    defaults = [(p, None if p.data.train else p.default_dataset) for p in PROTOCOLS if p.default]
    layouts = [(p.data.model_dump_json(), dataset, p.track) for p, dataset in defaults]
    assert len(layouts) == len(set(layouts))


def random_images(protocol: Protocol, rows: int, seed: int) -> DecodedImages:
    """A few images of the protocol's classes and layout."""
    side = protocol.store.size
    height, width = NATIVE.get(protocol.default_dataset or "", (side, side))
    pixels = torch.randint(0, 256, (rows, 3, height, width), dtype=torch.uint8, generator=generator(seed))
    targets = torch.arange(rows) * (protocol.data.classes - 1) // (rows - 1)
    return DecodedImages(pixels, targets, [str(index) for index in range(protocol.data.classes)])


def labeler_of(protocol: Protocol) -> str:
    """The labels of the claims that are judged under a protocol."""
    if any(name in protocol.id for name in ("-edc-", "-gvbsm-")):
        return "soft-mse-gt"
    return "soft-static" if "-static-" in protocol.id else "soft" if protocol.soft else "hard"


def evaluated(surroundings: Context, made: CompressedSet, test: DecodedImages) -> Evaluation:
    labeler = labeler_of(surroundings.protocol)
    supervision = surroundings.method(Labeler, labeler).prepare(made, surroundings)
    found = surroundings.method(Evaluator, "standard").evaluate(made, supervision, test, surroundings)
    assert isinstance(found, Evaluation)
    return found


def in_miniature(protocol: Protocol) -> Protocol:
    """The protocol with images of 16 px and small networks: optimisers, schedules, views and labels are its own."""
    tiny = {"name": "convnet", "values": {"depth": 1, "width": 4, "norm": "batch"}}
    networks = [key for key in protocol.networks if not key.startswith("transfer_students")]
    sizes = {"store.size": 16, "test.resize": 16, "test.size": 16}
    return shortened(protocol).override({**sizes, **dict.fromkeys(networks, tiny), "teacher.use": "trained"})


@each_protocol
def test_a_protocol_trains_its_student_for_two_steps_in_miniature(protocol: Protocol, tmp_path: Path) -> None:
    """Of ipc 10, so that tables by ipc are read in their middle; the full size is another test, which may be slow."""
    pixels = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=generator(0))
    data = DecodedImages(pixels, torch.arange(8) % 4, list("abcd"))
    short = in_miniature(protocol)
    made = CompressedSet.of_rows(data, torch.arange(8))
    for ipc in (10, None) if protocol.reference or protocol.full_at_ipc else (10,):
        found = evaluated(context(tmp_path / str(ipc), data=data, protocol=short, short=False, ipc=ipc), made, data)
        assert found.steps == 2
        assert all(math.isfinite(point["train_loss"]) for point in found.curve)


@pytest.mark.parametrize("protocol", [p for p in PROTOCOLS if "-steps-" in p.id], ids=lambda protocol: protocol.id)
def test_under_compute_matched_protocols_every_set_is_seen_as_often(protocol: Protocol) -> None:
    images, classes = protocol.data.train or 1437, protocol.data.classes

    def views(ipc: int | None) -> int:
        rows = images if ipc is None else ipc * classes
        length = protocol.training.length(rows, protocol.full_at_ipc if ipc is None else ipc)
        return length.steps * length.batch

    assert len({views(ipc) for ipc in (1, 2, 6, 7, 10, 50, None)}) == 1


@pytest.mark.parametrize(
    "protocol",
    [pytest.param(p, id=p.id, marks=pytest.mark.slow if p.id in LIKE_ANOTHER else ()) for p in PROTOCOLS],
)
def test_a_protocol_trains_its_student_proxy_and_reference_for_two_steps(protocol: Protocol, tmp_path: Path) -> None:
    data, test = random_images(protocol, ROWS, 0), random_images(protocol, 2, 1)
    ipc = protocol.default_ipc or 1
    short = shortened(protocol)
    if short.teacher and short.teacher.use.name != "trained":
        # One that has to be downloaded has tests of its own.
        short = short.override({"teacher.use": "trained"})
    surroundings = context(tmp_path, data=data, protocol=short, short=False, ipc=ipc)
    made = CompressedSet.of_rows(data, torch.arange(ROWS))
    found = evaluated(surroundings, made, test)
    assert found.steps == 2
    assert len(found.per_class) == protocol.data.classes
    assert 0 <= found.metrics["top1"] <= found.metrics["top5"] <= 1

    # A soft protocol's proxy is its hard one's, as another test holds.
    if protocol.soft is None:
        trace = surroundings.trace()
        assert (trace.epochs, trace.clean_epochs) == (3, (3,))
        assert bool(torch.isfinite(surroundings.score("el2n")).all())

    if protocol.reference:
        whole = context(tmp_path / "whole", data=data, protocol=short, short=False, ipc=None)
        assert evaluated(whole, made, test).steps == 2
