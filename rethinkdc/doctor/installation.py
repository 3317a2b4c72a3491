"""Looks whether another tool of the same name lies in the package's own folder."""

from __future__ import annotations

from pathlib import Path

from rethinkdc.errors import RequestError

OTHER_FILES = ("dc_config", "imagenet_ipc.py", "train_KD.py", "utils_fkd.py")
"""What rethinkdc 0.3.2 of the package index, the evaluator of the paper's authors, has and this framework has not."""
PACKAGE = Path(__file__).resolve().parent.parent
"""The folder of this package."""


def others_in(folder: Path) -> list[str]:
    """Files of the other tool in a folder."""
    return [name for name in OTHER_FILES if (folder / name).exists()]


def check_installation(folder: Path = PACKAGE) -> None:
    """Refuses to work out of a folder in which two tools are mixed: whose metadata and modules are read is chance.

    Args:
        folder: the package's.

    Raises:
        RequestError: files of the other tool lie there; names them, and the commands that mend it.
    """
    if others := others_in(folder):
        raise RequestError(
            "Another tool named rethinkdc (versions below 1.0 in the package index) lies in the same folder, "
            f"{folder}: found {', '.join(others)}. One was installed over the other, and the two "
            "cannot work together. Run `python -m pip uninstall --yes rethinkdc` twice, once for each, "
            "delete what is left of the folder, and install rethinkdc>=1.0 again."
        )
