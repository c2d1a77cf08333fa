"""``crm import draft``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json

if TYPE_CHECKING:
    from crm_core.assembly import Build
    from crm_core.exchange.drafting import Draft

__all__ = ["command"]

_USUAL = "mapping.toml"


@command("draft")
@argument("path", metavar="FILE|FOLDER")
@option("--record", metavar="NAME", help="What the rows of the file are. Else the record that explains most of it.")
@option("--output", metavar="FILE", help="Where to write the mapping. Else it is printed.")
@option("--force", is_flag=True, help="Replace a file that is there.")
@as_json
@pass_application
def draft_command(
    application: Application, path: str, record: str | None, output: str | None, force: bool, as_json: bool
) -> None:
    """Propose a mapping for a table (CSV in any encoding, or a spreadsheet), or for a folder of tables.

    Fields are recognised by what columns are called, in English and Chinese, by how their values look, and by the shape
    of systems that are known, such as Salesforce; keys and references between the files by their values. Comments say
    how sure each is, and why, and what was left. The database is not touched.
    """
    target = None if output is None else Path(output)
    if target is not None and target.exists() and not force:
        from crm_core.errors import ExchangeError

        raise ExchangeError("{file} is there already.", mend="Name another file, or replace it by --force.",
                            file=str(target))  # fmt: skip
    build = application.assemble()
    application.translator = application.translator.also(
        (plugin.name, plugin.locale) for plugin in build.plugins if plugin.locale is not None
    )
    application.forget_output()
    found = _drafted(application, build, Path(path), record)
    _tell(application, found, Path(path), target, as_json)


command = draft_command


def _drafted(application: Application, build: Build, path: Path, record: str | None) -> Draft:
    """The draft, with a bar; labels count in Chinese, too, whatever language the reader speaks."""
    from crm_core.exchange.drafting import draft
    from crm_core.translation import LANGUAGES, Translator

    folders = [(plugin.name, plugin.locale) for plugin in build.plugins if plugin.locale is not None]
    with application.output.progress() as bar:
        task = bar.add_task("", total=None)

        def told(file: str, number: int, of: int) -> None:
            bar.update(task, description=file, completed=number, total=of)

        languages = [Translator(each, folders).text for each in LANGUAGES if each != "en"]
        return draft(build, path, record=record, labels=languages, told=told)


def _tell(application: Application, found: Draft, path: Path, target: Path | None, as_json: bool) -> None:
    from crm_core.exchange.appearing import text_file
    from crm_core.exchange.drafting import as_json as in_json
    from crm_core.exchange.drafting import as_toml

    output = application.output
    folder = path if path.is_dir() else path.parent
    following = shlex.join(["crm", "import", str(target or _USUAL), "--data", str(folder), "--dry-run"])
    text = as_toml(found, following, application.translator)
    if target is not None:
        with text_file(target) as file:
            file.write(text)
    if as_json:
        output.json({**in_json(found, application.translator), "output": None if target is None else str(target),
                     "next": following})  # fmt: skip
        return
    if target is None:
        output.line(text)
        output.note("Save it by --output {file}. Next: {command}", file=_USUAL, command=following)
        return
    output.table(
        ("file", "record", "how sure", "mapped", "columns"),
        (
            (each.table.path.name, application.translator.named(each.record), f"{each.certainty:.2f}",
             str(each.mapped), str(each.columns))
            for each in found.files
        ),
    )  # fmt: skip
    for name, (template, values) in found.left_out:
        output.note("{file} was left out: {reason}.", file=name,
                    reason=application.translator.format(template, **values).rstrip("."))  # fmt: skip
    output.say("Wrote {count} sections to {file}.", count=found.sections, file=str(target))
    output.say("Next: {command}", command=following)
