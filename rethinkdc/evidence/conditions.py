"""What all runs of an answer share."""

from __future__ import annotations

from dataclasses import dataclass

from rethinkdc.measurement import Metric


@dataclass(frozen=True)
class Conditions:
    """What all runs of an answer share, as far as it is one.

    Attributes:
        dataset: its name.
        protocol: id and version.
        protocol_digest: of the protocol as it is written, without what a question changes.
        ipc: images per class.
        metric: what is compared.
    """

    dataset: str
    protocol: str
    protocol_digest: str
    ipc: int
    metric: Metric
