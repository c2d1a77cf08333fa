"""``crm journal``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import group
from crm_core.cli.moments import shown
from crm_core.cli.records import plain
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.store.partitions.listing import Part

__all__ = ["command"]

_LABELS = {
    "used": "here", "empty": "empty", "current": "being written", "default": "for what no other part takes",
    "kept": "detached, its tables are kept", "file": "detached, in a file",
}  # fmt: skip


@group("journal", invoke_without_command=True)
@as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the parts of the journal: which ids and which time each stands for, how much it holds, where it is.

    There are parts on PostgreSQL alone. From a hundred thousand rows on their number is about what it says.
    """
    if ctx.invoked_subcommand is not None:
        return
    from crm_core.store.partitions.listing import parts

    application = ctx.find_object(Application)
    assert application is not None
    application.as_no_user()
    store = application.crm.store
    found = parts(store)
    if as_json:
        application.output.json({"divided": store.dialect == "postgresql", "parts": [_json(each) for each in found]})
    elif not found:
        application.output.say("The journal of this database is one table: there are parts on PostgreSQL alone.")
    else:
        _print(application, found)


@command.command("begin")
@as_json
@pass_application
def begin(application: Application, as_json: bool) -> None:
    """Let a new part of the journal begin now; what was recorded until now can be detached from then on.

    The job journal.keep does so by itself when a year is over, where the part has a hundred thousand changes or more.
    """
    from crm_core.store.partitions.keeping import begin

    application.as_no_user()
    done = begin(application.crm.store)
    if as_json:
        application.output.json({"begun": done.begun, "made": list(done.made)})
    elif done.begun is None:
        application.output.say("Nothing was recorded yet in the part that is being written, so it goes on.")
    else:
        application.output.say("What is recorded from now on goes to part {number}.", number=done.begun)


def _print(application: Application, found: list[Part]) -> None:
    output, translator, tz = application.output, application.translator, application.crm.build.policy.tz
    output.table(
        ("part", "state", "from", "until", "change sets", "changes", "bytes", "file"),
        [
            ("" if each.number is None else str(each.number), translator.text(_LABELS[each.state]),
             shown(each.first_at, tz), shown(each.last_at, tz), str(each.change_sets), str(each.changes),
             "" if each.bytes is None else str(each.bytes), each.file or "")
            for each in found
        ],
    )  # fmt: skip


def _json(part: Part) -> dict[str, Any]:
    return {
        "number": part.number,
        "state": part.state,
        "from_id": part.from_id,
        "to_id": part.to_id,
        "first_at": plain(part.first_at),
        "last_at": plain(part.last_at),
        "change_sets": part.change_sets,
        "changes": part.changes,
        "bytes": part.bytes,
        "detached_at": plain(part.detached_at),
        "file": part.file,
    }
