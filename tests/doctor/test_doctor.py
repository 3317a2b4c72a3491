"""The doctor: what is wrong is found, said with what mends it, and nothing is changed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, version
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from rethinkdc.cli.main import app
from rethinkdc.doctor import folders, machine, methods, packages
from rethinkdc.doctor.finding import Finding, settled
from rethinkdc.doctor.folders import file_system, look_at_folder
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry


def verdicts(found: Iterator[Finding]) -> dict[str, str]:
    return {one.about: one.verdict for one in found}


def look(folder: Path) -> list[Finding]:
    return list(look_at_folder("cache", folder, "--cache-dir", "RETHINKDC_CACHE"))


def test_all_is_told_and_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(app, ["doctor", "--json"])
    told = json.loads(done.stdout)
    found = {one["about"]: one for one in told["findings"]}
    # Of the machine that tests run on nothing is known.
    assert told["faults"] == sum(one["verdict"] == "fault" for one in told["findings"])
    assert done.exit_code == bool(told["faults"])
    assert any("digits" in one["told"] for one in told["findings"] if one["about"] == "datasets")
    assert torch.__version__ in found["torch"]["told"]
    assert "is not there yet, and can be made in" in found["records"]["told"]
    # The registry remembers its verdicts on third parties in the cache, and only there.
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


def test_a_fault_is_printed_with_what_mends_it_and_ends_with_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(folders, "writable", lambda folder: False)
    done = CliRunner().invoke(app, ["doctor", "--records", str(tmp_path / "kept")])
    assert done.exit_code == 1
    assert f"FAULT  records: {tmp_path} cannot be written." in done.stdout
    assert "-> export RETHINKDC_RECORDS=FOLDER, or --records FOLDER" in done.stdout
    assert "faults: each is named above" in done.stdout


def test_locks_that_others_do_not_see_are_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {one.verdict for one in look(tmp_path)} == {"fine"}
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    found = {one.about: one for one in look(tmp_path)}
    assert found["cache: locks"].verdict == "fault"
    assert "are not seen by others" in found["cache: locks"].told
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", fail)
    found = {one.about: one for one in look(tmp_path)}
    assert "has no locks (No locks available)" in found["cache: locks"].told
    assert found["cache: locks"].mend.endswith("--cache-dir FOLDER")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("free", "files", "verdict"),
    [(100 << 30, 1 << 20, "fine"), (1 << 30, 1 << 20, "notice"), (1 << 20, 1 << 20, "fault"), (100 << 30, 9, "fault")],
)
def test_room_is_told_before_it_is_missing(
    free: int, files: int, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_files=1 << 24, f_favail=files))
    assert verdicts(iter(look(tmp_path)))["cache: room"] == verdict


def test_the_file_system_is_the_one_that_is_mounted_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path}/my\\040disk nfs4 rw 0 0\n/dev/b {tmp_path}/my xfs rw 0 0\n"
    )
    monkeypatch.setattr(folders, "_MOUNTS", mounts)
    assert file_system(tmp_path / "my disk" / "cache") == "nfs4"
    assert file_system(tmp_path / "my") == "xfs"
    assert file_system(tmp_path) == "ext4"


@pytest.mark.parametrize(
    ("built_for", "usable", "said"),
    [
        (None, False, "this torch is built for the CPU alone"),
        ("13.0", False, "torch for CUDA 13.0 cannot use it"),
        ("13.0", True, "1 CUDA devices: H; driver 580.1, torch for CUDA 13.0"),
    ],
)
def test_a_driver_that_torch_cannot_use_is_a_fault(
    built_for: str | None, usable: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1  Mon\n")
    monkeypatch.setattr(machine, "_DRIVER", driver)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H")
    (found,) = [one for one in machine.look_at_torch() if one.about == "gpu"]
    assert said in found.told
    assert found.verdict == ("fine" if usable else "fault")


def test_packages_that_are_missing_or_too_old_are_named_with_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        packages, "requires", lambda _: ["torch>=99", "nowhere-to-be-had>=1", "pydantic", "absent; extra == 'ray'"]
    )
    (found,) = [one for one in packages.look_at_distributions() if one.about == "packages"]
    assert found.verdict == "fault"
    assert f"torch is {version('torch')}, and >=99 is needed; nowhere-to-be-had is missing" in found.told
    assert found.mend == "python -m pip install 'torch>=99' 'nowhere-to-be-had>=1'"


def test_two_distributions_of_one_name_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        packages, "distributions", lambda name: [SimpleNamespace(version=version) for version in ("0.3.2", "1.0.0")]
    )
    found = next(packages.look_at_distributions())
    assert found.verdict == "fault"
    assert "Versions 0.3.2 and 1.0.0 of rethinkdc are installed" in found.told


def test_a_broken_plugin_is_a_fault_of_its_distribution(tmp_path: Path, registry_of: Callable[..., Registry]) -> None:
    found = [one for one in methods.look_at_plugins(registry_of(tmp_path)) if one.verdict == "fault"]
    assert len(found) == 1
    assert "The plugin nothing of" in found[0].told
    assert found[0].mend.startswith("python -m pip install --upgrade")


@pytest.fixture
def registry_of() -> Callable[..., Registry]:
    def made(folder: Path) -> Registry:
        return Registry([EntryPoint("nothing", "rethinkdc_of_nobody", "rethinkdc")], cache_folder=folder)

    return made


def test_a_look_that_fails_is_a_fault_and_ends_no_other() -> None:
    def fails() -> Iterator[Finding]:
        yield Finding("it", "fine", "well")
        raise RequestError("cannot be looked at")

    assert verdicts(settled("it", fails())) == {"it": "fault"}
