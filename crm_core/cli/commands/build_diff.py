"""``crm build diff``."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import Written

__all__ = ["command"]


@command("diff")
@argument("builds", nargs=-1, type=click.Path(path_type=Path), metavar="[BEFORE] [AFTER]")
@option("--write", type=Written(path_type=Path), metavar="FILE.json",
        help="Write the description of the build, to be compared where other versions are installed.")  # fmt: skip
@option("--check", is_flag=True, help="End with 1 when something is lost or breaks.")
@as_json
@pass_application
def command_diff(
    application: Application, builds: tuple[Path, ...], write: Path | None, check: bool, as_json: bool
) -> None:
    """Say in words what is different between two builds: plugins, records, fields, hooks, permissions, settings, rules.

    Each of BEFORE and AFTER is a build file, or a description that was written by --write. With one of them, the build
    of this folder is AFTER. What loses sight of data, and what breaks what others rely on, is marked.
    """
    from crm_core.builds.comparing import compare
    from crm_core.builds.describing import described

    if write is not None and not builds:
        write.write_text(json.dumps(described(application.build_file()), indent=1, ensure_ascii=False), "utf-8")
        application.output.say("Written: {file}", file=str(write))
        return
    if not 1 <= len(builds) <= 2 or write is not None:
        raise click.UsageError(
            application.translator.text(
                "Name two builds, or one to compare that of this folder with; or --write alone."
            )
        )
    after = builds[1] if len(builds) == 2 else application.build_file()
    found = compare(described(builds[0]), described(after))
    output, translator = application.output, application.translator
    if as_json:
        output.json([
            {**attrs.asdict(each, recurse=False), "words": each.words.text()} for each in found
        ])  # fmt: skip
    elif not found:
        output.say("The builds are the same.")
    else:
        for section in dict.fromkeys(each.section for each in found):
            rows = [
                ({"loses": "!!", "breaks": "!", "changes": ""}[each.weight], each.words.path,
                 translator.error(attrs.evolve(each.words, path="")))
                for each in found if each.section == section
            ]  # fmt: skip
            output.table(("", "what", "difference"), rows, title=_SECTION_LABELS[section])
        output.note("!! loses sight of data; ! may break what relies on it.")
    if check and any(each.weight != "changes" for each in found):
        click.get_current_context().exit(1)


command = command_diff

_SECTION_LABELS = {
    "plugins": "Plugins", "disabled": "Switched off", "crm": "The CRM as a whole", "records": "Record types",
    "fields": "Fields", "hooks": "Hooks", "permissions": "Permissions", "roles": "Roles", "settings": "Settings",
    "vocabularies": "Vocabularies", "jobs": "Jobs", "rules": "Rules", "commands": "Commands",
}  # fmt: skip
