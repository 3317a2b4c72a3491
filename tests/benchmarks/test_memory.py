"""Scoring an encoded dataset must not hold it: peak anonymous memory grows by at most 64 bytes per added image."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

BYTES_PER_IMAGE = 64
SMALL, LARGE = 20_000, 200_000

MEASURE = """
import json, sys, threading, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from rethinkdc.runs.calls import Machine, Keeping
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.request import Request
from rethinkdc.runs.ground import load_splits
from rethinkdc.runs.resolving import resolve_run

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

folder, cache, protocol, measured = sys.argv[1:]
runner = make_runner(Machine(cache_dir=cache, device="cpu", workers=0), Keeping(records=cache + "/records"))
request = Request(compressor="full", dataset=folder, protocol=protocol, backing="encoded")
plan = resolve_run(request, runner.registry, runner.cache)
peak, stop = [0], threading.Event()

def watch():
    while not stop.is_set():
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
if measured == "yes":
    watcher.start()
splits = load_splits(plan, runner.cache)
if measured == "yes":
    with runner.surroundings(plan, splits) as context:
        scores = context.score("el2n:observe=clean")
    assert len(scores) == len(splits.train)
    stop.set()
    watcher.join()
print(json.dumps(peak[0]))
"""

PROTOCOL = """
id = "memory"
version = 1
summary = "One short epoch of a tiny network: the pass over the data is what is measured."
status = "untuned"
track = "hard"
[sources]
[data]
classes = 10
[store]
size = 8
[student]
model = { name = "convnet", values = { depth = 1, width = 4, norm = "group" } }
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[training]
steps = 1
[test]
resize = 8
size = 8
fit = "squash"
[proxy]
model = { name = "convnet", values = { depth = 1, width = 4, norm = "group" } }
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
clean = [1.0]
[proxy.training]
epochs = 1
batch = 512
[[proxy.training.views]]
op = "flip"
"""


def _dataset(folder: Path, rows: int) -> None:
    """Parquet of small PNG images of two sizes, so that they stay encoded."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    def encoded(value: int, side: int) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.full((side, side, 3), value, dtype=np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    images = [{"bytes": encoded(value, 8 + value % 2), "path": None} for value in range(100)]
    (folder / "data").mkdir(parents=True)
    for split, count in (("train", rows), ("test", 100)):
        writer = None
        for first in range(0, count, 10_000):
            index = range(first, min(first + 10_000, count))
            table = pa.table({"image": [images[i % 100] for i in index], "label": [i % 10 for i in index]})
            writer = writer or pq.ParquetWriter(folder / "data" / f"{split}-00000-of-00001.parquet", table.schema)
            writer.write_table(table)
        assert writer is not None
        writer.close()


def _peak(tmp_path: Path, rows: int) -> int:
    """Peak anonymous bytes of scoring ``rows`` images, in a process of its own.

    A first process converts Parquet to Arrow files: that is `datasets`' work, done once for each dataset.
    """
    folder, cache = tmp_path / f"data-{rows}", tmp_path / f"cache-{rows}"
    _dataset(folder, rows)
    protocol = tmp_path / "memory.toml"
    protocol.write_text(PROTOCOL)
    peak = 0
    for measured in ("no", "yes"):
        command = [sys.executable, "-c", MEASURE, str(folder), str(cache), str(protocol), measured]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        peak = json.loads(done.stdout.splitlines()[-1])
    return peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads anonymous memory from /proc")
def test_scoring_ten_times_the_images_adds_at_most_64_bytes_per_image(tmp_path: Path) -> None:
    small, large = _peak(tmp_path, SMALL), _peak(tmp_path, LARGE)
    added = (large - small) / (LARGE - SMALL)
    print(f"\n{small:,} bytes at {SMALL:,} images, {large:,} at {LARGE:,}: {added:.1f} per added image")
    assert added <= BYTES_PER_IMAGE
