"""Synthesisers that are killed inside a part go on from its last state, to the same bits and the same counts."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc import storage
from rethinkdc.context.books import by_stage
from rethinkdc.contracts import Resumable
from rethinkdc.distillation import optimisation

NETWORK = "network=[convnet:depth=1,width=4]"
BOTH = "teachers=[trained,trained:recipe=weak]"
EXPERTS = f"last_start=2,expert_epochs=1,experts=2,epochs=2,expert_batch=8,{NETWORK}"
METHODS = (
    f"dm:iterations=5,{NETWORK}",
    f"idm:iterations=5,batch=3,images=3,steps=1,interval=2,networks=4,init=noise,{NETWORK}",
    f"ncfm:iterations=5,batch=3,frequencies=8,networks=1,epochs=1,sampling=learned,init=noise,{NETWORK}",
    f"idc:iterations=2,steps=3,images=3,batch=3,init=noise,{NETWORK}",
    "datadam:iterations=5,network=[convnet:depth=2,width=4]",
    # Three steps of the images for each network: the third state lies between two of one.
    f"dsa:iterations=2,outer=3,inner=1,{NETWORK}",
    "dc:iterations=2,outer=3,inner=1,network=[convnet:depth=1,width=4,norm=batch]",
    "sre2l:iterations=5,batch=4",
    "dwa:iterations=5,batch=4",
    f"gvbsm:iterations=5,batch=4,drop=0.5,alpha=0.8,{BOTH}",
    f"edc:iterations=5,batch=4,alpha=0.8,drop=0.5,init=real,{BOTH}",
    f"mtt:iterations=5,steps=3,batch=3,{EXPERTS}",
    f"ftd:iterations=5,steps=3,batch=3,{EXPERTS}",
    f"datm:zca=true,iterations=5,steps=3,batch=3,init=real,first_last=1,widened=3,{EXPERTS}",
)


def killing(monkeypatch: pytest.MonkeyPatch, dies_at: int) -> None:
    """Keeps each state, and dies after one of them."""
    kept, original = list[bool](), Resumable.keep

    def keep(self: Resumable, state: Any, **named: Any) -> bool:
        written: bool = original(self, state, now=True, **named)
        kept.append(written)
        if len(kept) == dies_at:
            raise KeyboardInterrupt
        return written

    monkeypatch.setattr(Resumable, "keep", keep)


@pytest.mark.parametrize("reference", METHODS)
def test_a_synthesis_that_was_killed_in_a_part_goes_on_to_the_same_bits(
    reference: str, inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = inversions.here(tmp_path / "whole")
    expected = inversions.made(here, reference)
    with monkeypatch.context() as killed:
        killing(killed, 4)
        with pytest.raises(KeyboardInterrupt):
            inversions.made(inversions.here(tmp_path / "killed"), reference)
    (state,) = (tmp_path / "killed" / "cache" / "work").rglob("checkpoint.pt")
    assert state.parents[1].name == "part-00000"
    again = inversions.here(tmp_path / "killed")
    found = inversions.made(again, reference)
    assert torch.equal(inversions.canvases(found), inversions.canvases(expected))
    assert found.fingerprint == expected.fingerprint
    assert by_stage(again.books.images) == by_stage(here.books.images)
    assert not list((tmp_path / "killed" / "cache" / "work").glob("*/*"))


def test_a_resumed_part_does_only_what_is_left(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the test above would hold without any state."""
    steps = list[int]()
    original = optimisation.cosine_rate

    def counted(step: int, *given: Any) -> float:
        steps.append(step)
        return original(step, *given)

    monkeypatch.setattr(optimisation, "cosine_rate", counted)
    with monkeypatch.context() as killed:
        killing(killed, 3)
        with pytest.raises(KeyboardInterrupt):
            inversions.made(inversions.here(tmp_path), "sre2l:iterations=5,batch=9")
    inversions.made(inversions.here(tmp_path), "sre2l:iterations=5,batch=9")
    # Two batches, the first in two tries.
    assert steps == [0, 1, 2, 3, 4, *range(5)]


def test_states_of_a_part_go_with_it(inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resumable, "keep", partialmethod(Resumable.keep, now=True))
    left = list[list[str]]()

    def keep_part(path: Path, *given: Any) -> Any:
        left.append(sorted(found.parent.parent.name for found in path.parent.rglob("checkpoint.pt")))
        return storage.keep_part(path, *given)

    monkeypatch.setattr("rethinkdc.context.parts.keep_part", keep_part)
    inversions.made(inversions.here(tmp_path), f"dm:iterations=2,{NETWORK}")
    assert left == [[], [], [], []]


def test_seconds_of_a_part_hold_those_of_the_tries_before(tmp_path: Path, inversions: Any) -> None:
    """Counted once, whether the part was killed, or the set after it."""
    here = inversions.here(tmp_path)

    def made(dies_in: int | None) -> float:
        def build(inner: Any, out: Path) -> None:
            def make(index: int) -> dict[str, torch.Tensor]:
                kept = inner.resumable("state")
                if not kept.restore():
                    kept._earlier = 100.0
                    kept.keep(lambda: {"done": 1}, now=True)
                    if dies_in == index:
                        raise KeyboardInterrupt
                return {"index": torch.tensor(index)}

            inner.parts(2, make)
            (out / "done").write_text("")

        surroundings = inversions.here(tmp_path)
        surroundings.artefact("looks", "key", "looking", build, files=["done"])
        return float(by_stage(surroundings.books.seconds)["looking"])

    for part in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            made(part)
    assert 200 <= made(None) < 250
    assert here.work.part is None
