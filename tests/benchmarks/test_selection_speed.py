"""Selectors beside the textbook forms that hold k x N or N x N numbers: seconds, and memory beyond the features.

Each measurement is a process of its own, so that its peak is its own. RETHINKDC_SELECTION_PICKS asks for fewer picks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.benchmark

ROWS, DIMENSIONS, MEBIBYTE = 20_000, 512, 1 << 20
PICKS = int(os.environ.get("RETHINKDC_SELECTION_PICKS", "2000"))
METHODS = ("k-center", "herding", "graph-cut", "facility-location")

MEASURE = """
import json, sys, time
import torch
from rethinkdc.training.memory import PeakMeter
from rethinkdc.pruning import Points, cosine_similarity, cut_graph, farthest_points, herd, locate_facilities

form, method, rows, dimensions, picks = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(1)
draws = torch.Generator().manual_seed(0)
# A hundred overlapping clusters, as the features of a network are.
centres = torch.randn((100, dimensions), generator=draws)
whole = torch.randn((rows, dimensions), generator=draws)
whole += centres[torch.randint(100, (rows,), generator=draws)]

def ours(count):
    points = Points(table, everyone)
    if method == "k-center":
        return farthest_points(points, count)
    if method == "herding":
        return herd(points, count)
    if method == "graph-cut":
        return cut_graph(points, count, 1.0)
    return locate_facilities(cosine_similarity(points), rows, count)

def textbook_k_center(count):
    away = torch.empty((count, rows))
    picks, open_rows = [0], torch.ones(rows, dtype=torch.bool)
    open_rows[0] = False
    away[0] = torch.cdist(table[:1], table)[0]
    while len(picks) < count:
        left = everyone[open_rows]
        best = int(left[away[: len(picks)][:, left].amin(0).argmax()])
        away[len(picks)] = torch.cdist(table[best : best + 1], table)[0]
        picks.append(best)
        open_rows[best] = False
    return torch.tensor(picks)

def textbook_herding(count):
    mean, picks, open_rows = table.mean(0), [], torch.ones(rows, dtype=torch.bool)
    for index in range(count):
        wanted = (index + 1) * mean - table[picks].sum(0)
        best = int(everyone[open_rows][(wanted - table[open_rows]).norm(dim=1).argmin()])
        picks.append(best)
        open_rows[best] = False
    return torch.tensor(picks)

def similar():
    unit = torch.nn.functional.normalize(table, dim=1)
    return (unit @ unit.T).add_(1).div_(2)

def textbook_graph_cut(count):
    kernel = similar()
    total, picks = kernel.sum(0), []
    for _ in range(count):
        gains = total - 2 * kernel[picks].sum(0) - kernel.diagonal()
        gains[picks] = -torch.inf
        picks.append(int(gains.argmax()))
    return torch.tensor(picks)

def textbook_facility_location(count):
    kernel = similar()
    covered, picks = torch.zeros(rows), []
    for _ in range(count):
        gains = torch.cat([(part - covered).relu_().sum(1) for part in kernel.split(2048)])
        gains[picks] = -torch.inf
        best = int(gains.argmax())
        picks.append(best)
        covered = torch.maximum(covered, kernel[best])
    return torch.tensor(picks)

choose = ours if form == "ours" else globals()["textbook_" + method.replace("-", "_")]
# Once on a few rows: the libraries that are loaded at the first call are no part of the work.
table, rows = whole[:200], 200
everyone = torch.arange(rows)
choose(5)
table, rows = whole, len(whole)
everyone = torch.arange(rows)
meter, started = PeakMeter(), time.process_time()
found = choose(picks)
print(json.dumps({"seconds": time.process_time() - started, "bytes": meter.read(), "picks": found.tolist()}))
"""


def measured(form: str, method: str, rows: int, picks: int) -> dict[str, Any]:
    words = [form, method, str(rows), str(DIMENSIONS), str(picks)]
    done = subprocess.run([sys.executable, "-c", MEASURE, *words], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_a_selector_is_ten_times_as_fast_as_its_textbook_form(method: str, benchmark: Any) -> None:
    """CPU seconds on one thread. Each pick of the textbook's facility location costs the same: it is extrapolated."""
    picks = PICKS // 10 if method == "facility-location" else PICKS
    ours, textbook = measured("ours", method, ROWS, PICKS), measured("textbook", method, ROWS, picks)
    seconds = textbook["seconds"]
    if picks < PICKS:
        half = measured("textbook", method, ROWS, picks // 2)["seconds"]
        seconds += (seconds - half) / (picks - picks // 2) * (PICKS - picks)
    same = sum(one == other for one, other in zip(ours["picks"], textbook["picks"], strict=False)) / picks
    benchmark.extra_info.update(
        ours=ours["seconds"], textbook=seconds, ratio=seconds / ours["seconds"], bytes=ours["bytes"], same=same
    )
    benchmark.pedantic(lambda: None, rounds=1)
    print(
        f"\n{method}: ours {ours['seconds']:.2f} s, textbook {seconds:.1f} s, ratio {seconds / ours['seconds']:.1f}; "
        f"extra memory {ours['bytes'] / MEBIBYTE:.0f} and {textbook['bytes'] / MEBIBYTE:.0f} MiB; same picks {same:.1%}"
    )
    assert ours["bytes"] <= ROWS * DIMENSIONS * 4 + 64 * MEBIBYTE
    assert seconds >= 10 * ours["seconds"]


@pytest.mark.parametrize("method", METHODS)
def test_seconds_grow_with_the_rows_and_no_faster(method: str, benchmark: Any) -> None:
    """At 500 picks; facility location compares all pairs of rows in its first picks, so it grows with the square."""
    picks = min(500, PICKS)
    largest = 20_000 if method == "facility-location" else 40_000
    sizes = [rows for rows in (5_000, 10_000, 20_000, 40_000) if rows <= largest]
    found = {rows: measured("ours", method, rows, picks) for rows in sizes}
    seconds = {rows: one["seconds"] for rows, one in found.items()}
    benchmark.extra_info.update({str(rows): spent for rows, spent in seconds.items()})
    benchmark.pedantic(lambda: None, rounds=1)
    told = ", ".join(
        f"{rows:,}: {spent:.2f} s, {found[rows]['bytes'] / MEBIBYTE:.0f} MiB" for rows, spent in seconds.items()
    )
    print(f"\n{method} at {picks} picks: {told}")
    for rows, one in found.items():
        assert one["bytes"] <= rows * DIMENSIONS * 4 + 64 * MEBIBYTE
    if method != "facility-location":
        assert seconds[40_000] <= 1.3 * 8 * seconds[5_000]
