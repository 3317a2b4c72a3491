"""A hub of this machine: what Hugging Face's libraries ask for, answered from files over a local socket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Repositories ``datasets/OWNER/NAME`` and ``models/OWNER/NAME`` below a folder, each of one commit.

    Attributes:
        asked: the paths that were asked for.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.asked = root, list[str]()

    def answer(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        """The body and the headers for a path; None = there is no such thing."""
        self.asked.append(path)
        parts = unquote(urlparse(path).path).strip("/").split("/")
        if parts[0] == "api":
            kind, owner, name, *rest = [*parts[1:], "", ""]
            repo = self.root / kind / owner / name
            if not (owner and name and repo.is_dir()):
                return None
            rest = [part for part in rest if part]
            return json.dumps(self._tell(kind, f"{owner}/{name}", repo, rest)).encode(), {}
        kind = "datasets" if parts[0] == "datasets" else "models"
        owner, name, verb, _, *rest = parts[1:] if kind == "datasets" else parts
        file = self.root / kind / owner / name / "/".join(rest)
        if verb != "resolve" or not file.is_file():
            return None
        body = file.read_bytes()
        return body, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(body).hexdigest()}"'}

    def _tell(self, kind: str, identity: str, repo: Path, rest: list[str]) -> Any:
        files = sorted(path.relative_to(repo).as_posix() for path in repo.rglob("*") if path.is_file())
        if rest and rest[0] in ("tree", "paths-info"):
            below = "/".join(rest[2:])
            return [self._entry(repo, name) for name in files if not below or name.startswith(f"{below}/")]
        return {
            "id": identity,
            "sha": COMMIT,
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [{"rfilename": name} for name in files],
            "lastModified": "2024-01-01T00:00:00.000Z",
        }

    def _entry(self, repo: Path, name: str) -> dict[str, Any]:
        content = (repo / name).read_bytes()
        return {"type": "file", "oid": hashlib.sha1(content).hexdigest(), "size": len(content), "path": name}


@contextmanager
def serving(hub: FakeHub) -> Iterator[str]:
    """Serves a hub at an address of this machine; afterwards nobody listens there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(body=True)

        def do_HEAD(self) -> None:
            self._say(body=False)

        def do_POST(self) -> None:
            wanted = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            self._say(body=True, only=wanted.get("paths"))

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

        def _say(self, *, body: bool, only: list[str] | None = None) -> None:
            answer = hub.answer(self.path)
            # Of a repository that is there it is a file that is not.
            absent = "EntryNotFound" if "/resolve/" in self.path else "RepoNotFound"
            content, headers = answer or (b"", {"X-Error-Code": absent})
            if answer and only is not None:
                content = json.dumps([one for one in json.loads(content) if one["path"] in only]).encode()
            self.send_response(200 if answer else 404)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
