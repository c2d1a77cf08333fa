"""The program: builds what is not there, measures, and tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import click

from benchmarks.growth.asking import Answer, asked
from benchmarks.growth.building import Writing, build, copies_for, known, opened, pattern_of, sizes, written
from benchmarks.growth.keeping import Kept, kept
from benchmarks.growth.telling import AIMS, Measured, tables
from benchmarks.report import measured
from crm_core.testing.postgresql import PostgreSQLUnavailable
from torture.databases import DATABASES, chosen, scratch
from torture.reporting import Report, telling

__all__ = ["command"]


def _numbers(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(each.replace("_", "")) for each in value.split(",")}))
    except ValueError:
        raise click.BadParameter("Write numbers with commas between them, such as 10000,100000.") from None


@click.command(name="growth")
@click.option(
    "--accounts",
    default="10000,100000,1000000",
    show_default=True,
    callback=_numbers,
    help="How many accounts the company has, with commas between several sizes. The least is ten times --clerk, and"
    " each that can be made is nine times --clerk larger: 10000, 19000, 28000 and so on, where the clerk has 1000.",
)
@click.option("--database", type=click.Choice([*DATABASES, "all"]), default="all", show_default=True)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the databases in this folder; those that are there already are only measured.",
)
@click.option(
    "--rounds",
    default=15,
    type=click.IntRange(1),
    show_default=True,
    help="How often each question is asked, after twice to warm up.",
)
@click.option(
    "--clerk",
    default=1000,
    type=click.IntRange(1),
    show_default=True,
    help="How many accounts the clerk has, at every size.",
)
@click.option(
    "--records",
    default=100_000,
    type=click.IntRange(1),
    show_default=True,
    help="How many are imported and taken back, at most.",
)
@measured
def command(
    accounts: tuple[int, ...], database: str, keep: Path | None, rounds: int, clerk: int, records: int,
    json_file: Path | None, markdown: Path | None,
) -> None:  # fmt: skip
    """Let a company grow, and measure what four people who see more or less of it wait for.

    Ten thousand accounts are written through the CRM, with two years of history; the rest are copies of those that are
    made inside of the database, with all that the CRM keeps of them.
    """
    try:
        for size in accounts:
            copies_for(size, clerk)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    report = Report("growth", None, package="benchmarks", nothing="")
    if keep is not None:
        report.going_on = f"What is whole is kept; `{report.repeated_by}` builds the rest, and measures."
    found: dict[str, list[Measured]] = {}
    with telling(report, json_file, markdown, lambda: _sum_up(report, found)), scratch() as folder:
        for each in chosen(database):
            try:
                with kept(each, (keep or folder).resolve()) as place:
                    some = found.setdefault(each, [])
                    for size in accounts:
                        note = _noting(f"{DATABASES[each]}, {size:,} accounts")
                        some.append(_measure(place, size, clerk, min(records, size), rounds, note))
            except PostgreSQLUnavailable as error:
                report.remarks.append(f"PostgreSQL was left out: {error}")


def _sum_up(report: Report, found: Mapping[str, Sequence[Measured]]) -> None:
    """The tables of all sizes that are measured whole."""
    report.measured = sum(map(len, found.values()))
    for database, some in found.items():
        if some:
            report.tables += tables(DATABASES[database], some)
            report.figures += [figure for one in some for figure in one.figures(database)]
    if report.measured:
        report.remarks.append(AIMS)


def _measure(place: Kept, size: int, clerk: int, records: int, rounds: int, note: Callable[[str], None]) -> Measured:
    name = f"size{size}"
    found = known(place, name)
    if not found:
        with _told(note, "built"):
            build(place, name, size, clerk, note)
        found = place.known(name)
    pattern = pattern_of(found)
    with opened(place.place.url(name)) as crm:
        # What it takes up follows from what was built, not from what was tried on it since.
        if "sizes" not in found:
            found = place.note(name, sizes=attrs.asdict(sizes(crm, size)))
        answers: list[Answer] = list(asked(crm, pattern, rounds, note))
        if "writing" not in found:
            place.forget(name)  # whose import was not taken back is no database to measure
            found = place.note(name, **found, writing=attrs.asdict(written(crm, records, note)))
    return Measured(size, found["loaded"], pattern, found["sizes"], Writing(**found["writing"]), tuple(answers))


def _noting(what: str) -> Callable[[str], None]:
    return lambda text: click.echo(f"{what}: {text}", err=True)


@contextmanager
def _told(note: Callable[[str], None], what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    note(f"{what} in {time.perf_counter() - begun:.0f} s")
