"""Sets that were made before are made again to the bit: their fingerprints are pinned.

These sets depend on the images and the draws alone, on no trained network: they are the same on every machine.
They were pinned with version 0.1.0 on the digits at 8 px, under ``digits-hard``. A pin changes only with a raised
revision of what it names.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.request import Request

PINNED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("pinned_sets.json").read_text())


@pytest.mark.parametrize("compressor", list(PINNED))
def test_a_set_is_what_it_was(compressor: str, tmp_path: Path) -> None:
    for place, fingerprint in PINNED[compressor].items():
        ipc, seed = map(int, re.findall(r"\d+", place))
        runner = make_runner(Machine(cache_dir=tmp_path, device="cpu"), Keeping(records=tmp_path / "records"))
        request = Request(
            compressor=compressor,
            dataset="digits",
            protocol="digits-hard",
            ipc=None if compressor == "full" else ipc,
            seed=seed,
            small_cells=True,
        )
        compressed, _ = runner.compress(request)
        assert compressed.fingerprint == fingerprint, f"{compressor}, {place}"
