"""``crm plugins enable``."""

from __future__ import annotations

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json

__all__ = ["command"]


@command("enable")
@argument("name", metavar="NAME")
@option("--dry-run", is_flag=True, help="Only see whether it could be loaded.")
@as_json
@pass_application
def command_enable(application: Application, name: str, dry_run: bool, as_json: bool) -> None:
    """Switch a plugin on again, if it fits the build."""
    from crm_core.leaving.switching import switch_on

    application.as_no_user()
    switch = switch_on(application.build_file(), name, application.without)
    if not dry_run:
        switch.carry_out()
    output = application.output
    if as_json:
        output.json({"plugin": name, "done": not dry_run, "changed": switch.text is not None})
    elif switch.text is None:
        output.say("The plugin {plugin} is switched on already.", plugin=name)
    elif dry_run:
        output.say("Nothing was changed. Without --dry-run it would be switched on in {file}.", file=str(switch.file))
    else:
        output.say("The plugin {plugin} is switched on. Next: 'crm migrate', in case that it was upgraded meanwhile.",
                   plugin=name)  # fmt: skip


command = command_enable
