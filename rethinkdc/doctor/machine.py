"""Python, torch, processors and memory."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from rethinkdc.cores import cores, free_memory
from rethinkdc.doctor.finding import Finding

_LITTLE = 4 << 30
"""Bytes of memory below which runs of small protocols begin to fail."""
_DRIVER = Path("/proc/driver/nvidia/version")
_WANTED = "python -m pip install --upgrade torch torchvision"
_WORDS = {"DEFAULT": "no vector instructions"}


def look_at_python() -> Iterator[Finding]:
    """The interpreter, and whether it has an environment of its own."""
    told = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}."
    # Environments of conda have no other prefix.
    if sys.prefix == sys.base_prefix and not Path(sys.prefix, "conda-meta").is_dir():
        yield Finding(
            "python",
            "notice",
            f"{told} It is no virtual environment: packages of other projects are shared with it.",
            "python -m venv .venv && . .venv/bin/activate && pip install rethinkdc",
        )
    else:
        yield Finding("python", "fine", told)


def look_at_processors() -> Iterator[Finding]:
    """Cores, threads and memory."""
    count, named = cores(), os.environ.get("OMP_NUM_THREADS")
    threads = f"; OMP_NUM_THREADS is {named}, and runs use --threads" if named else ""
    yield Finding("processors", "fine", f"{count} cores may be used of {os.cpu_count()}{threads}.")
    free = free_memory()
    if free is None:
        yield Finding("memory", "notice", "Nobody tells here how much memory is free.")
    elif free < _LITTLE:
        yield Finding(
            "memory",
            "notice",
            f"{free / (1 << 30):.1f} GiB are free. One run of a small protocol takes about 1, one with ImageNet's "
            "traces more.",
            "rethinkdc sweep STUDY --jobs 1",
        )
    else:
        yield Finding("memory", "fine", f"{free / (1 << 30):.1f} GiB are free.")


def look_at_torch() -> Iterator[Finding]:
    """What torch computes with: the instructions of the processor, and GPUs."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    yield Finding(
        "torch", "fine", f"torch {torch.__version__} computes with {_WORDS.get(capability, capability)} on the CPU."
    )
    driver = _driver()
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Finding(
            "gpu",
            "fine",
            f"{len(names)} CUDA devices: {', '.join(names)}; driver {driver or 'unknown'}, torch for "
            f"CUDA {torch.version.cuda}.",
        )
    elif driver and torch.version.cuda is None:
        yield Finding(
            "gpu", "fault", f"There is an NVIDIA driver ({driver}), and this torch is built for the CPU alone.", _WANTED
        )
    elif driver:
        yield Finding(
            "gpu",
            "fault",
            f"There is an NVIDIA driver ({driver}), and torch for CUDA {torch.version.cuda} cannot use it. It is "
            "older than this torch needs, or hides its devices (CUDA_VISIBLE_DEVICES="
            f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}).",
            "nvidia-smi",
        )
    else:
        yield Finding("gpu", "fine", "There is no NVIDIA GPU: runs use the CPU.")


def _driver() -> str:
    """The version of the NVIDIA driver; empty where there is none."""
    try:
        line = _DRIVER.read_text().splitlines()[0]
    except (OSError, IndexError):
        return ""
    return next((word for word in line.split() if word[:1].isdigit()), "of unknown version")
