"""A SLURM of this machine, for tests: sbatch, srun, scontrol, scancel and sacct, over a folder that holds its state.

A job is a process of this file that runs the script of sbatch, again where it was queued again meanwhile. SLURM's own
signals go to every process of a step; here the test sends them itself.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("sbatch", "srun", "scontrol", "scancel", "sacct")


def install(folder: Path) -> Path:
    """Writes the programs to a folder and returns it; what they do lies in its folder ``state``."""
    (folder / "state").mkdir(parents=True)
    for name in PROGRAMS:
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{__file__}" "{folder / "state"}" {name} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def sbatch(state: Path, script: str) -> None:
    """Begins the tasks of an array, or one job; prints its number."""
    if (refusal := state / "refusal").exists():
        sys.exit(f"sbatch: error: {refusal.read_text()}")
    number = 100 + len(list(state.glob("*.sh")))
    kept = state / f"{number}.sh"
    text = Path(script).read_text()
    kept.write_text(text)
    array = re.search(r"^#SBATCH --array=0-(\d+)", text, re.MULTILINE)
    for task in range(int(array[1]) + 1) if array else (None,):
        words = [sys.executable, "-S", __file__, str(state), "job", str(number), "" if task is None else str(task)]
        quiet = subprocess.DEVNULL
        subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    print(f"Submitted batch job {number}")


def job(state: Path, number: str, task: str) -> None:
    """One task of an array: runs its script until it is not queued again."""
    name = f"{number}_{task}" if task else number
    environment = {**os.environ, "SLURM_JOB_ID": name, "SLURM_JOB_NUM_NODES": "1", "SLURM_NTASKS": "1"}
    if task:
        environment |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": task}
    again = state / f"{name}.again"
    while True:
        (state / f"{name}.state").write_text("RUNNING")
        script = subprocess.Popen(["bash", str(state / f"{number}.sh")], env=environment)
        (state / f"{name}.pid").write_text(str(script.pid))
        code = script.wait()
        if not again.exists():
            break
        again.rename(state / f"{name}.{time.monotonic_ns()}.queued-again")
    (state / f"{name}.state").write_text("FAILED" if code else "COMPLETED")


def srun(_: Path, *words: str) -> None:
    """Runs a command, with its output in a file."""
    options, command = dict[str, str](), list(words)
    while command[0].startswith("--"):
        option = command.pop(0)
        if option in ("--output", "--error"):
            options[option] = command.pop(0)
    out, error = (Path(re.sub("%[jtAa]", "0", options[name])) for name in ("--output", "--error"))
    with out.open("ab") as stdout, error.open("ab") as stderr:
        sys.exit(subprocess.run(command, stdout=stdout, stderr=stderr).returncode)


def scontrol(state: Path, verb: str, name: str) -> None:
    """Queues a job again."""
    assert verb == "requeue"
    (state / f"{name}.again").touch()


def scancel(state: Path, name: str) -> None:
    """Ends a job, or all tasks of an array."""
    for file in state.glob(f"{name}*.pid"):
        os.killpg(os.getpgid(int(file.read_text())), signal.SIGKILL)
        file.with_suffix(".state").write_text("CANCELLED")


def sacct(state: Path, *_: str) -> None:
    """Lists all jobs."""
    print("JobID|State|NodeList")
    for file in sorted(state.glob("*.state")):
        print(f"{file.stem}|{file.read_text()}|here")


if __name__ == "__main__":
    globals()[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
