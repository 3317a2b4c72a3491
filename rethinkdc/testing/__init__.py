"""For the tests of plugins: small images, a context without a command line, and what every method must hold.

A plugin's whole conformance test::

    from rethinkdc.testing import check_method

    def test_every_nth_keeps_the_contract(tmp_path):
        check_method("every-nth:n=3", tmp_path)

The framework holds its own methods to the same rules, and ``rethinkdc check-plugin`` prints their verdicts.
"""

from rethinkdc.testing.contract import check_method
from rethinkdc.testing.surroundings import context, encoded, images, registry_with, shortened
from rethinkdc.testing.verdicts import Report, Verdict
from rethinkdc.testing.word_rules import check_words

__all__ = [
    "Report",
    "Verdict",
    "check_method",
    "check_words",
    "context",
    "encoded",
    "images",
    "registry_with",
    "shortened",
]
