"""``crm plugins footprint``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.leaving.footprint import Footprint
    from crm_core.store.policy import Policy
    from crm_core.translation import Translator

__all__ = ["command", "print_footprint"]

_STATE_LABELS = {
    "loaded": "It is loaded.",
    "off": "It is switched off.",
    "broken": "It is in the build, and cannot be loaded.",
    "absent": "It is not in the build.",
}

_SECTION_LABELS = {
    "tables": ("Tables", "table", "record", "rows", "bytes"),
    "fields": ("Fields", "record", "fields"),
    "custom": ("Custom fields", "record", "fields"),
    "settings": ("Settings", "setting", "value"),
    "permissions": ("Permissions", "permission"),
    "roles": ("Roles that hold them", "role", "pattern", "scope"),
    "file": ("In the build file", "place", "what", "goes with it"),
    "jobs": ("Jobs", "job", "state", "count"),
    "schedules": ("Schedules", "job"),
    "journal": ("Changes in the journal", "record", "count"),
    "documents": ("Documents in the search index", "record", "count"),
    "soft": ("Rows of others that name its records", "column", "count"),
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
    for name, rows in _rows(translator, found, application.crm.store.policy).items():
        title, *header = _SECTION_LABELS[name]
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


def _rows(translator: Translator, found: Footprint, policy: Policy) -> dict[str, list[tuple[str, ...]]]:
    kept = found.held
    return {
        "tables": [
            (each.name, each.record or "", str(each.rows), "" if each.bytes is None else f"{each.bytes:,}")
            for each in kept.tables
        ],
        "fields": [(name, ", ".join(each)) for name, each in found.fields.items()],
        "custom": [(name, ", ".join(each)) for name, each in kept.custom_fields.items()],
        "settings": [(name, str(value)) for name, value in found.settings.items()],
        "permissions": [(each,) for each in found.permissions],
        "roles": [(policy.named_roles(each.role).told(translator), each.pattern, each.scope) for each in found.grants],
        "file": [(each.path, each.text, translator.text("yes") if each.own else "") for each in found.mentions],
        "jobs": [(name, translator.text(state), str(count)) for (name, state), count in kept.jobs.items()],
        "schedules": [(name,) for name in kept.schedules],
        "journal": [(name, str(count)) for name, count in kept.changes.items()],
        "documents": [(name, str(count)) for name, count in kept.documents.items()],
        "soft": [(f"{table}.{column}", str(count)) for (table, column), count in kept.soft.items()],
    }
