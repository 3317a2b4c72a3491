"""``python -m tests.benchmarks.scale measure FOLDER`` measures, ``table FOLDER`` prints it, ``arithmetic`` estimates.

What is measured is added to ``FOLDER/taken.jsonl``. Tables are made once for each size and lie in the folder, 11 GB of
them with all classes. A scenario that was not measured with all 1,000 classes is extrapolated, and the table says so.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from rethinkdc.registry.registry import Registry
from tests.benchmarks.scale.arithmetic import lines_of
from tests.benchmarks.scale.everything import scenarios
from tests.benchmarks.scale.measuring import measure
from tests.benchmarks.scale.summary import TAKEN, read, tables_of
from tests.benchmarks.scale.tables import Shape


def _measure(folder: Path, classes: list[int], only: list[str], per_class: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in scenarios():
        words = f"{one.group} {one.name}"
        if only and not any(word in words for word in only):
            continue
        for count in classes:
            shape = replace(Shape(), classes=count, per_class=per_class)
            taken = measure(one, shape, folder)
            line = {"group": one.group, "name": one.name, "classes": count, "per_class": per_class, **taken._asdict()}
            with (folder / TAKEN).open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(
                f"{words}, {count} classes: {taken.cpu:.2f} s CPU, {taken.wall:.2f} s wall, "
                f"{taken.anonymous >> 20} MiB, {taken.disk >> 20} MiB on disk, {taken.facts}",
                flush=True,
            )


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("what", choices=("measure", "table", "arithmetic"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path("scale"))
    parser.add_argument("--classes", type=int, nargs="+", default=[20, 50], help="sizes, as classes that have rows")
    parser.add_argument("--per-class", type=int, default=Shape().per_class, help="rows of each")
    parser.add_argument("--only", nargs="+", default=[], help="scenarios whose group and name hold one of these")
    given = parser.parse_args()
    if given.what == "measure":
        _measure(given.folder, given.classes, given.only, given.per_class)
    elif given.what == "table":
        print(tables_of(read(given.folder)))
    else:
        print("\n".join(lines_of(Registry())))


if __name__ == "__main__":
    _main()
