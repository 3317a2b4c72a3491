"""What a result was measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("rethinkdc", "torch", "torchvision", "timm", "numpy", "pillow", "datasets", "safetensors", "pydantic")


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Device, threads, versions and the state of the framework's checkout, if it is one; no paths, no user names."""
    return {
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine(),
        "cpu": _cpu(),
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "versions": {name: known for name in _PACKAGES if (known := _version(name))},
        "git": _git(),
    }


@cache
def _cpu() -> str:
    """The processor, and the instructions that torch uses of it, on which the bits of a result depend."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        name = found[1] if found else name
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _git() -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout that the code runs from; None for an installed wheel.

    Asked once by each process, whose code is that of its start.
    """
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        commit = _output(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_output(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _output(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
