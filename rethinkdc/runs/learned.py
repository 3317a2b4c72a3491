"""What was learned together with the images of a set: whether labels and rate of a run are these."""

from __future__ import annotations

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.kinds import Labeler
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.training.recipe import Recipe


def tell_learned(compressed: CompressedSet, labeler: Labeler, protocol: Protocol) -> list[str]:
    """Says of what a set brings whether it counts in a run, a phrase each; empty where it brings nothing."""
    told = []
    if compressed.student_lr is not None:
        told.append(f"rate {compressed.student_lr:g}: {_of_rate(protocol.training)}")
    if compressed.soft_targets is not None:
        used = "used" if labeler.takes_learned else f"not used, {labeler.name} has its own"
        told.append(f"labels: {used}")
    return told


def _of_rate(recipe: Recipe) -> str:
    own = recipe.optimizer
    return "used" if own.learned_lr else f"not used, the protocol's is {own.name} {own.lr:g}"
