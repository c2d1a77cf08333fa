"""``crm plugins footprint``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.leaving.footprint import Footprint

__all__ = ["command", "print_footprint"]

_STATE_LABELS = {
    "loaded": "It is loaded.",
    "off": "It is switched off.",
    "broken": "It is in the build, and cannot be loaded.",
    "absent": "It is not in the build.",
}


@command("footprint")
@argument("name", metavar="NAME")
@as_json
@pass_application
def command_footprint(application: Application, name: str, as_json: bool) -> None:
    """Show what a plugin has, in the database and in the build file, and who depends on it.

    Also of a plugin that is switched off, cannot be loaded, or is no longer installed.
    """
    from crm_core.leaving.footprint import footprint

    crm = application.open_without(name)
    application.require("system.plugins")
    found = footprint(crm, name)
    if as_json:
        application.output.json(found.as_json())
    else:
        print_footprint(application, found)


command = command_footprint


def print_footprint(application: Application, found: Footprint) -> None:
    """A footprint for people; what is empty is left away."""
    output, kept = application.output, found.held
    translator = output.translator
    origin = found.subject.origin or translator.text("not installed")
    output.line(f"{found.plugin} ({origin}): {translator.text(_STATE_LABELS[found.state])}")
    if kept.revision:
        output.say("Its tables are at revision {revision}.", revision=kept.revision)
    tables = [
        (each.name, each.record or "", str(each.rows), "" if each.bytes is None else f"{each.bytes:,}")
        for each in kept.tables
    ]
    fields = [(name, ", ".join(each)) for name, each in found.fields.items()]
    custom = [(name, ", ".join(each)) for name, each in kept.custom_fields.items()]
    journal = [(name, str(count)) for name, count in kept.changes.items()]
    jobs = [(name, translator.text(state), str(count)) for (name, state), count in kept.jobs.items()]
    for title, header, rows in (
        ("Tables", ("table", "record", "rows", "bytes"), tables),
        ("Fields", ("record", "fields"), fields),
        ("Custom fields", ("record", "fields"), custom),
        ("Settings", ("setting", "value"), [(name, str(value)) for name, value in found.settings.items()]),
        ("Permissions", ("permission",), [(each,) for each in found.permissions]),
        ("Roles that hold them", ("role", "pattern", "scope"),
         [(each.role, each.pattern, each.scope) for each in found.grants]),
        ("In the build file", ("place", "what", "goes with it"),
         [(each.path, each.text, translator.text("yes") if each.own else "") for each in found.mentions]),
        ("Jobs", ("job", "state", "count"), jobs),
        ("Schedules", ("job",), [(name,) for name in kept.schedules]),
        ("Changes in the journal", ("record", "count"), journal),
        ("Documents in the search index", ("record", "count"),
         [(name, str(count)) for name, count in kept.documents.items()]),
        ("Rows of others that name its records", ("column", "count"),
         [(f"{table}.{column}", str(count)) for (table, column), count in kept.soft.items()]),
    ):  # fmt: skip
        if rows:
            output.table(header, rows, title=title)
    output.line()
    if kept.changes:
        output.say("Change sets with changes of its records: {count}.", count=kept.change_sets)
    if kept.match_keys:
        output.say("Match keys of its records: {count}.", count=kept.match_keys)
    if kept.consumer is not None:
        output.say("In the feed it stands at change set {id}; failures since: {failures}.",
                   id=kept.consumer.position.change_set_id, failures=kept.consumer.failures)  # fmt: skip
    dependants = found.dependants()
    if dependants:
        output.table(("what",), [(translator.error(each),) for each in dependants], title="What depends on it")
    else:
        output.say("Nothing depends on it.")
