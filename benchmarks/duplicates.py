"""``python -m benchmarks.duplicates``: how good the exact match keys are, measured on data whose truth is known.

The FEBRL sets are synthetic persons with typing errors put in on purpose, and say which records are the same person.
Each person is taken in twice: as a private customer (an account with a name and a registration number, here the social
security number) and as a contact (a name with a birthday). Nothing is tuned to the data.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import attrs
import click

from benchmarks.report import environment
from crm_core import Account, Candidate, Contact, Crm, duplicates

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


def results(folder: Path) -> list[Result]:
    """All figures of all sets."""
    found: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="crm-duplicates-") as scratch:
        for number, (data, files) in enumerate(SETS.items()):
            found += measure(folder, data, files, f"sqlite:///{scratch}/{number}.db")
    return found


def imports(folder: Path) -> list[dict[str, Any]]:
    """How many candidates there are in well-known sample companies, whose truth nobody knows."""
    from crm_core.exchange import run_import

    examples = Path(__file__).parents[1] / "examples" / "imports"
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="crm-duplicates-") as scratch:
        for name, data in COMPANIES.items():
            crm = Crm.open(examples / name / "crm.toml", database=f"sqlite:///{scratch}/{name}.db", check=False)
            crm.migrate()
            started = time.monotonic()
            report = run_import(crm, examples / name / "mapping.toml", folder / data)
            taken = time.monotonic() - started
            with crm.system_session("benchmark", read_only=True) as session:
                for cls in (Account, Contact):
                    started = time.monotonic()
                    pairs = duplicates.candidates(session, cls)
                    seconds = time.monotonic() - started
                    kinds: defaultdict[str, int] = defaultdict(int)
                    for pair in pairs:
                        kinds[" and ".join(sorted({key.kind for key in pair.keys}))] += 1
                    found.append({
                        "data": name, "record": cls.crm_type.name, "records": session.count(cls), "pairs": len(pairs),
                        "keys": dict(kinds), "seconds": round(seconds, 3), "told_at_import": report.duplicates,
                        "import_seconds": round(taken, 1),
                    })  # fmt: skip
            crm.close()
    return found


@click.command()
@click.option("--data", default=None, help="The folder with the sample data; else CRM_SHARED_DATA.")
@click.option("--imports", "with_imports", is_flag=True, help="Count candidates in the sample companies, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(data: str | None, with_imports: bool, as_json: bool) -> None:
    """Measure precision and recall of the exact match keys on the FEBRL sets."""
    folder = Path(data or os.environ.get("CRM_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    found = results(folder / "febrl")
    companies = imports(folder) if with_imports else []
    if as_json:
        figures = [
            {**attrs.asdict(each), "precision": round(each.precision, 4), "recall": round(each.recall, 4),
             "f1": round(each.f1, 4)}
            for each in found
        ]  # fmt: skip
        json.dump({"environment": environment(), "febrl": figures, "imports": companies}, sys.stdout, indent=1)
        print()
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Exact match keys beside the truth")
    for name in ("data", "taken as", "keys", "pairs found", "right", "of", "precision", "recall", "F1"):
        table.add_column(name, justify="left" if name in ("data", "taken as", "keys") else "right")
    for each in found:
        table.add_row(each.data, each.taken_as, each.keys, str(each.pairs), str(each.right), str(each.true),
                      f"{each.precision:.3f}", f"{each.recall:.3f}", f"{each.f1:.3f}")  # fmt: skip
    console = Console(width=150 if not sys.stdout.isatty() else None)
    console.print(table)
    for each_ in companies:
        console.print_json(data=each_)


if __name__ == "__main__":
    main()
