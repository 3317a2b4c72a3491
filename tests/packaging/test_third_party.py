"""Plugins of other people, beside the built wheel, in fresh environments outside the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = Path(__file__).parent / "third_party"
# A student of 20 steps and a proxy of two epochs: enough to see that everything is there.
SHORT = ("--set", "training.steps=20", "--set", "proxy.training.epochs=2", "--set", "proxy.scores.el2n.epochs=1")


@dataclass(frozen=True)
class Environment:
    """A virtual environment whose framework is the wheel; torch and the like are the tests' own."""

    folder: Path
    work: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def call(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment with a cache, a home and caches of its own."""
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "OMP_NUM_THREADS", "TMPDIR") if key in os.environ}
        own = {
            "HOME": str(self.folder / "home"),
            "RETHINKDC_CACHE": str(self.folder / "cache"),
            "HF_HOME": str(self.folder / "hf"),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "200",
        }
        program, *words = map(str, command)
        return subprocess.run(
            [str(self.folder / "bin" / program), *words],
            env=kept | own,
            cwd=cwd or self.work,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def ok(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """As :meth:`call`, for a program that must succeed."""
        done = self.call(*command, cwd=cwd)
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> Any:
        """What ``rethinkdc ... --json`` prints."""
        return json.loads(self.ok("rethinkdc", *words, "--json").stdout)


def make_environment(folder: Path, wheel: Path, *projects: str) -> Environment:
    """Installs the wheel, and third parties' projects beside it, from what is on this machine."""
    made = Environment(folder, folder / "empty")
    venv.create(folder, with_pip=False)
    made.work.mkdir()
    (folder / "home").mkdir()
    wheels = [wheel]
    for project in projects:
        # A copy, since building leaves folders behind.
        source = shutil.copytree(PROJECTS / project, folder / "projects" / project)
        pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder / "wheels", source)
    wheels += sorted((folder / "wheels").glob("*.whl"))
    assert len(wheels) == 1 + len(projects)
    pip("--python", made.python, "install", "--no-deps", "--no-index", *wheels)
    (site,) = (folder / "lib").glob("python*/site-packages")
    # After the environment's own folder, and without the .pth files in there: no editable install is seen.
    others = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "beside.pth").write_text("\n".join(others))
    return made


def pip(*words: str | Path) -> None:
    """Runs the tests' own pip."""
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *map(str, words)], env=os.environ | quiet, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def stranger(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel, three good plugins and a broken one."""
    projects = ("every_nth", "trajectories", "processes", "broken")
    return make_environment(tmp_path_factory.mktemp("stranger"), wheel, *projects)


@pytest.fixture(scope="session")
def contested(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel and a plugin that claims a built-in's name."""
    return make_environment(tmp_path_factory.mktemp("contested"), wheel, "clashing")


def test_the_environment_runs_the_wheel_and_not_the_checkout(stranger: Environment) -> None:
    """Otherwise every other test here would show nothing."""
    code = "import rethinkdc, rethinkdc.plugins.random.random as r, rethinkdc.protocols as p, acme_every_nth as a\n"
    code += "print(rethinkdc.__file__, r.__file__, p.__file__, a.__file__, sep='\\n')"
    files = stranger.ok("python", "-c", code).stdout.split()
    assert len(files) == 4
    assert all(Path(file).is_relative_to(stranger.folder) for file in files)


@pytest.fixture(scope="session")
def listed(stranger: Environment) -> list[dict[str, Any]]:
    """What ``list-plugins`` says there."""
    found: list[dict[str, Any]] = stranger.json("list-plugins")
    return found


def test_a_third_partys_method_is_listed_with_its_distribution_and_version(listed: list[dict[str, Any]]) -> None:
    (row,) = [row for row in listed if row["name"] == "every-nth"]
    assert (row["kind"], row["distribution"], row["version"]) == ("compressor", "acme-every-nth", "2.3.4")
    assert (row["status"], row["parameters"]) == ("ok", ["n"])


@pytest.mark.slow
def test_a_third_partys_engine_makes_the_runs_of_a_sweep(stranger: Environment, listed: list[dict[str, Any]]) -> None:
    (row,) = [row for row in listed if row["name"] == "acme-processes"]
    assert (row["kind"], row["distribution"], row["parameters"]) == ("engine", "acme-processes", ["nice"])
    (stranger.work / "study.toml").write_text(
        'dataset = "digits"\ncompressors = ["random"]\nipc = [1, 1000]\n[overrides]\ntraining.steps = 5\n'
    )
    places = ("--records", str(stranger.folder / "engine-records"), "--device", "cpu")
    over = stranger.json("sweep", "study.toml", *places, "--engine", "acme-processes:nice=3")
    assert [record["status"] for record in over] == ["ok", "unsupported"]
    (here,) = stranger.json("run", "-d", "digits", "-c", "random", "--ipc", "1", "--set", "training.steps=5")
    assert here["result_digest"] == over[0]["result_digest"]


def test_every_builtin_is_listed_once(listed: list[dict[str, Any]]) -> None:
    """The tests' own installation lies behind the wheel's: its entry points must not count a second time."""
    own = [(row["kind"], row["name"]) for row in listed if row["distribution"] == "rethinkdc"]
    assert len(own) == len(set(own)) > 10


def test_a_broken_plugin_is_listed_with_the_reason(stranger: Environment, listed: list[dict[str, Any]]) -> None:
    (row,) = [row for row in listed if row["status"] != "ok"]
    assert (row["name"], row["distribution"], row["status"]) == ("broken", "acme-broken", "broken")
    assert "a_package_that_nobody_has" in row["reason"]
    table = stranger.ok("rethinkdc", "list-plugins").stdout
    assert "a_package_that_nobody_has" in table
    assert "every-nth" in table


def test_asking_for_a_broken_plugin_says_what_is_wrong_with_it(stranger: Environment) -> None:
    asked = stranger.call("rethinkdc", "run", "-d", "digits", "--compressor", "broken")
    assert asked.returncode == 2
    assert "acme-broken 0.0.1" in asked.stderr
    assert "a_package_that_nobody_has" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_a_third_partys_method_runs_under_the_same_protocol_as_a_builtin(stranger: Environment) -> None:
    (theirs,) = stranger.json("run", "-d", "digits", "--compressor", "every-nth:n=3", *SHORT)
    (random,) = stranger.json("run", "-d", "digits", "--compressor", "random", *SHORT)
    assert theirs["status"] == random["status"] == "ok"
    assert theirs["protocol_digest"] == random["protocol_digest"]
    assert theirs["dataset_fingerprint"] == random["dataset_fingerprint"]
    assert theirs["names"]["compressor"] == "every-nth:n=3"
    (code,) = [one for one in theirs["code"] if one["method"] == "compressor every-nth"]
    assert (code["distribution"], code["version"], code["parameters"]) == ("acme-every-nth", "2.3.4", {"n": 3})
    assert theirs["definition"]["compressor"]["code"] == code["digest"]
    assert theirs["plugins"] == {"acme-every-nth": "2.3.4", "rethinkdc": random["environment"]["versions"]["rethinkdc"]}
    assert set(random["plugins"]) == {"rethinkdc"}
    assert random["environment"]["git"] is None


TRAJECTORIES = "acme-trajectories:experts=1,epochs=1,steps=2,iterations=1"


@pytest.mark.slow
def test_a_third_partys_method_trains_networks_of_its_own_and_learns_labels_and_a_rate(
    stranger: Environment, tmp_path: Path
) -> None:
    place = tmp_path / "set"
    stranger.ok("rethinkdc", "compress", "-d", "digits", "--compressor", TRAJECTORIES, "--ipc", "1", "--out", place)
    about = json.loads((place / "card.json").read_text())
    assert about["student_lr"] > 0
    assert sum(seconds for key, seconds in about["card"]["seconds"].items() if key.startswith("experts:")) > 0
    labels = ("--labeler", "soft-static:source=learned", "--protocol", "digits-soft")
    (record,) = stranger.json("evaluate", str(place), *labels)
    assert record["status"] == "ok"
    # The stage that the package named is counted, and told, like the framework's own.
    assert record["cost"]["seconds"]["experts"] > 0
    assert "experts" in stranger.ok("rethinkdc", "evaluate", place, *labels).stdout


def test_a_parameter_of_a_third_partys_method_is_validated(stranger: Environment) -> None:
    wrong = stranger.call("rethinkdc", "run", "-d", "digits", "--compressor", "every-nth:n=0")
    assert wrong.returncode == 2
    assert "n = 0" in wrong.stderr


@pytest.mark.promised
@pytest.mark.slow
def test_the_main_job_runs_from_the_wheel_in_an_empty_folder(stranger: Environment, tmp_path: Path) -> None:
    done = stranger.ok("rethinkdc", "run", "-d", "digits", "--compressor", "pca", "--labeler", "hard", cwd=tmp_path)
    assert "top-1" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["records"]
    assert len(list((tmp_path / "records").rglob("*.json"))) == 1


@pytest.mark.slow
def test_protocols_are_shown_from_the_wheel(stranger: Environment) -> None:
    assert "imagenet1k-hard" in stranger.ok("rethinkdc", "show", "imagenet1k-hard").stdout
    shown = {protocol["id"] for protocol in stranger.json("list-protocols")}
    assert shown == {path.stem for path in (ROOT / "protocols").glob("*.toml")}


def test_a_command_that_does_not_name_a_clash_only_warns(contested: Environment) -> None:
    done = contested.ok("rethinkdc", "run", "-d", "digits", "--compressor", "pca:score=random", *SHORT)
    assert "Warning" in done.stderr
    assert "rethinkdc" in done.stderr
    assert "acme-random 1.1.0" in done.stderr


def test_both_claims_to_a_name_are_listed(contested: Environment) -> None:
    rows = [row for row in contested.json("list-plugins") if (row["kind"], row["name"]) == ("compressor", "random")]
    assert {row["distribution"] for row in rows} == {"rethinkdc", "acme-random"}
    assert {row["status"] for row in rows} == {"clash"}
    by_owner = {row["distribution"]: row["reason"] for row in rows}
    assert "acme-random 1.1.0" in by_owner["rethinkdc"]
    assert "rethinkdc" in by_owner["acme-random"]


def test_a_name_that_two_distributions_claim_is_refused_with_both(contested: Environment) -> None:
    done = contested.call("rethinkdc", "run", "-d", "digits", "--compressor", "random")
    assert done.returncode == 2
    assert "acme-random/random" in done.stderr
    assert "rethinkdc/random" in done.stderr
    assert not (contested.work / "records" / "random").exists()


@pytest.mark.slow
def test_a_name_with_its_distribution_means_one_of_the_two(contested: Environment) -> None:
    (own,) = contested.json("run", "-d", "digits", "--compressor", "rethinkdc/random", *SHORT)
    (theirs,) = contested.json("run", "-d", "digits", "--compressor", "acme-random/random", *SHORT)
    assert own["key"] != theirs["key"]
    assert own["result_digest"] != theirs["result_digest"]
    assert own["names"]["compressor"] == "rethinkdc/random"
    assert theirs["names"]["compressor"] == "acme-random/random"
    assert set(own["plugins"]) == {"rethinkdc"}
    assert set(theirs["plugins"]) == {"acme-random", "rethinkdc"}


@pytest.mark.promised
@pytest.mark.slow
def test_the_worked_example_for_contributors_works(stranger: Environment, tmp_path: Path) -> None:
    """The files and the commands of CONTRIBUTING.md, as they stand there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = dict(
        re.findall(r"^`([\w.]+)`[^\n]*\n(?:[^\n`][^\n]*\n)*\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    )
    assert set(files) == {"pyproject.toml", "nearest_mean.py", "test_nearest_mean.py"}
    project = tmp_path / "project"
    project.mkdir()
    for name, content in files.items():
        (project / name).write_text(content, encoding="utf-8")
    (console,) = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    install, *commands = [line.removeprefix("$ ").split() for line in console.splitlines()]
    assert install == ["pip", "install", "-e", "."]
    # What the command needs is here already, and nothing may come from elsewhere.
    pip("--python", stranger.python, "install", "--no-deps", "--no-index", "--no-build-isolation", "-e", project)
    for program, *words in commands:
        if program == "pytest":
            done = stranger.ok("python", "-m", "pytest", "-q", *words, cwd=project)
            assert "2 passed" in done.stdout
        else:
            # The long part takes a minute; the built-ins pass it under the marker slow.
            quick = ["--quick"] if words[0] == "check-plugin" else []
            done = stranger.ok(program, *words, *quick, cwd=project)
            assert "nearest-mean" in done.stdout
    assert len(commands) == 4


OTHER_TOOL = {
    "rethinkdc/__init__.py": "",
    "rethinkdc/imagenet_ipc.py": "",
    "rethinkdc/train_KD.py": "def main():\n    print('the other tool')\n",
    "rethinkdc/utils.py": "",
    "rethinkdc/utils_fkd.py": "",
    "rethinkdc/dc_config/standard_hard_config.yaml": "",
    "rethinkdc-0.3.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: rethinkdc\nVersion: 0.3.2\n",
    "rethinkdc-0.3.2.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "rethinkdc-0.3.2.dist-info/entry_points.txt": "[console_scripts]\nrethinkdc = rethinkdc.train_KD:main\n",
}


@pytest.fixture(scope="session")
def other_tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with the file names of the other tool called rethinkdc."""
    path = tmp_path_factory.mktemp("other") / "rethinkdc-0.3.2-py3-none-any.whl"
    record = "rethinkdc-0.3.2.dist-info/RECORD"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in OTHER_TOOL.items():
            archive.writestr(name, content)
        archive.writestr(record, "".join(f"{name},,\n" for name in (*OTHER_TOOL, record)))
    return path


@pytest.mark.slow
def test_the_other_tool_in_the_same_folder_is_refused_until_both_are_removed(
    wheel: Path, other_tool: Path, tmp_path: Path
) -> None:
    """Without ``--ignore-installed`` pip removes one before it installs the other, and there is nothing to see."""
    mixed = make_environment(tmp_path / "mixed", wheel)
    install = ("--python", mixed.python, "install", "--no-deps", "--no-index", "--ignore-installed")
    for order in ([other_tool], [other_tool, wheel]):
        for path in order:
            pip(*install, path)
        # Installed over this one, the other tool has the command too; the module can still speak.
        done = mixed.call("python", "-m", "rethinkdc", "list-protocols")
        assert done.returncode == 2
        assert "Another tool named rethinkdc" in done.stderr
        assert "train_KD.py" in done.stderr
        (command,) = re.findall(r"`python -m pip (uninstall --yes rethinkdc)` twice", done.stderr.replace("\n", " "))
        for _ in range(2):
            pip("--python", mixed.python, *command.split())
        pip(*install, wheel)
    assert "digits-hard" in mixed.ok("rethinkdc", "list-protocols").stdout


def test_every_project_here_and_in_the_texts_asks_for_this_tool() -> None:
    """A dependency without a version would be met by the other tool of the package index."""
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    files = [ROOT / "pyproject.toml", *PROJECTS.rglob("pyproject.toml"), *(ROOT / "tests").rglob("*.py"), *texts]
    stated = [
        requirement
        for path in files
        for listed in re.findall(r"dependencies = \[(.*?)\]", path.read_text(encoding="utf-8"), re.DOTALL)
        for requirement in re.findall(r"[\"'](rethinkdc\b[^\"']*)[\"']", listed)
    ]
    assert len(stated) > 3
    assert set(stated) == {"rethinkdc>=1.0"}
