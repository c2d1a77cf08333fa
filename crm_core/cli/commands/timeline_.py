"""``crm timeline``."""

from __future__ import annotations

from typing import cast

from crm_core.cli.application import Application, pass_application
from crm_core.cli.finding import find_record
from crm_core.cli.helping import argument, command, option
from crm_core.cli.moments import MOMENT, When
from crm_core.cli.overviews import print_failed, print_timeline
from crm_core.cli.records import Shower
from crm_core.cli.times import as_json, moment_of
from crm_core.cli.usage import Number
from crm_core.domain.accounts import Account

__all__ = ["command"]


@command("timeline")
@argument("reference", metavar="ACCOUNT")
@option("--since", type=MOMENT, metavar="DATE", help="Nothing before this day or moment.")
@option("--until", type=MOMENT, metavar="DATE", help="Nothing from this day or moment on.")
@option("--limit", type=Number(1, 10_000), default=50, metavar="N", help="How many at most. Else 50.")
@as_json
@pass_application
def command_timeline(
    application: Application, reference: str, since: When | None, until: When | None, limit: int, as_json: bool
) -> None:
    """Show what happened with an account and what is planned, latest first.

    Activities, changes of owner, people and stage, and what the plugins add. ACCOUNT is an id, a name, or a key as
    system:key.
    """
    from crm_core.views import as_data, timeline

    output = application.output
    with application.looking() as session:
        account = cast(Account, find_record(session, Account.crm_type, reference))
        story = timeline(
            session, account, since=moment_of(application, since), until=moment_of(application, until), limit=limit
        )
        if as_json:
            output.json({"account": account.id, "entries": as_data(session, story.entries),
                         "failed": [each.plugin for each in story.failed]})  # fmt: skip
            return
        output.heading(f"{account.id}  {account.name}")
        print_timeline(output, Shower(session, application.translator), story.entries)
        print_failed(output, story.failed)


command = command_timeline
