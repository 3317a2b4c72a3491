"""A finished set in the place where a run has its compressor."""

from __future__ import annotations

from rethinkdc.compressed import CompressedSet
from rethinkdc.compressed.fitting import fit_set
from rethinkdc.data.splits import Splits
from rethinkdc.runs.resolving import Run


def fit_to_run(compressed: CompressedSet, run: Run, splits: Splits) -> CompressedSet:
    """The set with the classes of a run's dataset, checked against both.

    Raises:
        RequestError: it does not fit the dataset or the protocol.
    """
    return fit_set(
        compressed,
        dataset=run.dataset_name,
        class_names=splits.train.class_names,
        fingerprint=splits.train.fingerprint,
        size=run.protocol.store.size,
        protocol=run.protocol.id,
        protocol_digest=run.protocol.digest,
        asked=run.request.protocol,
    )
