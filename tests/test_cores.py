"""How many processes and threads a machine carries, and the number that a run chooses for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import rethinkdc as rdc
from rethinkdc import cores
from rethinkdc.cores import MEMORY_PER_JOB, count_jobs, free_memory, read_count
from rethinkdc.errors import RequestError
from rethinkdc.runs import best_threads
from rethinkdc.runs.device import choose_device, spread_device
from rethinkdc.studies.calls import SweepCall

SHORT = {"training.steps": 2}


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "many", "", 0, -2, 1.5, True, None, "²"])
def test_what_is_no_number_and_not_auto_is_refused(given: Any) -> None:
    with pytest.raises(RequestError, match=r"--jobs .*a whole number of at least 1 is needed, or auto"):
        read_count("--jobs", given)


def test_numbers_are_read_as_they_are() -> None:
    assert [read_count("--jobs", given) for given in ("3", 3, "auto")] == [3, 3, "auto"]
    assert SweepCall("digits-small", jobs="2").processes == 2


@pytest.mark.parametrize(
    ("have", "memory", "threads", "expected"),
    [(16, 64, 1, 16), (16, 64, 4, 4), (16, 3, 1, 3), (2, 0, 1, 1), (4, 64, 8, 1), (6, None, 1, 6)],
)
def test_jobs_are_as_many_as_cores_and_memory_carry(
    monkeypatch: pytest.MonkeyPatch, have: int, memory: int | None, threads: int, expected: int
) -> None:
    monkeypatch.setattr(cores, "cores", lambda: have)
    monkeypatch.setattr(cores, "free_memory", lambda: None if memory is None else memory * MEMORY_PER_JOB)
    assert count_jobs("cpu", threads) == expected
    assert SweepCall("digits-small", jobs="auto", device="cpu", threads=threads).processes == expected


@pytest.mark.parametrize("name", [None, "cuda"])
def test_ranks_of_a_machine_take_a_device_each_and_no_more_start_than_there_are(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert choose_device(name) == torch.device("cuda")
    # Of the second machine.
    for rank, local in ((2, 0), (3, 1)):
        for key, value in {"RANK": rank, "WORLD_SIZE": 5, "LOCAL_RANK": local}.items():
            monkeypatch.setenv(key, str(value))
        assert choose_device(name) == torch.device("cuda", local)
        assert choose_device("cuda:1") == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(RequestError, match=r"number 3 on this machine, which has 2 CUDA devices.*Start 2 or fewer"):
        choose_device(name)


def test_on_cuda_there_is_a_process_for_each_device_and_each_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [count_jobs(device, 1) for device in (None, "cuda", "cuda:1")] == [3, 3, 1]
    taken: list[torch.device] = []
    for _ in range(4):
        taken.append(spread_device(torch.device("cuda"), taken))
    assert [device.index for device in taken] == [0, 1, 2, 0]
    # One that ended leaves its device to the next.
    assert spread_device(torch.device("cuda"), [taken[0], taken[2]]).index == 1
    assert spread_device(torch.device("cuda", 1), taken) == torch.device("cuda", 1)


def test_this_machine_has_cores_and_tells_its_memory() -> None:
    assert cores.cores() >= 1
    assert (free_memory() or 1) > 0


@pytest.mark.parametrize(
    ("limit", "taken", "spare"),
    [
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_what_a_container_takes_already_is_not_free(
    limit: str, taken: str, spare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "_CGROUP", tmp_path)
    whole = free_memory()
    (tmp_path / limit).parent.mkdir(exist_ok=True)
    (tmp_path / limit).write_text("max\n")
    (tmp_path / taken).write_text("700\n")
    assert (free_memory() is None) is (whole is None)
    (tmp_path / limit).write_text("1000\n")
    assert free_memory() == 300
    (tmp_path / taken).with_name("memory.stat").write_text(f"anon 500\n{spare} 150\n")
    assert free_memory() == 450


def test_a_quota_of_a_container_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 3)
    assert cores.cores() == 3


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [({1: 1.0}, 1), ({1: 1.0, 2: 0.6, 4: 0.59}, 2), ({1: 1.0, 2: 0.99, 4: 0.4}, 4), ({1: 1.0, 2: 2.0}, 1)],
)
def test_more_threads_are_chosen_only_where_they_are_faster(seconds: dict[int, float], expected: int) -> None:
    assert best_threads.choose(seconds) == expected


def test_a_run_chooses_its_threads_once_and_its_record_is_that_of_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []

    def measured(_: object, counts: list[int]) -> dict[int, float]:
        asked.append(counts)
        return {1: 1.0, 2: 0.5}

    monkeypatch.setattr(best_threads, "cores", lambda: 2)
    monkeypatch.setattr(best_threads, "_measure", measured)
    given: dict[str, Any] = {"dataset": "digits", "ipc": 1, "overrides": SHORT, "device": "cpu"}
    chosen = rdc.run("random", threads="auto", cache_dir=tmp_path / "cache", records=tmp_path / "a", **given)
    again = rdc.run("random", threads="auto", cache_dir=tmp_path / "cache", records=tmp_path / "b", **given)
    said = rdc.run("random", threads=2, cache_dir=tmp_path / "other", records=tmp_path / "c", **given)
    assert asked == [[1, 2]]
    assert [record.environment["threads"] for record in (chosen, again, said)] == [2, 2, 2]
    assert len({record.key for record in (chosen, again, said)}) == 1
    assert len({record.result_digest for record in (chosen, again, said)}) == 1
    (book,) = (tmp_path / "cache" / "threads").iterdir()
    book.write_bytes(b"damage")
    rdc.run("random", threads="auto", cache_dir=tmp_path / "cache", records=tmp_path / "d", **given)
    assert len(asked) == 2


def test_the_steps_of_a_student_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best_threads, "_SECONDS", 0.0)
    monkeypatch.setattr(best_threads, "_ROUNDS", 1)
    monkeypatch.setattr(best_threads, "cores", lambda: 2)
    before = torch.get_num_threads(), torch.get_rng_state()
    record = rdc.run(
        "random", dataset="digits", ipc=1, overrides=SHORT, device="cpu", threads="auto",
        cache_dir=tmp_path / "cache", records=tmp_path / "records",
    )  # fmt: skip
    assert record.environment["threads"] in (1, 2)
    assert torch.get_num_threads() == before[0]


def test_only_a_run_on_a_cpu_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where: dict[str, Any] = {"cache_dir": tmp_path / "cache", "records": tmp_path / "records"}
    with pytest.raises(RequestError, match="--threads auto: only `rethinkdc run` chooses"):
        rdc.sweep("digits-small", threads="auto", **where)
    monkeypatch.setattr("rethinkdc.runs.machine.choose_device", lambda *_, **__: torch.device("cuda"))
    with pytest.raises(RequestError, match="--threads auto: threads are those of a CPU"):
        rdc.run("random", dataset="digits", threads="auto", **where)
