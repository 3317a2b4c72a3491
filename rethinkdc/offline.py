"""Work without a network: no socket is opened, and what would have opened one is an error.

Libraries that ask the Hugging Face hub are told so, and look at what they have on this machine; whoever opens a socket
all the same is stopped by Python itself. Ranks of one training, which torch connects on its own, are not concerned.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import Lock
from typing import Any

from rethinkdc.errors import RequestError

ENVIRONMENT = "RETHINKDC_OFFLINE"
"""Set to 1 it makes every command offline, and those that it starts."""
FETCH = "`rethinkdc prepare --study STUDY` fetches what a study needs while there is a network"
"""What to do about what is missing, as an error says it."""
_TOLD = {
    ENVIRONMENT: "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "offline",
}
"""What other libraries, and processes that are started, read in the environment."""
_SWITCHES = (
    ("huggingface_hub.constants", "HF_HUB_OFFLINE"),
    ("datasets.config", "HF_HUB_OFFLINE"),
    ("datasets.config", "HF_DATASETS_OFFLINE"),
)
"""What those that were imported before have made of it."""
_OPENING = frozenset(
    {"socket.__new__", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
)
_REMOTE = (socket.AF_INET, socket.AF_INET6)


class OfflineError(RequestError, OSError):
    """Something asked for a connection although none may be opened."""


class _Guard:
    """Python's own watch over sockets: once there it stays, and refuses while somebody is offline."""

    def __init__(self) -> None:
        self._lock, self._count, self._watches = Lock(), 0, False

    @property
    def refuses(self) -> bool:
        """Whether somebody is offline."""
        return self._count > 0

    def begin(self) -> None:
        """Refuses sockets from here on."""
        with self._lock:
            if not self._watches:
                sys.addaudithook(self._see)
                self._watches = True
            self._count += 1

    def end(self) -> None:
        """Refuses none, once all who began have ended."""
        with self._lock:
            self._count -= 1

    def _see(self, event: str, values: tuple[Any, ...]) -> None:
        if self._count and event in _OPENING and _is_remote(event, values):
            raise OfflineError(f"{_told(event, values)} was asked for, and --offline opens no socket; {FETCH}.")


_GUARD = _Guard()


def is_offline() -> bool:
    """Whether no socket may be opened now."""
    return _GUARD.refuses


def connection(offline: bool) -> AbstractContextManager[None]:
    """A context in which the network may be used, or not: by the option, or by ``RETHINKDC_OFFLINE``."""
    return disconnected() if offline or os.environ.get(ENVIRONMENT, "0") not in ("", "0") else nullcontext()


@contextmanager
def disconnected() -> Iterator[None]:
    """Inside, no socket is opened by this process, nor by those that it starts and that are of this framework.

    Raises:
        OfflineError: from whatever asks for a connection: the name of a host, or a socket that reaches other machines.
    """
    with ExitStack() as stack:
        for module, name in _SWITCHES:
            stack.callback(_switch, module, name, getattr(sys.modules.get(module), name, _of_environment()))
            _switch(module, name, True)
        for name, value in _TOLD.items():
            stack.callback(_put_back, name, os.environ.get(name))
            os.environ[name] = value
        _GUARD.begin()
        stack.callback(_GUARD.end)
        yield


def _put_back(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _switch(module: str, name: str, value: bool) -> None:
    """Sets what a library has read, where it is imported by now."""
    if module in sys.modules and hasattr(sys.modules[module], name):
        setattr(sys.modules[module], name, value)


def _of_environment() -> bool:
    """What a library that is imported inside would have read outside."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _is_remote(event: str, values: tuple[Any, ...]) -> bool:
    """Whether it reaches other machines: sockets of this machine's own processes have no address."""
    if event == "socket.__new__":
        return values[1] in _REMOTE
    return event != "socket.connect" or values[0].family in _REMOTE


def _told(event: str, values: tuple[Any, ...]) -> str:
    if event == "socket.__new__":
        return "A connection"
    address = values[1] if event == "socket.connect" else values[0]
    host = address[0] if isinstance(address, tuple) else address
    return f"A connection to {host.decode(errors='replace') if isinstance(host, bytes) else host}"
