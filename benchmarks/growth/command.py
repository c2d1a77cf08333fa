"""The program: builds what is not there, measures, and tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import click

from benchmarks.growth.asking import Company, asked
from benchmarks.growth.building import Writing, build, copies_for, known, opened, pattern_of, sizes, written
from benchmarks.growth.keeping import Kept, kept
from benchmarks.growth.telling import AIMS, Measured, tables
from benchmarks.report import measured
from crm_core.testing.postgresql import PostgreSQLUnavailable
from torture.databases import DATABASES, chosen, scratch
from torture.pace import Pace
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
                    for size in accounts:
                        _built(place, size, clerk)
                    some = found.setdefault(each, [])
                    _measure(place, accounts, some, rounds, records, report.pace)
            except PostgreSQLUnavailable as error:
                report.remarks.append(f"PostgreSQL was left out: {error}")


def _sum_up(report: Report, found: Mapping[str, Sequence[Measured]]) -> None:
    """The tables of what was measured until now."""
    report.measured = sum(len(one.answers) for some in found.values() for one in some)
    for database, some in found.items():
        if any(one.answers for one in some):
            report.tables += tables(DATABASES[database], some)
            report.figures += [figure for one in some for figure in one.figures(database)]
    if report.measured:
        report.remarks.append(AIMS)


def _built(place: Kept, size: int, clerk: int) -> None:
    name, note = _name(size), _noting(place, size)
    if not known(place, name):
        with _told(note, "built"):
            build(place, name, size, clerk, note)


def _measure(
    place: Kept, accounts: Sequence[int], some: list[Measured], rounds: int, records: int, pace: Pace
) -> None:  # fmt: skip
    """Ask all sizes in turns, then write into each; ``some`` has what was measured as soon as it was."""
    with ExitStack() as stack:
        companies: list[Company] = []
        for size in accounts:
            found, crm = place.known(_name(size)), stack.enter_context(opened(place.place.url(_name(size))))
            # What it takes up follows from what was built, not from what was tried on it since.
            if "sizes" not in found:
                found = place.note(_name(size), sizes=attrs.asdict(sizes(crm, size)))
            companies.append(Company(crm, pattern_of(found)))
            some.append(Measured(size, found["loaded"], companies[-1].pattern, found["sizes"]))
        for answers in asked(companies, rounds, pace, _noting(place, *accounts)):
            for one, answer in zip(some, answers, strict=True):
                one.answers.append(answer)
        for one, company in zip(some, companies, strict=True):
            one.writing = _written(place, company, one.accounts, min(records, one.accounts))


def _written(place: Kept, company: Company, size: int, records: int) -> Writing:
    name = _name(size)
    found = place.known(name)
    if "writing" not in found:
        place.forget(name)  # whose import was not taken back is no database to measure
        writing = written(company.crm, records, _noting(place, size))
        found = place.note(name, **found, writing=attrs.asdict(writing))
    return Writing(**found["writing"])


def _name(size: int) -> str:
    return f"size{size}"


def _noting(place: Kept, *sizes: int) -> Callable[[str], None]:
    what = f"{DATABASES[place.place.dialect]}, {', '.join(f'{size:,}' for size in sizes)} accounts"
    return lambda text: click.echo(f"{what}: {text}", err=True)


@contextmanager
def _told(note: Callable[[str], None], what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    note(f"{what} in {time.perf_counter() - begun:.0f} s")
