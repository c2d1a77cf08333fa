"""The commands."""

from crm_core.cli import Application, command, group, pass_application
from twin_leaks_commands.records import Thing


@group("twin_leaks_commands")
def things() -> None:
    """Things."""


@command("list")
@pass_application
def list_things(application: Application) -> None:
    """List things."""
    with application.crm.system_session("list things", read_only=True) as session:
        for thing in session.list(Thing, limit=None):
            application.output.line(thing.name)


@command("count")
@pass_application
def count_things(application: Application) -> None:
    """Count things."""
    with application.crm.system_session("count things", read_only=True) as session:
        application.output.line(str(session.count(Thing)))


things.add_command(list_things)
things.add_command(count_things)
