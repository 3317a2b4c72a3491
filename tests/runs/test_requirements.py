"""The environment of a record as lines for pip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from typer.testing import CliRunner

import rethinkdc as rdc
from rethinkdc.cli.main import app
from rethinkdc.errors import RequestError
from rethinkdc.notes import MethodCode
from rethinkdc.runs.requirements import requirements_of


def run(tmp_path: Path) -> Any:
    return rdc.run(
        "random", dataset="digits", ipc=1, overrides={"training.steps": 2}, device="cpu",
        records=tmp_path / "records", cache_dir=tmp_path / "cache",
    )  # fmt: skip


def test_each_distribution_has_its_version_and_what_pip_cannot_install_is_a_comment(tmp_path: Path) -> None:
    record = run(tmp_path)
    told = {**record.environment, "versions": {"rethinkdc": "1.0.0", "torch": "2.9.1+cu130"}, "python": "3.11.7"}
    code = (
        MethodCode(method="compressor mine", distribution="acme", version="2.0", digest="a" * 64),
        MethodCode(method="labeler yours", distribution="here", version="0.1", digest="b" * 64, editable=True),
    )
    changed = record.model_copy(
        update={"environment": told, "plugins": {"acme": "2.0", "here": "0.1", "rethinkdc": "1.0.0"}, "code": code}
    )
    assert requirements_of(changed) == [
        f"# {record.key}, of {record.created}, with Python 3.11.7",
        "acme==2.0",
        "# here==0.1: a checkout, whose code had the digest bbbbbbbbbbbb",
        "rethinkdc==1.0.0",
        "torch==2.9.1  # cu130",
    ]


def test_the_command_prints_what_pip_reads(tmp_path: Path) -> None:
    record = run(tmp_path)
    where = ["--records", str(tmp_path / "records")]
    done = CliRunner().invoke(app, ["list-plugins", "--requirements", record.key, *where])
    lines = [line.partition("#")[0].strip() for line in done.stdout.splitlines()]
    named = {Requirement(line).name for line in lines if line}
    assert {"torch", "pydantic"} <= named
    missing = CliRunner().invoke(app, ["list-plugins", "--requirements", "f" * 24, *where])
    assert isinstance(missing.exception, RequestError)
