"""No command removes a folder that another command owns, whichever was interrupted and whichever comes next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.context.cache import Cache
from rethinkdc.runs.records import Records
from rethinkdc.runs.working import clear_recorded, hold_run
from rethinkdc.storage import file_digest, lock, parts
from rethinkdc.studies.study import Study
from rethinkdc.training import loop

SHIPPED = Path(__file__).resolve().parents[2] / "protocols" / "digits-hard.toml"
SHORTER = {
    "steps = { 1 = 300, 10 = 600, 50 = 1200 }": "steps = 3",
    "epochs = 20\n": "epochs = 1\n",
    "epochs = [1, 10]": "epochs = [1, 1]",
    "[reference]\nepochs = 40": "[reference]\nepochs = 1",
}
Files = dict[str, str]


@dataclass
class Place:
    """A cache and records in which one command of each sort was interrupted in the middle of its work."""

    folder: Path
    owned: dict[str, Files] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.folder / "cache" / "work"

    def files(self) -> Files:
        return {
            path.relative_to(self.work).as_posix(): file_digest(path) for path in self.work.rglob("*") if path.is_file()
        }

    def commands(self) -> dict[str, Callable[[], object]]:
        """Each does work of its own: no other shares its run, its set or its proxy."""
        on: dict[str, Any] = {"protocol": str(self.folder / "short.toml")}
        here: dict[str, Any] = {**on, "cache_dir": self.folder / "cache", "device": "cpu"}
        kept: dict[str, Any] = {**here, "records": self.folder / "records"}
        study = Study(compressors=("random",), seeds=(2,), **on)
        sweep: dict[str, Any] = {key: kept[key] for key in ("cache_dir", "device", "records")}
        return {
            "run": lambda: rdc.run("random", seed=1, **kept),
            "run --force": lambda: rdc.run("random", force=True, **kept),
            "run full": lambda: rdc.run("full", **kept),
            "sweep": lambda: rdc.sweep(study, **sweep),
            "evaluate": lambda: rdc.evaluate(self.folder / "set", **kept),
            "compress": lambda: rdc.compress("dm:iterations=1", self.folder / "dm", **here),
            "score": lambda: rdc.score("el2n", seed=3, **here),
            "trace": lambda: rdc.trace(self.folder / "trace", seed=4, **here),
            "rows": lambda: rdc.rows("el2n:direction=easy", seed=5, **here),
            "run of an existing record": lambda: rdc.run("random", **kept),
        }

    def prepare(self) -> None:
        text = SHIPPED.read_text()
        for old, new in SHORTER.items():
            assert old in text
            text = text.replace(old, new)
        (self.folder / "short.toml").write_text(text)
        self.commands()["run of an existing record"]()
        here: dict[str, Any] = {"cache_dir": self.folder / "cache", "device": "cpu"}
        rdc.compress("random", self.folder / "set", seed=6, protocol=str(self.folder / "short.toml"), **here)


OWNERS = [name for name in Place(Path()).commands() if name != "run of an existing record"]


def interrupt_after(module: Any, name: str, patch: pytest.MonkeyPatch) -> None:
    """A user stops the command as soon as it has put something aside."""
    original = getattr(module, name)

    def stopped(*given: Any, **named: Any) -> None:
        original(*given, **named)
        raise KeyboardInterrupt

    patch.setattr(module, name, stopped)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("interrupted") / "place")
    place.folder.mkdir()
    place.prepare()
    for name in OWNERS:
        before = place.files()
        with pytest.MonkeyPatch.context() as patch:
            interrupt_after(loop, "save_checkpoint", patch)
            interrupt_after(parts, "_seal", patch)
            with pytest.raises(KeyboardInterrupt):
                place.commands()[name]()
        after = place.files()
        assert before.items() <= after.items(), f"{name} touched what others had put aside"
        place.owned[name] = dict(after.items() - before.items())
        wanted = ".safetensors" if name == "compress" else ".pt"
        assert any(file.endswith(wanted) for file in place.owned[name]), f"{name} put nothing aside"
    shutil.copytree(place.folder, place.folder.with_name("copy"))
    return place


@pytest.fixture
def place(pristine: Place) -> Place:
    """As the interruptions left it, in the same place: paths count too."""
    shutil.rmtree(pristine.folder)
    shutil.copytree(pristine.folder.with_name("copy"), pristine.folder)
    return pristine


@pytest.fixture
def resumed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was taken up again: checkpoints and finished parts."""
    taken: list[object] = []

    def watch(module: Any, name: str) -> None:
        original = getattr(module, name)

        def watched(*given: Any, **named: Any) -> Any:
            value = original(*given, **named)
            if value is not None:
                taken.append(value)
            return value

        monkeypatch.setattr(module, name, watched)

    watch(loop, "load_checkpoint")
    watch(parts, "kept_part")
    return taken


@pytest.mark.parametrize("name", Place(Path()).commands())
def test_a_command_leaves_the_work_of_every_other_alone_and_goes_on_with_its_own(
    name: str, place: Place, resumed: list[object]
) -> None:
    place.commands()[name]()
    left = place.files()
    for other, files in place.owned.items():
        if other != name:
            assert files.items() <= left.items(), f"{name} touched the work of {other}"
    own = place.owned.get(name, {})
    assert not own.keys() & left.keys(), f"{name} left its own work behind"
    assert bool(resumed) == bool(own), "interrupted work is taken up, and no other"


def test_work_that_is_no_run_has_no_working_folder_of_one(place: Place) -> None:
    names = {name: {Path(file).parts[0].partition("-")[0] for file in files} for name, files in place.owned.items()}
    assert {name for name, kinds in names.items() if "runs" in kinds} == {
        "run",
        "run --force",
        "run full",
        "sweep",
        "evaluate",
    }


def test_what_is_left_of_a_recorded_run_goes_unless_somebody_holds_the_run(tmp_path: Path) -> None:
    """A process is killed after it wrote the record and before it removed its folder."""
    machine: dict[str, Any] = {
        "records": tmp_path / "records",
        "cache_dir": tmp_path / "cache",
        "device": "cpu",
        "dataset": "digits",
    }
    cache, records = Cache(tmp_path / "cache"), Records(tmp_path / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rethinkdc.runs.working.RunFolder.clear", lambda _: None)
        record = rdc.run("random", overrides={"training.steps": 3}, **machine)
    (folder,) = (tmp_path / "cache" / "work").glob("runs-*")
    with hold_run(cache, records, record.key):
        clear_recorded(cache, records, record.key)
        assert folder.exists()
    clear_recorded(cache, records, record.key)
    assert not folder.exists()


def test_a_forced_run_does_not_go_on_from_a_recorded_one(tmp_path: Path, resumed: list[object]) -> None:
    machine: dict[str, Any] = {
        "records": tmp_path / "records",
        "cache_dir": tmp_path / "cache",
        "device": "cpu",
        "dataset": "digits",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rethinkdc.runs.working.RunFolder.clear", lambda _: None)
        rdc.run("random", overrides={"training.steps": 3}, **machine)
    rdc.run("random", overrides={"training.steps": 3}, force=True, **machine)
    assert resumed == []


def test_the_work_of_an_artefact_that_is_there_goes_unless_somebody_holds_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def build(_: Path, out: Path) -> None:
        (out / "file").write_text("made")

    cache.make("things", "key", build)
    left = cache.work("things", "key") / "checkpoint"
    left.write_text("left")
    with lock(tmp_path / "locks" / "things-key.lock"):
        cache.make("things", "key", build)
        assert left.exists()
    cache.make("things", "key", build)
    assert not left.parent.exists()
