"""``python -m benchmarks.duplicates``: how good the exact match keys are, measured on data whose truth is known.

The FEBRL sets are synthetic persons with typing errors put in on purpose, and say which records are the same person.
Each person is taken in twice: as a private customer (an account with a name and a registration number, here the social
security number) and as a contact (a name with a birthday). Nothing is tuned to the data.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import attrs
import click

from benchmarks.sides import made
from crm_core import Account, Candidate, Contact, Crm, duplicates
from crm_core.testing.postgresql import PostgreSQLServer
from torture.databases import DATABASES, on_each, scratch
from torture.reporting import Report, Table, reporting_in, telling

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "duplicates.md"
"""The page that keeps the table."""

EXAMPLES = Path(__file__).parents[1] / "examples" / "imports"

SETS = {
    "FEBRL 1 (1,000 records, 500 of them twice)": ("dataset1.csv",),
    "FEBRL 4 (2 files of 5,000 records, each once in each)": ("dataset4a.csv", "dataset4b.csv"),
}

COMPANIES = {"northwind": "northwind", "salesforce": "salesforce-fivetran", "adventureworks": "adventureworks"}


@attrs.frozen
class Result:
    """How the pairs that share some kinds of keys compare with the truth."""

    data: str
    taken_as: str
    keys: str
    pairs: int
    right: int
    true: int

    @property
    def precision(self) -> float:
        """Of the pairs that were found, the part that is right."""
        return self.right / self.pairs if self.pairs else 0.0

    @property
    def recall(self) -> float:
        """Of the pairs that there are, the part that was found."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def persons(folder: Path, files: Sequence[str]) -> list[dict[str, str]]:
    """The records of a set, their values without the spaces around them."""
    found = []
    for name in files:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                found.append({key.strip(): (value or "").strip() for key, value in row.items()})
    return found


def birthday(text: str) -> dt.date | None:
    """A day as YYYYMMDD; some were broken on purpose."""
    try:
        return dt.datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def truth(records: Iterable[dict[str, str]], ids: Sequence[int]) -> set[frozenset[int]]:
    """The pairs that are one person: ``rec-17-org`` and ``rec-17-dup-0``."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for record, id_ in zip(records, ids, strict=True):
        groups[record["rec_id"].split("-")[1]].append(id_)
    return {frozenset(pair) for group in groups.values() for pair in combinations(group, 2)}


def judged(data: str, taken_as: str, found: Sequence[Candidate], right: set[frozenset[int]]) -> Iterator[Result]:
    """The figures of each kind of key, of any of them, and of all of them."""
    by_pair = {frozenset((each.id, each.other_id)): {key.kind for key in each.keys} for each in found}
    kinds = sorted({kind for held in by_pair.values() for kind in held})
    wanted: list[tuple[str, set[frozenset[int]]]] = [
        (kind, {pair for pair, held in by_pair.items() if kind in held}) for kind in kinds
    ]
    if len(kinds) > 1:
        wanted.append((" or ".join(kinds), set(by_pair)))
        wanted.append((" and ".join(kinds), {pair for pair, held in by_pair.items() if held == set(kinds)}))
    for keys, pairs in wanted:
        yield Result(data, taken_as, keys, len(pairs), len(pairs & right), len(right))


def measure(folder: Path, data: str, files: Sequence[str], url: str) -> Iterator[Result]:
    """Take in one set both ways, and compare the candidates with the truth."""
    records = persons(folder, files)
    build = {"crm": {"database": url}, "duplicates": {"at_creation": False}}
    with contextlib.closing(Crm.open(build, check=False)) as crm:
        crm.migrate()
        names = [" ".join(filter(None, (each["given_name"], each["surname"]))) or "?" for each in records]
        with crm.system_session("benchmark") as session:
            accounts = session.add_many(
                Account,
                [
                    {"name": name, "kind": "person", "registration_number": each["soc_sec_id"] or None}
                    for name, each in zip(names, records, strict=True)
                ],
            )
            contacts = session.add_many(
                Contact,
                [
                    {"name": name, "birthday": birthday(each["date_of_birth"])}
                    for name, each in zip(names, records, strict=True)
                ],
            )
        with crm.system_session("benchmark", read_only=True) as session:
            for taken_as, ids, cls in (("account", accounts, Account), ("contact", contacts, Contact)):
                yield from judged(data, taken_as, duplicates.candidates(session, cls), truth(records, ids))


@attrs.frozen
class Company:
    """How many candidates there are in a well-known sample company, whose truth nobody knows."""

    database: str
    data: str
    record: str
    records: int
    pairs: int
    keys: str
    seconds: float
    """How long it took to find all of them."""
    told_at_import: int
    import_seconds: float


def results(folder: Path, make: Callable[[str], str]) -> list[Result]:
    """All figures of all sets; ``make`` gives the address of a new database."""
    found: list[Result] = []
    for number, (data, files) in enumerate(SETS.items()):
        found += measure(folder, data, files, make(f"febrl{number}"))
    return found


def imports(folder: Path, database: str, make: Callable[[str], str]) -> Iterator[Company]:
    """The candidates in the sample companies."""
    from crm_core.exchange import run_import

    for name, data in COMPANIES.items():
        with contextlib.closing(Crm.open(EXAMPLES / name / "crm.toml", database=make(name), check=False)) as crm:
            crm.migrate()
            begun = time.monotonic()
            report = run_import(crm, EXAMPLES / name / "mapping.toml", folder / data)
            taken = time.monotonic() - begun
            with crm.system_session("benchmark", read_only=True) as session:
                for cls in (Account, Contact):
                    begun = time.monotonic()
                    pairs = duplicates.candidates(session, cls)
                    seconds = time.monotonic() - begun
                    kinds = Counter(" and ".join(sorted({key.kind for key in pair.keys})) for pair in pairs)
                    keys = "; ".join(f"{kind} {count}" for kind, count in kinds.most_common())
                    yield Company(database, name, cls.crm_type.name, session.count(cls), len(pairs), keys, seconds,
                                  report.duplicates, taken)  # fmt: skip


def note(report: Report, found: Mapping[Result, list[str]], companies: Sequence[Company]) -> None:
    """Bring figures into a report; what is the same on both databases is one row."""
    columns = ("data", "database", "taken as", "keys", "pairs found", "right", "of", "precision", "recall", "F1")
    table = Table("Exact match keys beside the truth", columns)
    for each, databases in found.items():
        shares = {"precision": each.precision, "recall": each.recall, "f1": each.f1}
        where = ", ".join(databases)
        table.rows.append((each.data, where, each.taken_as, each.keys, each.pairs, each.right, each.true,
                           *(f"{share:.3f}" for share in shares.values())))  # fmt: skip
        report.figures.append(
            {**attrs.asdict(each), "databases": where, **{name: round(share, 4) for name, share in shares.items()}}
        )
    report.tables.append(table)
    report.measured = len(found)
    if companies:
        table = Table("Candidates in sample companies, whose truth nobody knows",
                      ("data", "database", "record", "records", "pairs", "keys", "seconds"))  # fmt: skip
        table.rows.extend(
            (each.data, each.database, each.record, each.records, each.pairs, each.keys, f"{each.seconds:.3f}")
            for each in companies
        )
        report.tables.append(table)
        report.figures += [attrs.asdict(each) for each in companies]


@click.command(name="duplicates")
@click.option("--data", default=None, help="The folder with the sample data; else CRM_SHARED_DATA.")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--imports", "with_imports", is_flag=True, help="Count candidates in the sample companies, too.")
@reporting_in(PAGE, seeded=False)
def command(data: str | None, database: str, with_imports: bool, json_file: Path | None, markdown: Path | None) -> None:
    """Measure precision and recall of the exact match keys on the FEBRL sets."""
    folder = Path(data or os.environ.get("CRM_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if missing := [name for files in SETS.values() for name in files if not (folder / "febrl" / name).exists()]:
        click.echo(
            f"Skipped, nothing is measured: there is no {missing[0]} in {folder / 'febrl'}. Name the folder with the "
            "sample data: --data FOLDER, or CRM_SHARED_DATA."
        )
        return
    report = Report("duplicates", None, package="benchmarks", nothing="")
    found: defaultdict[Result, list[str]] = defaultdict(list)
    companies: list[Company] = []
    with telling(report, json_file, markdown, partial(note, report, found, companies)), scratch() as place:

        def work(title: str, server: PostgreSQLServer | None) -> None:
            for each in results(folder / "febrl", partial(made, server, place)):
                found[each].append(title)
            if with_imports:
                companies.extend(imports(folder, title, partial(made, server, place)))

        on_each(database, report.remarks, work)


if __name__ == "__main__":
    command()
