"""``rethinkdc`` and ``python -m rethinkdc``."""

import sys

from rethinkdc.completion.answering import answer, is_asked


def main() -> None:
    """Runs the command line, or tells a shell what fits there: for that nothing else is imported."""
    if is_asked():
        answer(" ".join(sys.argv[1:]))
        return
    from rethinkdc.cli.main import main as run_command

    run_command()


if __name__ == "__main__":
    main()
