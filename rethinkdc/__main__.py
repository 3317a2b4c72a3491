"""``python -m rethinkdc``."""

from rethinkdc.cli.main import main

main()
