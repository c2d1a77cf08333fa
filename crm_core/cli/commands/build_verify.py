"""``crm build verify``."""

from __future__ import annotations

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command
from crm_core.cli.times import as_json

__all__ = ["command"]


@command("verify")
@as_json
@pass_application
def command_verify(application: Application, as_json: bool) -> None:
    """Compare the kernel, the plugins and the libraries that are installed with the lock of the build.

    Ends with 1 when anything is different, and names each difference.
    """
    from crm_core.assembly.lock import check_lock, lock_file

    build = application.assemble(locked=False)
    found = check_lock(build)
    output = application.output
    if as_json:
        output.json({"file": str(lock_file(build)), "same": not found, "differences": [str(each) for each in found]})
    elif not found:
        output.say("What is installed is what was locked: {count} plugins.", count=len(build.plugins) - 1)
    else:
        output.say("What is installed is not what {where} was locked with:", where=build.file.where)
        for each in found:
            output.line(f"  - {application.translator.error(each)}")
    if found:
        click.get_current_context().exit(1)


command = command_verify
