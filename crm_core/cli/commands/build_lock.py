"""``crm build lock``."""

from __future__ import annotations

from pathlib import Path

import attrs
import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.times import as_json

__all__ = ["command"]


@command("lock")
@option("--dry-run", is_flag=True, help="Show what is different from the lock that is there, and write nothing.")
@option("--constraints", "constraints_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Write all versions to FILE, too, as constraints for pip: name==version, a line each.")  # fmt: skip
@as_json
@pass_application
def command_lock(application: Application, dry_run: bool, constraints_file: Path | None, as_json: bool) -> None:
    """Write the versions and hashes of the kernel and all plugins of the build into a lock beside the build file.

    A lock holds no address, so it is good wherever the distributions come from. With ``locked = true`` in [crm] the CRM
    opens only while what is installed is what was locked.
    """
    from crm_core.assembly.lock import constraints, differences, lock_file, lock_of, read_lock, written

    # The lock that is being replaced must not keep us from replacing it.
    application.as_no_user()
    build = application.assemble(locked=False)
    lock, file = lock_of(build), lock_file(build)
    assert file is not None, "the command line opens build files only"
    former = read_lock(file) if file.exists() else None
    changes = [] if former is None else differences(former, lock)
    if not dry_run:
        _write(file, written(lock))
        if constraints_file is not None:
            _write(constraints_file, constraints(lock))
    output = application.output
    if as_json:
        output.json({"file": str(file), "written": not dry_run, **attrs.asdict(lock),
                     "constraints": None if constraints_file is None else str(constraints_file),
                     "changes": [each.text() for each in changes]})  # fmt: skip
        return
    output.table(
        ("plugin", "version", "from", "SHA-256"),
        ((each.name, each.version, each.distribution or "", each.sha256[:12]) for each in lock.plugins.values()),
    )
    output.say("{count} libraries that they need.", count=len(lock.libraries))
    for each in changes:
        output.line(f"  - {application.translator.error(attrs.evolve(each, mend=''))}")
    if dry_run:
        output.say("Nothing was written: this was a dry run.")
    else:
        for each_file in filter(None, (file, constraints_file)):
            output.say("Written: {file}", file=str(each_file))


command = command_lock


def _write(file: Path, text: str) -> None:
    """As a whole or not at all."""
    new = file.with_name(file.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)
