"""Three users of one cache and one folder of records: its owner, a member of its group, a stranger.

Each is a process of another uid. Where Python or the sources lie in a folder that is root's alone, as ``/root`` is,
they have a mount namespace of their own, in which these can be reached.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import rethinkdc

SOURCES = Path(rethinkdc.__file__).resolve().parents[1]
SERVER = Path(__file__).with_name("as_users.py")
SHIPPED = SOURCES / "protocols" / "digits-hard.toml"
SHORTER = {
    "steps = { 1 = 300, 10 = 600, 50 = 1200 }": "steps = 3",
    "epochs = 20\n": "epochs = 2\n",
    "epochs = [1, 10]": "epochs = [1, 2]",
}
GROUP = 54321
INSIDE = """
set -e
mount --make-rprivate /
for closed in $CLOSED; do
    mkdir -p "$ASIDE/$closed"
    mount --rbind "$closed" "$ASIDE/$closed"
    mount -t tmpfs -o mode=755 tmpfs "$closed"
done
for needed in $NEEDED; do
    [ -d "$needed" ] || { mkdir -p "$needed"; mount --rbind "$ASIDE/$needed" "$needed"; }
done
exec "$@"
"""
"""Shell in a namespace: folders that only their owner may enter are emptied, and what is needed of them put back."""


class User(NamedTuple):
    """Who runs a command, and what the umask takes of what he makes."""

    number: int
    group: int
    umask: int = 0o022


OWNER, MEMBER, STRANGER = User(54001, GROUP), User(54002, GROUP), User(54003, 54003)


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def digest(self) -> str:
        """That of the result of a run."""
        assert self.code == 0, self.err
        (record,) = json.loads(self.out)
        return str(record["result_digest"])


def closed_folders(paths: set[Path]) -> set[Path]:
    """The uppermost folders above some that only their owner may enter."""
    return {
        closed[0]
        for path in paths
        if (closed := [one for one in reversed(path.parents) if not one.stat().st_mode & stat.S_IXOTH])
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """Carries out commands as other users."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become other users")
    needed = {Path(place).resolve() for place in (sys.prefix, sys.base_prefix, SOURCES)} | {Path(sys.prefix)}
    closed = closed_folders(needed)
    if closed and subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"{min(closed)} is root's alone, and no mount namespace can be had")
    spaced = {
        "ASIDE": str(tmp_path_factory.mktemp("aside")),
        "CLOSED": " ".join(map(str, sorted(closed))),
        "NEEDED": " ".join(map(str, sorted(needed))),
    }
    begin = ["unshare", "--mount", "bash", "-c", INSIDE, "bash"] if closed else []
    own = {"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "COLUMNS": "400"}
    with subprocess.Popen(
        [*begin, sys.executable, str(SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **spaced, **own},
    ) as process:
        yield process
        process.stdin.close()  # type: ignore[union-attr]


@dataclass(frozen=True)
class Desk:
    """A folder that all may enter, with a cache and records of the owner's group in it, and a short protocol."""

    server: subprocess.Popen[str]
    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def records(self) -> Path:
        return self.folder / "records"

    def prepare(self) -> None:
        self.folder.chmod(0o755)
        text = SHIPPED.read_text()
        for old, new in SHORTER.items():
            assert old in text
            text = text.replace(old, new)
        (self.folder / "short.toml").write_text(text)
        for folder in (self.cache, self.records):
            self.give(folder, OWNER)
        for user in (OWNER, MEMBER, STRANGER):
            self.give(self.folder / str(user.number), user, 0o755)

    def give(self, folder: Path, user: User, mode: int = 0o2775) -> None:
        """Makes a folder that is a user's."""
        folder.mkdir()
        os.chown(folder, user.number, user.group)
        folder.chmod(mode)

    def command(self, user: User, *argv: str, dies: bool = False) -> Ended:
        """What a command line of a user says."""
        home = str(self.folder / str(user.number))
        about: dict[str, Any] = {**user._asdict(), "groups": [], "home": home, "argv": argv, "dies": dies}
        assert self.server.stdin
        assert self.server.stdout
        print(json.dumps(about), file=self.server.stdin, flush=True)
        ended = Ended(**json.loads(self.server.stdout.readline()))
        assert "Traceback" not in ended.err, ended.err
        return ended

    def run(self, user: User, seed: int, *more: str, records: str = "", dies: bool = False) -> Ended:
        """What ``rethinkdc run`` of a user says."""
        where = ["--cache-dir", str(self.cache), "--records", records or str(self.records)]
        asked = ["-c", "pca", "-d", "digits", "-p", str(self.folder / "short.toml"), "--seed", str(seed), "--json"]
        return self.command(user, "run", *asked, *where, *more, dies=dies)

    def alone(self, seed: int) -> str:
        """The digest of what nobody else has a part in."""
        own = ["--cache-dir", str(self.folder / str(STRANGER.number) / "cache")]
        return self.run(STRANGER, seed, *own, records="own").digest


@pytest.fixture
def desk(server: subprocess.Popen[str]) -> Iterator[Desk]:
    # Not below pytest's own folder, which is root's alone.
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(server, Path(folder))
        desk.prepare()
        yield desk


def modes_below(*folders: Path) -> dict[str, set[str]]:
    """Modes of folders and files, with the names that have them."""
    found: dict[str, set[str]] = {}
    for path in (below for folder in folders for below in folder.rglob("*")):
        found.setdefault(stat.filemode(path.lstat().st_mode), set()).add(path.name)
    return found


def test_members_of_a_group_share_what_is_made_and_go_on_with_each_others_work(desk: Desk) -> None:
    owner, member = OWNER._replace(umask=0o002), MEMBER._replace(umask=0o002)
    first = desk.run(owner, 0)
    assert desk.run(owner, 1, dies=True).code == -9
    (begun,) = (desk.cache / "work").glob("proxies-*")
    inode = begun.stat().st_ino
    assert desk.run(member, 0).digest == first.digest
    assert desk.run(member, 1, dies=True).code == -9
    assert begun.stat().st_ino == inode
    second = desk.run(member, 1)
    assert desk.run(member, 0, "--force").digest == first.digest
    assert second.digest == desk.alone(1)
    assert [first.err, second.err] == ["", ""]
    assert list((desk.cache / "work").iterdir()) == []
    board = json.loads(desk.command(STRANGER, "leaderboard", "--json", "--records", str(desk.records)).out)
    assert board
    assert set(modes_below(desk.cache, desk.records)) == {"drwxrwsr-x", "-rw-rw-r--"}


def test_work_that_another_left_and_that_cannot_be_written_is_passed_by(desk: Desk) -> None:
    """Folders of kinds that all may write, and users whose umask keeps what they make to themselves."""
    for kind in ("fingerprints", "locks", "proxies", "scores", "sets", "work"):
        desk.give(desk.cache / kind, OWNER)
    assert desk.run(OWNER, 0, dies=True).code == -9
    left = sorted((desk.cache / "work").iterdir())
    made = desk.run(MEMBER, 0)
    assert made.err.count("was left by another user and cannot be written") == len(left)
    assert sorted((desk.cache / "work").iterdir()) == left
    (kept,) = (desk.cache / "proxies").glob("[!.]*")
    assert kept.stat().st_uid == MEMBER.number
    again = desk.run(OWNER, 0, "--force", records="own")
    assert again.err == ""
    assert {made.digest, again.digest} == {desk.alone(0)}
    modes = modes_below(desk.cache / "proxies", desk.cache / "locks", desk.records)
    assert set(modes) == {"drwxr-sr-x", "-rw-r--r--"}


def test_what_can_be_kept_is_kept_and_what_cannot_is_made_for_the_process(desk: Desk) -> None:
    for kind in ("proxies", "sets"):
        desk.give(desk.cache / kind, OWNER)
    for kind in ("fingerprints", "locks", "scores", "work"):
        desk.give(desk.cache / kind, OWNER, 0o2755)
    made = desk.run(MEMBER, 0)
    for kind, lost in (("locks", "a kill loses the work"), ("scores", "what this process makes for it is not kept")):
        assert made.err.count(f"The cache folder {desk.cache}/{kind} cannot be written: {lost}") == 1
    assert {path.parent.name for path in desk.cache.glob("*/*")} == {"proxies", "sets"}
    stranger = desk.run(STRANGER, 0, records="own")
    assert {made.digest, stranger.digest} == {desk.alone(0)}


def test_what_a_user_keeps_to_himself_ends_in_a_sentence_or_is_made_again(desk: Desk) -> None:
    first = desk.run(OWNER._replace(umask=0o077), 0)
    assert set(modes_below(desk.cache, desk.records)) == {"drwx--S---", "-rw-------"}
    own = desk.run(MEMBER, 0, records="own")
    assert own.digest == first.digest
    ended = desk.run(MEMBER, 0)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith(f"Error: {desk.records}/")
    assert "cannot be read: Permission denied. Ask its owner" in ended.err
    (desk.records).chmod(0o700)
    where = ["--records", str(desk.records)]
    there = [*where, "--cache-dir", str(desk.cache)]
    asked = [
        ("leaderboard", *where),
        ("report", *where, "--out", "report.html"),
        ("plot", "--list", *where),
        ("show", "0" * 24, *where),
        ("sweep", "digits-small", *there),
        ("compare", "pca", "-d", "digits", "--ipc", "1", *there),
        ("explain", "pca", "-d", "digits", "--ipc", "1", *there),
        ("run", "-c", "random", "-d", "digits", *there),
    ]
    for argv in asked:
        ended = desk.command(STRANGER, *argv)
        assert ended.code == 2, (argv, ended)
        last = ended.err.splitlines()[-1]
        assert last.startswith(f"Error: The records folder {desk.records} cannot be read: Permission denied. "), argv
