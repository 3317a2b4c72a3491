"""Every parser of what comes from outside, against inputs made wrong: by default a few, by ``-m slow`` many.

``RETHINKDC_FUZZ_CASES`` chooses how many for each parser. The figures of the many are printed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.fuzz import folders, kept, numbers, pictures, texts
from tests.fuzz.harness import HEAD, Parser, run_series

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a case takes is asked of Linux")

_ALL = (*texts.PARSERS, *numbers.PARSERS, *pictures.PARSERS, *folders.PARSERS, *kept.PARSERS)
PARSERS = {parser.name: parser for parser in _ALL}
FEW, MANY = (int(os.environ.get("RETHINKDC_FUZZ_CASES", count)) for count in (200, 10_000))
every_parser = pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS.keys())


@every_parser
def test_what_is_wrong_is_refused_in_a_sentence(parser: Parser, tmp_path: Path) -> None:
    run_series(parser, FEW // 10 if parser.costly else FEW, tmp_path)


@pytest.mark.slow
@every_parser
def test_however_it_is_wrong(parser: Parser, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = run_series(parser, MANY, tmp_path)
    with capsys.disabled():
        print(f"\n{HEAD}\n{figures}")


def test_no_two_parsers_have_one_name() -> None:
    assert len(PARSERS) == len(_ALL)
