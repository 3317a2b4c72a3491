"""Students of ``cifar10-small-*`` beside an independent referee: step by step, and in distribution.

The referee (``referee.py``) shares no code with the package. Given the same weights and views both must take the same
steps and count the same hits, on each track. Views have torchvision's distribution (``tests/views``); what is left are
chances, and whole students are compared by two one-sided tests. Those take an hour on a core and need CIFAR-10 in
Parquet files: ``RETHINKDC_TEST_CIFAR10`` names their folder.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import stats
from torch import Tensor, nn

import rethinkdc as rdc
from rethinkdc.compressed import CompressedSet
from rethinkdc.context.run import RunContext
from rethinkdc.contracts import Evaluator, Labeler
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.labels import distillation
from rethinkdc.measurement import Evaluation
from rethinkdc.models import build_seeded
from rethinkdc.plugins.models.resnet_light import ResNetLight
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.testing import context
from rethinkdc.training.targets import HardTargets
from rethinkdc.types import Supervision, ViewBatch
from tests.fidelity import referee

VARIABLE = "RETHINKDC_TEST_CIFAR10"
CLASSES, SIZE, STEPS, BATCH, ROWS, WIDTH = 4, 32, 40, 8, 20, 4
TEMPERATURE = 1.0
LABELERS = {"hard": "hard", "soft": "soft", "stored": "soft-stored:dtype=float32"}
MARGIN, STUDENTS = 0.01, 20


def pictures(per_class: int, seed: int) -> DecodedImages:
    """Images of a colour of their class, and noise."""
    draws = torch.Generator().manual_seed(seed)
    targets = torch.arange(CLASSES).repeat_interleave(per_class)
    colours = torch.randint(40, 216, (CLASSES, 3, 1, 1), generator=torch.Generator().manual_seed(99))
    noise = torch.randint(-40, 41, (len(targets), 3, SIZE, SIZE), generator=draws)
    return DecodedImages((colours[targets] + noise).to(torch.uint8), targets, tuple("abcd"))


@dataclass
class Watched:
    """What the package showed its student, what it lost, and where it came to."""

    batches: list[ViewBatch] = field(default_factory=list)
    soft: list[Tensor] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    networks: list[nn.Module] = field(default_factory=list)

    def supervise(self, supervision: Supervision, patch: pytest.MonkeyPatch) -> None:
        """Watches what a supervision gives."""
        targets, loss = supervision.targets, supervision.loss

        def watched_targets(batch: ViewBatch) -> dict[str, Tensor]:
            given = targets(batch)
            self.batches.append(copy.deepcopy(batch))
            self.soft.append(given.get("soft", torch.zeros(0)).clone())
            return given

        def watched_loss(logits: Tensor, given: dict[str, Tensor]) -> Tensor:
            losses = loss(logits, given)
            self.losses.append(float(losses.detach().mean()))
            return losses

        patch.setattr(supervision, "targets", watched_targets)
        patch.setattr(supervision, "loss", watched_loss)


def surroundings(folder: Path, track: str) -> RunContext:
    """The protocol of a track with a few steps on a few images; all other values are its own."""
    found = Registry().protocols.find("cifar10-small-hard" if track == "hard" else "cifar10-small-soft")
    short: dict[str, Any] = {"training.steps": STEPS, "training.batch": BATCH}
    narrow = {"name": "resnet-light", "values": {"width": WIDTH}}
    short |= {"student.model": narrow, "teacher.recipes.standard.model": narrow}
    short["teacher.recipes.standard.training.epochs"] = 20
    if track != "hard":
        # At 20 a divergence of so few steps lies in the last digits of single precision.
        short["soft.temperature"] = TEMPERATURE
    return context(folder, data=pictures(6, 0), protocol=found.override(short), ipc=ROWS // CLASSES, short=False)


def trained(here: RunContext, track: str, watched: Watched, patch: pytest.MonkeyPatch) -> Evaluation:
    """The package's student, trained and tested by its own evaluator."""
    made = CompressedSet.of_rows(here.data, torch.cat([torch.arange(6 * at, 6 * at + 5) for at in range(CLASSES)]))
    supervision = here.method(Labeler, LABELERS[track]).prepare(made, here)
    watched.supervise(supervision, patch)
    build = build_seeded

    def watched_build(*given: Any) -> nn.Module:
        # In double precision: AdamW makes a whole step of a gradient that is nothing but rounding.
        watched.networks += [network := build(*given).double()]
        return network

    patch.setattr("rethinkdc.evaluation.student_evaluator.build_seeded", watched_build)
    found = here.method(Evaluator, "standard").evaluate(made, supervision, pictures(30, 1), here)
    assert isinstance(found, Evaluation)
    return found


@pytest.mark.parametrize("track", list(LABELERS))
def test_the_referee_takes_the_same_steps_and_counts_the_same_hits(
    track: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, watched = surroundings(tmp_path, track), Watched()
    found = trained(here, track, watched, monkeypatch)
    assert len(watched.batches) == STEPS
    assert [len(batch.rows) for batch in watched.batches[:3]] == [8, 8, 4]
    teacher = None
    if track != "hard":
        teacher = referee.light_resnet(WIDTH, CLASSES).double().eval()
        (file,) = (tmp_path / "cache" / "teachers").glob("*/*.safetensors")
        referee.load_in_order(teacher, load_file(file))

    def given() -> Iterator[referee.Batch]:
        for batch in watched.batches:
            pixels = batch.pixels.contiguous().double() / 255
            with torch.no_grad():
                said = torch.zeros(0) if teacher is None else teacher(referee.normalised(pixels))
            yield referee.Batch(pixels, batch.hard, said)

    for batch, soft in zip(given(), watched.soft, strict=True):
        assert torch.allclose(batch.said.double(), soft.double(), atol=1e-4)
    student = referee.light_resnet(WIDTH, CLASSES).double()
    first = build_seeded(ResNetLight(width=WIDTH), CLASSES, SIZE, here.seeds.of("student", "init"))
    referee.load_in_order(student, first.state_dict())
    monkeypatch.setattr(referee, "TEMPERATURE", TEMPERATURE)
    loss_of = referee.cross_entropy if track == "hard" else referee.divergence
    losses = referee.learn(student, given(), STEPS, loss_of)
    # The losses of soft labels are taken in single precision, and a difference of rates of a thousandth would show.
    near = 1e-12 if track == "hard" else 2e-5
    assert losses == pytest.approx(watched.losses, rel=near)
    assert losses[-1] < losses[0] / 5, "the loop must have something to learn"
    for ours, theirs in zip(watched.networks[0].state_dict().values(), student.state_dict().values(), strict=True):
        assert float((ours - theirs).abs().max()) <= near
    test = pictures(30, 1)
    assert referee.accuracy(student.float(), test.pixels, test.targets) == found.metrics["top1"] >= 0.5


def test_the_divergence_at_the_protocols_temperature_is_that_of_both() -> None:
    """At 20, without T squared; the mean over the batch."""
    draws = torch.Generator().manual_seed(1)
    logits, said = (5 * torch.randn((16, CLASSES), generator=draws) for _ in range(2))
    ours = distillation(logits, said, 20.0).mean()
    assert float(referee.divergence(logits.double(), said.double(), said)) == pytest.approx(float(ours), rel=1e-4)
    assert referee.TEMPERATURE == 20.0


def test_a_seed_gives_both_the_same_first_weights() -> None:
    torch.manual_seed(7)
    theirs = referee.light_resnet().state_dict().values()
    ours = build_seeded(ResNetLight(), 10, SIZE, 7).state_dict().values()
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_smoothed_and_mixed_losses_are_those_of_torch() -> None:
    """Of a mixed batch, with label smoothing: the mean over the batch of both classes' own losses."""
    draws = torch.Generator().manual_seed(0)
    logits, area = torch.randn((6, CLASSES), generator=draws), torch.full((6,), 0.3)
    hard, partner = torch.arange(6) % CLASSES, torch.arange(1, 7) % CLASSES
    ours = HardTargets(label_smoothing=0.1).loss(logits, {"hard": hard, "partner": partner, "area": area})
    spread = torch.eye(CLASSES) * 0.9 + 0.1 / CLASSES
    mixed = 0.7 * spread[hard] + 0.3 * spread[partner]
    assert torch.allclose(ours.mean(), nn.functional.cross_entropy(logits, mixed), atol=1e-6)


def equivalence(ours: list[float], theirs: list[float], margin: float) -> float:
    """The larger p of two one-sided Welch tests: below .05 the means differ by less than ``margin``."""
    above = stats.ttest_ind(np.array(ours) + margin, theirs, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(np.array(ours) - margin, theirs, equal_var=False, alternative="less").pvalue
    return float(max(above, below))


@pytest.mark.parametrize(
    ("difference", "same"), [(0.0, True), (0.004, True), (0.01, False), (0.02, False), (-0.02, False)]
)
def test_two_one_sided_tests_find_what_lies_within_the_margin(difference: float, same: bool) -> None:
    draws = np.random.default_rng(0)
    theirs = list(0.27 + 0.008 * draws.standard_normal(20))
    ours = [value + difference for value in theirs]
    assert (equivalence(ours, theirs, 0.01) < 0.05) is same


@pytest.mark.slow
@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no folder of CIFAR-10")
@pytest.mark.parametrize("track", list(LABELERS))
def test_students_of_both_are_equal_within_a_point(track: str, tmp_path: Path) -> None:
    """Twenty of each on one random set: the means differ by less than a point of top-1, at the level of .05."""
    protocol, cache = "cifar10-small-hard" if track == "hard" else "cifar10-small-soft", tmp_path / "cache"
    data: dict[str, Any] = {"dataset": os.environ[VARIABLE], "protocol": protocol, "cache_dir": cache, "threads": 1}
    rdc.compress("random", tmp_path / "set", ipc=10, **data)
    labeler = "soft-stored" if track == "stored" else track
    ours = [
        rdc.evaluate(
            str(tmp_path / "set"), labeler=labeler, seed=Seeds(student=seed), records=tmp_path / "records", **data
        )
        for seed in range(STUDENTS)
    ]
    command = [sys.executable, referee.__file__, str(tmp_path / "set"), os.environ[VARIABLE], "--track", track]
    if track != "hard":
        (teacher,) = (cache / "teachers").glob("*/*.safetensors")
        command += ["--teacher", str(teacher)]
    out = tmp_path / "referee.jsonl"
    subprocess.run([*command, "--seeds", str(STUDENTS), "--out", str(out)], check=True)
    theirs = [json.loads(line)["top1"] for line in out.read_text().splitlines()]
    found = [record.results["top1"] for record in ours]
    assert len(theirs) == len(found) == STUDENTS
    told = f"{np.mean(found):.4f} (sd {np.std(found, ddof=1):.4f}) and {np.mean(theirs):.4f}"
    assert equivalence(found, theirs, MARGIN) < 0.05, f"not shown to be equal: {told} (sd {np.std(theirs, ddof=1):.4f})"
