"""rethinkdc: a plugin-based benchmark framework for dataset compression.

    import rethinkdc as rdc
    record = rdc.run("pca", "hard")

Names are imported when they are first used, so that the command line's help needs neither torch nor datasets.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rethinkdc.api import (
        compare,
        compress,
        evaluate,
        explain,
        export,
        inspect,
        leaderboard,
        parity,
        plot,
        prepare,
        report,
        robust,
        rows,
        run,
        score,
        sweep,
        trace,
        verify,
    )
    from rethinkdc.compressed.preview import contact_sheet
    from rethinkdc.contracts.hooks import hookimpl
    from rethinkdc.runs.predictions import read_predictions
    from rethinkdc.runs.records import Record
    from rethinkdc.runs.sheets import read_sheet
    from rethinkdc.seeds import Seeds

_HOMES = {
    "Record": "runs.records",
    "Seeds": "seeds",
    "compare": "api",
    "compress": "api",
    "contact_sheet": "compressed.preview",
    "evaluate": "api",
    "explain": "api",
    "export": "api",
    "hookimpl": "contracts.hooks",
    "inspect": "api",
    "leaderboard": "api",
    "parity": "api",
    "plot": "api",
    "prepare": "api",
    "read_predictions": "runs.predictions",
    "read_sheet": "runs.sheets",
    "report": "api",
    "robust": "api",
    "rows": "api",
    "run": "api",
    "score": "api",
    "sweep": "api",
    "trace": "api",
    "verify": "api",
}

__all__ = [
    "Record",
    "Seeds",
    "compare",
    "compress",
    "contact_sheet",
    "evaluate",
    "explain",
    "export",
    "hookimpl",
    "inspect",
    "leaderboard",
    "parity",
    "plot",
    "prepare",
    "read_predictions",
    "read_sheet",
    "report",
    "robust",
    "rows",
    "run",
    "score",
    "sweep",
    "trace",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rethinkdc' has no attribute {name!r}")
    return getattr(import_module(f"rethinkdc.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
