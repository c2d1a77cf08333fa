"""``crm build graph``."""

from __future__ import annotations

from pathlib import Path

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import Written

__all__ = ["command"]


@command("graph")
@option("--to", "file", type=Written(path_type=Path), metavar="FILE.svg", default="crm-build.svg",
        show_default=True, help="The file that the picture is written to.")  # fmt: skip
@as_json
@pass_application
def command_graph(application: Application, file: Path, as_json: bool) -> None:
    """Draw the build as SVG: plugins in the order of what they require, their records, and who is called when.

    Any browser shows it. The database is not touched.
    """
    from crm_core.builds.drawing import svg

    if file.suffix.lower() != ".svg":
        raise click.UsageError(
            application.translator.format("{file} is to be a picture in SVG. End its name in .svg.", file=file.name)
        )
    build = application.assemble()
    application.translator = application.translator.also(
        (plugin.name, plugin.locale) for plugin in build.plugins if plugin.locale is not None
    )
    application.forget_output()
    file.write_text(svg(build, application.translator.text), encoding="utf-8")
    if as_json:
        application.output.json({"file": str(file), "plugins": [plugin.name for plugin in build.plugins]})
        return
    application.output.say("Written: {file}", file=str(file))


command = command_graph
