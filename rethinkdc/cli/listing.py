"""``rethinkdc list-plugins`` and ``list-protocols``. Imports nothing heavy before a command is called."""

from rethinkdc.cli.options import Printed, takes_options


@takes_options(Printed)
def list_plugins(command: Printed) -> None:
    """List every installed method with its kind, paper and distribution; broken ones with the reason."""
    from rethinkdc.cli import tables
    from rethinkdc.registry.registry import Registry

    tables.print_plugins(Registry(), as_json=command.as_json)


@takes_options(Printed)
def list_protocols(command: Printed) -> None:
    """List every protocol with its labels, data, student and digest."""
    from rethinkdc.cli import tables
    from rethinkdc.registry.registry import Registry

    tables.print_protocols(Registry(), as_json=command.as_json)
