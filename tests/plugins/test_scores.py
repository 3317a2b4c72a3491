"""The scores of training dynamics: which column, which epochs, which end, worked by hand on tiny traces."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rethinkdc.contracts.kinds import Score
from rethinkdc.errors import DataError, RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator
from rethinkdc.testing import context, images
from rethinkdc.training.trace import Trace
from rethinkdc.training.trace_folder import export_trace

Make = Callable[..., Any]


def rows_of(p: float) -> tuple[float, float, float]:
    """Probabilities of three classes with p for the true one, and the rest as 3 to 1."""
    return (p, 0.75 * (1 - p), 0.25 * (1 - p))


P = [(0.2, 0.9), (0.6, 0.8), (0.3, 0.9), (0.7, 0.95), (0.4, 0.9), (0.8, 0.99)]
"""Probability of the true class of two rows in six epochs: an uncertain and an easy one."""
EPOCHS = [tuple(rows_of(p) for p in epoch) for epoch in P]


@pytest.fixture
def traced(record: Make, surround: Make) -> Any:
    return surround(record(EPOCHS, clean=(2, 4)))


def scored(text: str, traced: Any) -> list[float]:
    method = Registry().build("score", text)
    assert isinstance(method, Score)
    found: Tensor = method.score(images(), traced)
    assert found.dtype == torch.float32
    return found.tolist()


def probabilities(first: int = 1, last: int = 6) -> Any:
    return np.array(P)[first - 1 : last].T


def near(values: Any) -> Any:
    return pytest.approx(list(values), abs=2e-6)


def margins(p: Any) -> Any:
    return p - 0.75 * (1 - p)


def test_aum_is_the_mean_margin_over_the_whole_run_with_the_hard_end_high(traced: Any) -> None:
    p = probabilities()
    assert scored("aum:space=prob", traced) == near(-margins(p).mean(1))
    assert scored("aum", traced) == near(-np.log(p / (0.75 * (1 - p))).mean(1))
    assert scored("aum:space=prob,epochs=[2,3]", traced) == near(-margins(probabilities(2, 3)).mean(1))
    assert traced.notes["score_epochs"] == [2, 3]


def test_forgetting_counts_and_puts_the_never_learned_at_the_hard_end(record: Make, surround: Make) -> None:
    forgotten, never = (0.9, 0.2, 0.9, 0.3), (0.3, 0.2, 0.3, 0.2)
    here = surround(record([(rows_of(a), rows_of(b)) for a, b in zip(forgotten, never, strict=True)]))
    assert scored("forgetting", here) == [2.0, 4.0]
    assert scored("forgetting:never_learned=inf", here) == [2.0, math.inf]
    assert scored("forgetting:never_learned=zero", here) == [2.0, 0.0]
    assert scored("forgetting:epochs=[1,3]", here) == [1.0, 3.0]


def test_grand_is_the_exact_norm_of_the_last_layers_gradient(traced: Any) -> None:
    """Against autograd on a linear layer that reads the recorded feature."""
    for epoch, shown in ((2, EPOCHS[2]), (4, EPOCHS[4])):
        wanted = []
        for probability in shown:
            layer = torch.nn.Linear(1, 3).double()
            with torch.no_grad():
                layer.weight.zero_()
                layer.bias.copy_(torch.tensor(probability).double().log())
            loss = torch.nn.functional.cross_entropy(layer(torch.full((1, 1), 2.0).double()), torch.tensor([0]))
            loss.backward()
            gradient = torch.cat([part.grad.flatten() for part in layer.parameters() if part.grad is not None])
            wanted.append(float(gradient.norm()))
        assert scored(f"grand:epochs={epoch}", traced) == near(wanted)
    assert scored("grand", traced) == scored("grand:epochs=2", traced)


def test_dyn_unc_is_the_mean_spread_of_all_windows(traced: Any) -> None:
    p = probabilities()
    wanted = np.mean([p[:, at : at + 4].std(axis=1, ddof=1) for at in range(3)], axis=0)
    assert scored("dyn-unc:window=4", traced) == near(wanted)
    # Half of fewer than twenty epochs where nothing is said.
    assert scored("dyn-unc", traced) == scored("dyn-unc:window=3", traced)


def test_dual_weighs_the_spread_by_the_difficulty(traced: Any) -> None:
    p = probabilities(1, 4)
    windows = [p[:, at : at + 3] for at in range(2)]
    wanted = np.mean([w.std(axis=1, ddof=1) * (1 - w.mean(axis=1)) for w in windows], axis=0)
    assert scored("dual:epochs=[1,4],window=3", traced) == near(wanted)


def test_dual_and_tdds_read_the_first_thirty_epochs_of_a_long_run(record: Make, surround: Make) -> None:
    values = torch.rand((40, 2), generator=generator(0)).tolist()
    here = surround(record([tuple(rows_of(p) for p in epoch) for epoch in values]))
    assert scored("dual", here) == scored("dual:epochs=[1,30],window=10", here)
    assert scored("tdds", here) == scored("tdds:epochs=[1,30],window=10", here)
    assert scored("dyn-unc", here) == scored("dyn-unc:epochs=[1,40],window=10", here)
    assert scored("dual", here) != scored("dyn-unc", here)


def test_cad_reads_the_windows_that_end_last(traced: Any) -> None:
    p = probabilities()
    wanted = np.mean([p[:, 1:5].std(axis=1, ddof=1), p[:, 2:6].std(axis=1, ddof=1)], axis=0)
    assert scored("cad", traced) == near(wanted)
    assert scored("cad:window=3,last=1", traced) == near(p[:, 3:].std(axis=1, ddof=1))


def test_tdds_is_uneven_change_with_the_last_window_heaviest(traced: Any) -> None:
    p = np.array([[rows_of(value) for value in row] for row in probabilities()])  # [rows, epochs, classes]
    changes = np.abs(p[:, 1:] * np.log(p[:, 1:] / p[:, :-1])).sum(-1)
    wanted = np.zeros(2)
    for at, weight in enumerate((0.9 * 0.1**2, 0.9 * 0.1, 0.9)):
        inside = changes[:, at : at + 3]  # a window of four epochs has three changes
        wanted += weight * np.linalg.norm(inside - inside.mean(1, keepdims=True), axis=1)
    # The trace keeps log-probabilities between epochs as float16.
    assert scored("tdds:window=4", traced) == pytest.approx(wanted.tolist(), rel=2e-3)


@pytest.mark.parametrize("observe", ["train", "clean"])
def test_uncertainty_is_high_for_uncertain_rows(observe: str, traced: Any) -> None:
    """Clean columns show the next epoch; the default is the last one observed."""
    shown = np.array(EPOCHS[5] if observe == "train" else EPOCHS[4])
    ordered = np.sort(shown, axis=1)
    assert scored(f"entropy:observe={observe}", traced) == near(-(shown * np.log(shown)).sum(1))
    assert scored(f"margin:observe={observe}", traced) == near(-(ordered[:, -1] - ordered[:, -2]))
    assert scored(f"least-confidence:observe={observe}", traced) == near(1 - ordered[:, -1])


def test_least_confidence_is_of_the_predicted_class_also_where_it_is_wrong(record: Make, surround: Make) -> None:
    """By raw logits, or by the true class's probability, the first row would be the less confident one."""
    here = surround(record([((0.1, 0.85, 0.05), (0.7, 0.2, 0.1))]))
    assert scored("least-confidence:observe=train", here) == near([0.15, 0.3])


@pytest.mark.parametrize("name", ["aum", "forgetting", "dyn-unc", "dual", "cad", "tdds", "entropy", "grand"])
def test_repeats_average_independent_runs(name: str, record: Make, surround: Make) -> None:
    other = [tuple(rows_of(p) for p in reversed(epoch)) for epoch in P]
    runs = record(EPOCHS, clean=(2, 4)), record(other, clean=(2, 4))
    both = [scored(name, surround(run)) for run in runs]
    assert scored(f"{name}:repeats=2", surround(*runs)) == near(np.mean(both, axis=0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dual:window=7", "a window of 7 epochs is longer than the 6"),
        ("tdds:epochs=[2,3]", "fewer than two changes"),
        ("cad:window=5,last=3", "hold 2 windows of 5, not last=3"),
        ("aum:epochs=9", "within 1..6"),
        ("entropy:epochs=3", r"lists the epochs 2, 4\."),
        ("aum:repeats=2,trace=somewhere", "an imported trace is one run"),
    ],
)
def test_epochs_that_the_maths_cannot_use_are_an_error(text: str, message: str, traced: Any) -> None:
    with pytest.raises(RequestError, match=message):
        scored(text, traced)


def test_the_record_says_whether_the_proxy_is_the_papers(record: Make, surround: Make) -> None:
    long = record([(rows_of(0.5), rows_of(0.6))] * 60)
    shared, paper = surround(long), surround(long, optimizer="sgd")
    for here in (shared, paper):
        scored("aum", here)
    assert "proxy" not in shared.notes  # the context says shared, and nothing contradicts it
    assert paper.notes["proxy"] == "paper"


def test_a_trace_is_exported_and_read_for_the_same_data_only(tmp_path: Path) -> None:
    here = context(tmp_path)
    source = {"fingerprint": here.data.fingerprint}
    export_trace(here.trace(), source, tmp_path / "shared")
    with pytest.raises(RequestError, match="exists already"):
        export_trace(here.trace(), source, tmp_path / "shared")

    elsewhere = context(tmp_path / "elsewhere")
    found = elsewhere.score(f"el2n:trace={tmp_path / 'shared'}")
    assert torch.equal(found, here.score("el2n"))
    assert not (tmp_path / "elsewhere" / "cache" / "proxies").exists()
    assert elsewhere.books.notes["proxy"] == "imported"

    other = context(tmp_path / "other", data=images(seed=1))
    with pytest.raises(DataError, match="is of 80 rows of data"):
        other.score(f"el2n:trace={tmp_path / 'shared'}")


def test_a_damaged_trace_is_refused(tmp_path: Path) -> None:
    here = context(tmp_path)
    export_trace(here.trace(), {"fingerprint": here.data.fingerprint}, tmp_path / "shared")
    numbers = tmp_path / "shared" / "train.npy"
    content = bytearray(numbers.read_bytes())
    content[-1] ^= 1
    numbers.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be used.*checksum"):
        here.score(f"aum:trace={tmp_path / 'shared'}")
    with pytest.raises(DataError, match="no trace folder"):
        here.score(_missing(tmp_path))


def _missing(folder: Path) -> str:
    (folder / "file").write_text("")
    return f"aum:trace={folder / 'file'}"


def test_a_trace_of_a_longer_run_is_read_by_its_own_length(record: Make, surround: Make, tmp_path: Path) -> None:
    trace: Trace = record(EPOCHS, clean=(2, 4))
    export_trace(trace, {}, tmp_path / "shared")
    pair = images(classes=1, per_class=2)
    short = surround(record(EPOCHS[:2]))
    method = Registry().build("score", f"aum:space=prob,trace={tmp_path / 'shared'}")
    assert isinstance(method, Score)
    assert method.score(pair, short).tolist() == near(-margins(probabilities()).mean(1))
