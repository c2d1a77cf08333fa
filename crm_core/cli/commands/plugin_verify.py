"""``crm plugin verify``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm_core.cli.application import Application, pass_application
from crm_core.cli.helping import argument, command, option
from crm_core.cli.times import as_json
from crm_core.cli.usage import Written

if TYPE_CHECKING:
    from crm_core.testing.conformance import Check, Report

__all__ = ["command", "config_of"]


@command("verify")
@argument("dist", metavar="DIST")
@option("--only", multiple=True, metavar="CHECK", help="Run this check and no other (may be repeated).")
@option("--skip", multiple=True, metavar="CHECK", help="Leave out this check (may be repeated).")
@option(
    "--postgresql",
    metavar="URL",
    help="Run the checks that use a database on PostgreSQL as well: the address of a database whose user may create "
    "others beside it.",
)
@option(
    "--examples",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="How many rows of every record are tried (default: 8); more take longer.",
)
@option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    metavar="N",
    help="What is made up by chance follows from this number, which findings tell.",
)
@option("--html", metavar="FILE", type=Written(), help="Write a page that stands by itself.")
@as_json
@pass_application
def verify_plugin(
    application: Application,
    dist: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    postgresql: str | None,
    examples: int | None,
    seed: int,
    html: str | None,
    as_json: bool,
) -> None:
    """Check an installed plugin by the conformance kit; DIST is its distribution, or the plugin itself.

    Databases of its own are made for the checks and taken away again. With --build before the command, the settings in
    that build file are used. Ends with 1 when something was found.
    """
    amount: dict[str, Any] = {"seed": seed, **({} if examples is None else {"examples": examples})}
    report = _verified(application, dist, only, skip, postgresql, amount)
    if html is not None:
        Path(html).write_text(report.html(application.translator), encoding="utf-8")
        application.output.note("The page is in {file}.", file=html)
    if as_json:
        application.output.json(report.as_json())
    else:
        _print(application, report)
    if not report.ok:
        raise click.exceptions.Exit(1)


command = verify_plugin


def _verified(
    application: Application,
    dist: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    postgresql: str | None,
    amount: dict[str, Any],
) -> Report:
    from crm_core.testing.conformance import CHECKS, verify
    from crm_core.testing.conformance.running import chosen

    wanted = chosen(CHECKS, only, skip)
    on_databases = [check.name for check in wanted if check.database]
    with ExitStack() as stack:
        progress = stack.enter_context(application.output.progress())
        task = progress.add_task("", total=len(wanted) + (len(on_databases) if postgresql else 0))

        def told(check: Check, _number: int, _count: int) -> None:
            progress.advance(task, 0 if progress.tasks[0].description == "" else 1)
            progress.update(task, description=check.name)

        given: Any = {"config": config_of(application), "progress": told, **amount}
        report = verify(dist, only=only, skip=skip, **given)
        if postgresql is not None and on_databases:
            on_it = verify(dist, database_url=postgresql, only=on_databases, **given)
            report = report.joined(on_it)
    return report


def config_of(application: Application) -> dict[str, Any] | None:
    """What the build file says that was named on purpose; the one that happens to lie around is not meant."""
    if application.build is None:
        return None
    from crm_core.assembly.inheritance import compose

    return compose(application.build).content


def _print(application: Application, report: Report) -> None:
    output, translator = application.output, application.translator
    output.table(
        ("check", "outcome", "database", "findings", "seconds"),
        (
            (
                result.check,
                translator.text(result.outcome),
                result.database,
                str(len(result.findings) or ""),
                f"{result.seconds:.1f}",
            )
            for result in report.results
            if result.outcome != "skipped"
        ),
    )
    output.line()
    output.line(report.text(translator))
