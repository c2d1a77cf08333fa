"""``crm journal``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from crm_core.cli.application import PRINCIPAL, Application, pass_application
from crm_core.cli.helping import argument, group, option
from crm_core.cli.moments import MOMENT, When, shown
from crm_core.cli.records import plain
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.store.partitions.listing import Part

__all__ = ["command"]

_LABELS = {
    "used": "here", "empty": "empty", "current": "being written", "default": "for what no other part takes",
    "kept": "detached, its tables are kept", "file": "detached, in a file",
}  # fmt: skip

_SHOWN = 20


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


@command.command("detach")
@option("--before", type=MOMENT, metavar="DATE", required=True, help="Parts in which all was recorded before it.")
@option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write them to files in this folder, and drop their tables; else those are kept in the database.",
)
@option("--dry-run", is_flag=True, help="Only tell what would be detached, and what stands in the way.")
@as_json
@pass_application
def detach(application: Application, before: When, to: Path | None, dry_run: bool, as_json: bool) -> None:
    """Take old parts out of the journal; 'crm journal attach' brings them back.

    What was recorded before is then not told any more: it is asked for in vain, rather than answered wrongly.
    """  # fmt: skip
    from crm_core.store.partitions.detaching import detach

    application.as_no_user()
    crm, output = application.crm, application.output
    tz = crm.build.policy.tz
    done = detach(crm.store, before.moment_in(tz), to=to, dry_run=dry_run)
    if as_json:
        output.json({
            "dry_run": dry_run, "parts": list(done.numbers), "begins": plain(done.cut),
            "change_sets": done.change_sets, "changes": done.changes, "files": list(done.written),
            "obstacles": [{"where": each.path, "problem": each.text()} for each in done.obstacles],
            "looked_before": done.looked_before,
        })  # fmt: skip
        return
    for each in done.obstacles:
        output.line(each.text(application.translator.text))
    if done.obstacles:
        output.say("It would be refused. Nothing was changed.")
        return
    if done.numbers:
        output.say(
            "Parts that would be detached: {parts} ({changes} changes). Nothing was changed." if dry_run
            else "Parts detached: {parts} ({changes} changes).",
            changes=done.changes, parts=", ".join(map(str, done.numbers)),
        )  # fmt: skip
        output.say("The journal begins on {moment}.", moment=shown(done.cut, tz))
    for path in done.written:
        output.say("Would write {file}." if dry_run else "Wrote {file}.", file=path)
    if done.looked_before:
        output.note(
            "Users who looked at their news last before that: {count}. They are not told of what happened between.",
            count=done.looked_before,
        )


@command.command("attach")
@argument("part", metavar="NUMBER|FILE")
@option("--dry-run", is_flag=True, help="Only verify it.")
@as_json
@pass_application
def attach(application: Application, part: str, dry_run: bool, as_json: bool) -> None:
    """Bring a detached part of the journal back, by its number or its file: everything is as before then.

    People who were erased meanwhile are erased in it as well.
    """
    from crm_core.store.partitions.attaching import attach

    application.as_no_user()
    done = attach(application.crm.store, int(part) if part.isdigit() else Path(part), dry_run=dry_run)
    if as_json:
        application.output.json({"dry_run": dry_run, **attrs.asdict(done)})
        return
    application.output.say(
        "Part {number} is whole ({changes} changes) and can be attached." if dry_run
        else "Attached part {number} ({changes} changes).",
        number=done.number, changes=done.changes,
    )  # fmt: skip
    if done.erased:
        application.output.say("Changes in which people were erased as elsewhere: {count}.", count=done.erased)
    if done.file is not None and not dry_run:
        application.output.say(
            "Nothing tells of {file} any more, and no erasure reaches it: destroy it.", file=done.file
        )


@command.command("put-away")
@option("--before", type=MOMENT, metavar="DATE", required=True, help="Activities all of whose moments lie before it.")
@option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@option("--dry-run", is_flag=True, help="Only tell how many would be put away, and which stay.")
@as_json
@pass_application
def put_away(application: Application, before: When, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Put old activities, held or cancelled, away into the journal, as one change set that 'crm undo' brings back.

    Those that something refers to stay. On any database; on PostgreSQL they can be detached with their part of the
    journal later on.
    """
    from crm_core.store.putting_away import PUT_AWAY, put_away

    application.as_no_user()
    crm, output = application.crm, application.output
    session = crm.store.session(principal=PRINCIPAL, reason=reason, source=PUT_AWAY, streaming=True, read_only=dry_run)
    with session, output.progress() as bar:
        task = bar.add_task("", total=None)
        done = put_away(
            session, before.moment_in(crm.build.policy.tz), dry_run=dry_run,
            tell=lambda count, total: bar.update(task, completed=count, total=total),
        )  # fmt: skip
    change_set = session.last_change_set
    if as_json:
        output.json({
            "dry_run": dry_run, "activities": done.activities, "rows": done.rows, "change_set": change_set,
            "kept": [{"where": each.path, "problem": each.text()} for each in done.kept],
        })  # fmt: skip
        return
    for each in done.kept[:_SHOWN]:
        output.line(each.text(application.translator.text))
    if len(done.kept) > _SHOWN:
        output.say("... and {count} more that stay.", count=len(done.kept) - _SHOWN)
    if dry_run:
        output.say("Activities that would be put away: {count}. Nothing was changed.", count=done.activities)
    else:
        output.say("Activities that were put away: {count}, with what hung on them {rows} rows.",
                   count=done.activities, rows=done.rows)  # fmt: skip
    if change_set is not None:
        output.note("'crm undo {id}' brings them back.", id=change_set)


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
