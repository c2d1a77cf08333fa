"""``crm plugins disable``."""

from __future__ import annotations

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json

__all__ = ["command"]


@command("disable")
@argument("name", metavar="NAME")
@option("--dry-run", is_flag=True, help="Only tell what would be done.")
@as_json
@pass_application
def command_disable(application: Application, name: str, dry_run: bool, as_json: bool) -> None:
    """Switch a plugin off in the build file: it is kept with all its data, and nothing of it is imported.

    What the file says of it stays, and is ignored meanwhile. Workers and applications that run go on with it until
    they are started again.
    """
    from crm_core.leaving.switching import switch_off

    application.as_no_user()
    switch = switch_off(application.build_file(), name)
    if not dry_run:
        switch.carry_out()
    output = application.output
    if as_json:
        ignored = [{"path": each.path, "text": each.text} for each in switch.ignored]
        output.json({"plugin": name, "done": not dry_run, "changed": switch.text is not None, "ignored": ignored})
        return
    if switch.text is None:
        output.say("The plugin {plugin} is switched off already.", plugin=name)
        return
    if switch.ignored:
        output.table(("place", "what"), [(each.path, each.text) for each in switch.ignored], title="Ignored meanwhile")
    if dry_run:
        output.say("Nothing was changed. Without --dry-run it would be switched off in {file}.", file=str(switch.file))
    else:
        output.say("The plugin {plugin} is switched off. To have it back: crm plugins enable {plugin}", plugin=name)


command = command_disable
