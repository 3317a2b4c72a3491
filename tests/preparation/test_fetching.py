"""What a study needs is fetched while there is a network; then its sweep opens no socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

import rethinkdc as rdc
from rethinkdc.errors import RequestError
from rethinkdc.plugins.teachers.torchvision import TorchvisionTeacher
from tests.fake_hub import FakeHub, serving
from tests.small import write_digits, write_short_protocol


def write_study(folder: Path, **values: Any) -> Path:
    path = folder / "study.toml"
    path.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))
    return path


def test_datasets_sets_and_teachers_of_all_runs_are_fetched_once_and_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(TorchvisionTeacher, "fetch", lambda source: fetched.append(source.id))
    monkeypatch.setattr(TorchvisionTeacher, "check", lambda *_: None)
    rdc.compress("random", tmp_path / "mine", dataset="digits", ipc=1, cache_dir=tmp_path / "other")
    study = write_study(
        tmp_path,
        dataset="digits",
        protocol="digits-soft",
        compressors=["random", "sre2l:teacher=[torchvision/resnet18]", "./mine"],
        labelers=["soft", "soft:teachers=[torchvision/resnet18,torchvision/resnet34]"],
        ipc=[1],
        seeds=[0, 1],
    )
    cache = tmp_path / "cache"
    found = rdc.prepare(study=study, cache_dir=cache)
    assert fetched == ["resnet18", "resnet34"]
    what = [one.what for one in found]  # type: ignore[union-attr]
    assert what[0].startswith("the study ")
    assert sum(one.startswith("dataset digits") for one in what) == 1
    assert sum(one.startswith("set ") for one in what) == 1
    # The protocol's own teacher is trained by the sweep; what is fetched of it is nothing.
    assert "teacher trained" in what
    assert not [name for name in ("teachers", "proxies", "sets") if (cache / name).exists()]


def test_what_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: TorchvisionTeacher) -> None:
        raise RequestError("The weights are not there.")

    monkeypatch.setattr(TorchvisionTeacher, "fetch", refuse)
    monkeypatch.setattr(TorchvisionTeacher, "check", lambda *_: None)
    study = write_study(tmp_path, dataset="digits", compressors=["rded:teacher=[torchvision/resnet18]"], ipc=[1])
    with pytest.raises(RequestError, match="The weights are not there"):
        rdc.prepare(study=study, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"study": "digits-small", "dataset": "digits"}, "the dataset digits is about shards"),
        ({"study": "digits-small", "out": "shards"}, "--out is about shards"),
        ({"study": "digits-small", "codec": "png"}, "--codec is about shards"),
        ({"study": "digits-small", "quality": 80}, "--quality is about shards"),
        ({"study": "digits-small", "workers": 0}, "--workers is about shards"),
        ({}, "prepare needs the data that it reads"),
    ],
)
def test_a_study_and_a_dataset_are_two_commands(asked: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=told):
        rdc.prepare(**asked, cache_dir=tmp_path)


def rethinkdc(*words: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rethinkdc", *words]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600
    )


@pytest.mark.slow
def test_a_study_of_the_hub_is_prepared_with_a_network_and_swept_without_one(tmp_path: Path) -> None:
    """A dataset and a teacher's weights come from a hub of this machine; nothing is asked of it afterwards."""
    import timm

    hub = FakeHub(tmp_path / "hub")
    write_digits(hub.root / "datasets" / "someone" / "digits", 100, 50)
    weights = hub.root / "models" / "timm" / "resnet18.a1_in1k"
    weights.mkdir(parents=True)
    config = timm.get_pretrained_cfg("resnet18.a1_in1k")
    assert config is not None
    save_file(timm.create_model("resnet18").state_dict(), weights / "model.safetensors")
    write_short_protocol(tmp_path / "short.toml", "digits-soft", 100, 50, 2, 3)
    values: dict[str, Any] = {
        "dataset": "someone/digits",
        "protocol": "short.toml",
        "compressors": ["random"],
        "ipc": [1],
    }
    study = write_study(tmp_path, **values, labelers=["soft"], seeds=[0, 1])
    code = "from rethinkdc.plugins.teachers.timm import TimmTeacher; TimmTeacher(id='resnet18').fetch()"
    environment = {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "RETHINKDC_CACHE": str(tmp_path / "cache"),
        "RETHINKDC_RECORDS": str(tmp_path / "records"),
    }
    with serving(hub) as address:
        online = {**environment, "HF_ENDPOINT": address}
        done = rethinkdc("prepare", "--study", str(study), folder=tmp_path, environment=online)
        assert done.returncode == 0, done.stderr
        assert "dataset someone/digits, auto: here" in done.stdout
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **online}, check=True, timeout=600)
        assert any("model.safetensors" in path for path in hub.asked)
        hub.asked.clear()
        swept = rethinkdc("sweep", str(study), "--offline", "--jobs", "2", folder=tmp_path, environment=online)
        assert swept.returncode == 0, swept.stderr
        assert hub.asked == []
    without = {**environment, "RETHINKDC_OFFLINE": "1"}
    again = rethinkdc("sweep", str(study), folder=tmp_path, environment=without)
    assert again.returncode == 0, again.stderr
    assert "2 ok on record, 0 to run" in again.stdout
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **without, "HF_HUB_OFFLINE": "1"}, check=True)
    absent = rethinkdc(
        "run", "-c", "random", "-d", "someone/absent", "--offline", folder=tmp_path, environment=environment
    )
    assert absent.returncode == 2
    assert "`rethinkdc prepare --study STUDY`" in absent.stderr
    assert hub.asked == []
