"""``crm plugin new``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import ConflictingOptions

if TYPE_CHECKING:
    from crm_core.authoring import Made, Proposal

__all__ = ["command"]


@command("new")
@argument("name", metavar="NAME")
@option("--to", metavar="FOLDER", help="Where to write it: a new or empty folder. Else crm-NAME in this folder.")
@option("--label", metavar="TEXT", help="What people call the plugin. Else its name in words.")
@option("--from-csv", "table", metavar="FILE", help="Propose the record from this table: CSV, or a spreadsheet.")
@option("--record", metavar="NAME", help="What the record of the table is called. Else after the file.")
@option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@as_json
@pass_application
def new(
    application: Application,
    name: str,
    to: str | None,
    label: str | None,
    table: str | None,
    record: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a complete distribution for a new plugin, whose tests pass at once.

    NAME is in snake_case, such as my_vertical. It comes with a record, an extension of the account, a dated relation,
    settings, permissions, a hook of each family, a command, a migration, a Chinese catalogue, tests and documentation:
    replace what you do not need.

    With --from-csv the record has the fields of a table, with comments that say why; an import mapping for it is in the
    folder imports.
    """
    from crm_core.authoring import checked_name, new_plugin, propose

    if record is not None and table is None:
        raise ConflictingOptions("--record needs --from-csv.")
    checked_name(name)
    proposal = None if table is None else propose(Path(table), record)
    with application.output.progress() as progress:
        progress.add_task("", total=None)
        made = new_plugin(name, Path(to) if to else None, label=label, proposal=proposal, dry_run=dry_run)
    if as_json:
        application.output.json(_as_json(made, proposal, dry_run))
    else:
        _print(application, made, proposal, dry_run)


command = new


def _as_json(made: Made, proposal: Proposal | None, dry_run: bool) -> dict[str, Any]:
    fields = () if proposal is None else proposal.fields
    return {
        "plugin": made.plugin,
        "distribution": made.distribution,
        "folder": str(made.folder),
        "files": list(made.files),
        "untranslated": list(made.untranslated),
        "record": None if proposal is None else proposal.record,
        "key": [] if proposal is None else list(proposal.key),
        "account": None if proposal is None else proposal.account,
        "fields": [
            {
                "column": each.column,
                "name": each.name,
                "kind": each.kind,
                "because": each.why,
                "personal": each.personal is not None,
            }
            for each in fields
        ],
        "notes": [] if proposal is None else [text.format_map(values) for text, values in proposal.notes],
        "dry_run": dry_run,
    }


def _print(application: Application, made: Made, proposal: Proposal | None, dry_run: bool) -> None:
    output, translator = application.output, application.translator
    if proposal is not None:
        output.table(
            ("column", "field", "kind", "because"),
            (
                (each.column, each.name, each.kind, translator.format(each.because, **each.values))
                for each in proposal.fields
            ),
        )
        output.line()
        for text, values in proposal.notes:
            output.note(text, **values)
    for file in made.files:
        output.line(f"  {file}")
    if dry_run:
        output.say("It was a dry run: nothing was written to {folder}.", folder=str(made.folder))
        return
    output.say("Wrote {count} files to {folder}.", count=len(made.files), folder=str(made.folder))
    if made.untranslated:
        output.note(
            "These labels say in Chinese what they say in English: {labels}. Translate them in the catalogue.",
            labels=", ".join(made.untranslated),
        )
    output.say("Next: pip install --editable {folder}, and run its tests by python -m pytest.", folder=str(made.folder))
