"""Without a network: no socket is opened, whoever asks, and errors say what fetches what is missing."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import rethinkdc as rdc
from rethinkdc.cli.carry_out import carry_out
from rethinkdc.errors import DataError, RequestError
from rethinkdc.offline import ENVIRONMENT, OfflineError, connection, disconnected, is_offline
from rethinkdc.plugins.engines.ray import Ray
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.studies.units import Workload, write_workload


def test_nobody_opens_a_socket_and_everybody_may_again() -> None:
    with disconnected():
        assert is_offline()
        for family in (socket.AF_INET, socket.AF_INET6):
            with pytest.raises(OfflineError, match=r"--offline opens no socket; `rethinkdc prepare --study STUDY`"):
                socket.socket(family)
        with pytest.raises(OfflineError, match=r"A connection to example\.org"):
            socket.getaddrinfo("example.org", 443)
        with pytest.raises(URLError, match=r"A connection to 127\.0\.0\.1"):
            urlopen("http://127.0.0.1:9")
    assert not is_offline()
    socket.socket().close()


def test_what_was_opened_before_connects_nowhere() -> None:
    with socket.socket() as before, disconnected(), pytest.raises(OfflineError, match=r"A connection to 127\.0\.0\.1"):
        before.connect(("127.0.0.1", 9))


def test_processes_of_this_machine_may_still_speak_with_each_other() -> None:
    with disconnected():
        one, other = socket.socketpair()
        one.sendall(b"heard")
        assert other.recv(5) == b"heard"
        one.close()
        other.close()


def test_threads_are_offline_too_and_one_end_does_not_end_another() -> None:
    seen: list[BaseException] = []

    def ask() -> None:
        try:
            socket.socket()
        except OfflineError as error:
            seen.append(error)

    with disconnected():
        with disconnected():
            pass
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert len(seen) == 1


def test_libraries_are_told_and_find_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config
    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    before = dict(os.environ)
    with disconnected():
        assert (os.environ["HF_HUB_OFFLINE"], os.environ["WANDB_MODE"], os.environ[ENVIRONMENT]) == (
            "1",
            "offline",
            "1",
        )
        assert constants.HF_HUB_OFFLINE
        assert datasets.config.HF_HUB_OFFLINE
    assert dict(os.environ) == before
    assert not constants.HF_HUB_OFFLINE
    assert not datasets.config.HF_HUB_OFFLINE
    with pytest.raises(KeyError), disconnected():
        raise KeyError
    assert (dict(os.environ), is_offline()) == (before, False)


@pytest.mark.parametrize(("said", "offline"), [("1", True), ("0", False), ("", False)])
def test_the_environment_says_it_for_every_command(said: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, said)
    with connection(offline=False):
        assert is_offline() == offline
    monkeypatch.delenv(ENVIRONMENT)
    with connection(offline=True):
        assert is_offline()
    with connection(offline=False):
        assert not is_offline()


def test_a_worker_hands_its_error_on() -> None:
    again = pickle.loads(pickle.dumps(OfflineError("A connection was asked for.")))
    assert (type(again), str(again)) == (OfflineError, "A connection was asked for.")


def test_a_library_that_is_first_imported_offline_is_not_offline_for_good() -> None:
    code = (
        "from rethinkdc.offline import disconnected\n"
        "with disconnected():\n"
        "    import huggingface_hub.constants as constants\n"
        "    assert constants.HF_HUB_OFFLINE\n"
        "assert not constants.HF_HUB_OFFLINE\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)


def test_a_python_call_is_offline_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DataError, match=r"someone/absent.*`rethinkdc prepare --study STUDY` fetches what a study"):
        rdc.run("random", dataset="someone/absent", protocol="auto-hard", cache_dir=tmp_path, offline=True)
    assert not is_offline()


def test_weights_that_are_not_here_are_named_with_what_fetches_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rethinkdc.plugins.teachers.timm import TimmTeacher
    from rethinkdc.plugins.teachers.torchvision import TorchvisionTeacher

    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for source in (TorchvisionTeacher(id="resnet18"), TimmTeacher(id="resnet18")):
        with disconnected(), pytest.raises(RequestError, match=r"(?s)neither here.*rethinkdc prepare --study STUDY"):
            source.fetch()


def test_what_is_for_the_network_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"--offline: hub:me/mine is reached over a network"):
        rdc.export(tmp_path / "none", out="hub:me/mine", offline=True)


@pytest.mark.parametrize("offline", [False, True])
def test_processes_of_an_engine_are_offline_where_the_sweep_is(
    offline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    workload = Workload((), Machine(offline=offline, cache_dir=tmp_path), Keeping(), tmp_path, version("rethinkdc"))
    write_workload(tmp_path / "units.json", workload)
    monkeypatch.setattr("rethinkdc.studies.taking.take_units", lambda *_: seen.append(is_offline()))
    monkeypatch.chdir(tmp_path)
    carry_out(file=tmp_path / "units.json", with_parent=False)
    assert seen == [offline]


def test_ray_is_refused_before_it_opens_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rethinkdc.plugins.engines.ray.find_spec", lambda _: True)
    with disconnected(), pytest.raises(RequestError, match="Ray speaks over sockets, and --offline opens none"):
        Ray().check()
