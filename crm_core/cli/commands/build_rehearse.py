"""``crm build rehearse``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import command, option
from crm_core.cli.telling import telling
from crm_core.cli.times import as_json
from crm_core.cli.usage import Written
from crm_core.errors import Problem

if TYPE_CHECKING:
    from crm_core.builds.rehearsing import Rehearsal
    from crm_core.builds.rehearsing.running import Conformance

__all__ = ["command"]

_SIGNS = {"loses": "!!", "breaks": "!", "changes": ""}


@command("rehearse")
@option("--to", "new", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="NEWBUILD",
        help="The build file to go to.")  # fmt: skip
@option("--keep", is_flag=True, help="Keep the copy, to look at it.")
@option("--sample", type=click.IntRange(0), default=20, show_default=True, metavar="N",
        help="So many overviews of accounts are compared.")  # fmt: skip
@option("--seed", type=int, default=1, show_default=True, metavar="N", help="Chooses which ones.")
@option("--conformance", is_flag=True, help="Verify each plugin of the new build, too; that takes minutes.")
@option("--html", type=Written(path_type=Path), metavar="FILE",
        help="Write the report as a page that stands by itself.")  # fmt: skip
@as_json
@pass_application
def command_rehearse(
    application: Application, new: Path, keep: bool, sample: int, seed: int, conformance: bool, html: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Try an upgrade on a copy of the database, and report what would break or be lost.

    The copy is migrated to NEWBUILD. Before and after, the acceptance expressions of NEWBUILD are asked, overviews of a
    sample of accounts are compared, and every row is checked; tables, columns, rows and values that are gone are told.
    The original is only read. Ends with 1 when something would break or be lost.
    """
    from crm_core.builds.rehearsing import rehearse

    application.as_no_user()
    with telling(application.output) as tell:
        found = rehearse(
            application.build_file(), new, tell, keep=keep, accounts=sample, seed=seed,
            conformance=_conformance(application.build_file(), new) if conformance else None,
        )  # fmt: skip
    if html is not None:
        html.write_text(_page(application, found), encoding="utf-8")
    if as_json:
        application.output.json(found.as_json())
    else:
        _print(application, found, html)
    if not found.right:
        click.get_current_context().exit(1)


command = command_rehearse


def _conformance(old: Path, new: Path) -> Conformance:
    """Verifies a plugin with the settings of the new build, on SQLite or beside a PostgreSQL database of today."""
    from crm_core.assembly.build_file import read
    from crm_core.records import KERNEL
    from crm_core.testing.conformance import verify

    address = read(old)[0].database
    settings = read(new)[0].plugins

    def verified(plugin: str) -> Iterator[Problem]:
        if plugin == KERNEL:
            return
        report = verify(plugin, database_url=address, config={"plugins": settings})
        for finding in report.findings:
            where = ": ".join(filter(None, (plugin, finding.check, finding.where)))
            yield Problem(where, finding.what, finding.mend, dict(finding.values))

    return verified


def _print(application: Application, found: Rehearsal, html: Path | None) -> None:
    output, translator = application.output, application.translator
    if found.found:
        output.table(
            ("", "where", "what"),
            ((_SIGNS[each.weight], each.words.path, translator.error(attrs.evolve(each.words, path="")))
             for each in sorted(found.found, key=lambda each: list(_SIGNS).index(each.weight))),
            title="What the upgrade would do",
        )  # fmt: skip
        output.note("!! loses data or the sight of them; ! breaks something.")
    if found.accepted:
        output.table(
            ("expectation", "before", "after", "right"),
            ((each.label, _number(each.before), _number(each.after), translator.text("no" if each.problem else "yes"))
             for each in found.accepted),
            title="What the build expects of its data",
        )  # fmt: skip
    rows = [each for each in found.tables if each.before != each.after]
    if rows:
        output.table(
            ("table", "before", "after"), ((each.name, _number(each.before), _number(each.after)) for each in rows),
            title="Rows that became more or fewer",
        )  # fmt: skip
    output.table(
        ("step", "seconds"), ((translator.text(STEP_LABELS.get(each.name, each.name)), f"{each.seconds:.1f}")
                              for each in found.steps), title="How long it took",
    )  # fmt: skip
    for each in found.remarks:
        output.note("{remark}", remark=translator.error(each))
    if found.compared:
        output.say("Overviews compared: {count}.", count=found.compared)
    if found.untouched:
        output.say("The original holds what it held.")
    elif found.busy:
        output.note("Others wrote to the original meanwhile, so it holds something else; the rehearsal only reads it.")
    elif found.untouched is False:
        output.note("The original holds something else than before, and its journal does not say why.")
    if found.copy is not None:
        output.say("The copy: {address}", address=found.copy)
    if html is not None:
        output.say("Written: {file}", file=str(html))
    output.say("Nothing would break or be lost." if found.right else "Something would break or be lost.")


STEP_LABELS = {
    "assemble the new build": "Assemble the new build",
    "verify the plugins": "Verify the plugins",
    "copy the database": "Copy the database",
    "look before": "Look at it before",
    "migrate": "Migrate",
    "compare the tables": "Compare the tables",
    "ask what the build expects": "Ask what the build expects",
    "look at overviews": "Look at overviews",
    "check every row": "Check every row",
    "compare the original": "Compare the original",
}


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _page(application: Application, found: Rehearsal) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    import crm_core.builds

    folder = Path(crm_core.builds.__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    translator = application.translator
    return environment.get_template("rehearsal.html").render(
        found=found, signs=_SIGNS, labels=STEP_LABELS, _=translator.text, language=translator.language,
        said=lambda words: translator.error(attrs.evolve(words, path="")), number=_number,
    )  # fmt: skip
