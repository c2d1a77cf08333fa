"""``crm build bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.times import as_json

__all__ = ["command"]

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@command("bundle")
@option("--wheelhouse", required=True, type=FOLDER, metavar="DIR",
        help="The folder with the wheels, in the versions that 'crm build lock --constraints' writes.")  # fmt: skip
@option("--to", "file", type=FILE, metavar="FILE.zip", default="crm-bundle.zip", show_default=True,
        help="The archive.")  # fmt: skip
@option(
    "--mapping", "mappings", multiple=True, type=FILE, metavar="FILE", help="A mapping of an import, to be packed, too."
)
@option("--force", is_flag=True, help="Replace an archive that is there already.")
@as_json
@pass_application
def command_bundle(
    application: Application, wheelhouse: Path, file: Path, mappings: tuple[Path, ...], force: bool, as_json: bool
) -> None:
    """Pack the build into one archive that is installed on a machine without a network.

    It holds the wheels in the exact versions that are installed here, the build file (joined with those that it
    extends), the lock, the mappings, and the scripts install.py and crm. A wheel whose content is not what is installed
    is refused. The same input gives the same archive.
    """
    from sqlalchemy.engine import make_url

    from crm_core.builds.bundling import bundle

    application.as_no_user()
    build = application.assemble(locked=False)
    packed = bundle(build, wheelhouse, file, mappings, force=force)
    output = application.output
    if as_json:
        output.json({"file": str(packed.file), "sha256": packed.sha256, "files": dict(packed.files)})
        return
    wheels = [name for name in packed.files if name.startswith("wheels/")]
    output.say("Written: {file}", file=str(packed.file))
    output.say("{count} wheels, {size:.1f} MB, SHA-256 {sha256}", count=len(wheels),
               size=packed.file.stat().st_size / 1e6, sha256=packed.sha256)  # fmt: skip
    if make_url(build.file.database).password:
        output.note("The address of the database in the build file has a password, and now the archive has it, too.")
    output.say("Unpack it on the other machine and run: python3 install.py")


command = command_bundle
