"""What is worked on: the build, a small company with customers of every kind, and the folder of an attempt."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import func, select

from crm_core import Account, Contact, Crm, contacts, jobs, ownership
from crm_core.assembly import given
from crm_core.exchange import run_import
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.testing.company import generate
from torture.databases import Place
from torture.faults import plugin

__all__ = ["ACKNOWLEDGED", "BASE", "LEAVER", "OWN", "PRESENT", "Ground", "found", "write_rows"]

ROOT = Path(__file__).parents[2]
OWN = ("industrial", "consumer_goods", "key_accounts", "stakeholders", "project_sales")
"""The plugins of this repository."""
LEAVER, BASE, YOUNG = "leaver", "base", "young"
PRESENT = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
"""All that the company did lies before; all that is later was done by whoever worked."""
ACKNOWLEDGED = "acknowledged.txt"

ACCOUNTS, IMPORTED, PAIRS, JOBS = 30, 60, 5, 12

_BUILD = """\
# The build of an attempt.
[crm]
name = "Tortured"
database = "{url}"
plugins = [{plugins}]
time_zone = "UTC"

[pools.all]
where = "name != 'Nowhere'"
roles = ["sales"]

[jobs."feed.deliver"]
lease = 1
"""

_MAPPING = """\
[source]
system = "old"
[[section]]
record = "account"
file = "accounts.csv"
key = "id"
fields.name = "name"
fields.industry = "industry"
[[section]]
record = "account_address"
file = "accounts.csv"
key = "id"
fields.account_id = { column = "id", lookup = "account" }
fields.address.city = "city"
[[section]]
record = "contact"
file = "accounts.csv"
key = "id"
fields.name = "person"
[[section]]
record = "affiliation"
file = "accounts.csv"
key = "id"
fields.account_id = { column = "id", lookup = "account" }
fields.contact_id = { column = "id", lookup = "contact" }
"""


@attrs.frozen
class Ground:
    """One database with the folder of its build file, and what is known of the company in it."""

    place: Place
    name: str
    folder: Path
    facts: Mapping[str, Any]

    @property
    def url(self) -> str:
        """The address of the database."""
        return self.place.url(self.name)

    @property
    def build(self) -> Path:
        """The build file."""
        return self.folder / "crm.toml"

    def write_build(self, plugins: tuple[str, ...] = ("tortured", LEAVER), url: str | None = None) -> None:
        """Write the build file anew."""
        listed = ", ".join(f'"{each}"' for each in plugins)
        self.build.write_text(_BUILD.format(url=url or self.url, plugins=listed), encoding="utf-8")

    def open(self, **options: Any) -> Crm:
        """The CRM of the build file."""
        os.environ[plugin.FOLDER] = str(self.folder)
        return Crm.open(self.build, discovery=_discovery(), check=False, **options)

    def acknowledge(self, change_set: int | None) -> None:
        """Tell the world that something is committed."""
        if change_set is not None:
            plugin.note(ACKNOWLEDGED, change_set)

    def lines(self, name: str) -> list[int]:
        """The numbers that were written down in a file of the folder."""
        file = self.folder / name
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def _discovery() -> Any:
    from importlib import import_module

    leaver = str(ROOT / "tests" / "dists" / "crm-leaver")
    if leaver not in sys.path:
        sys.path.append(leaver)
    named = [import_module(f"crm_{name}.manifest").manifest for name in (*OWN, LEAVER)]
    return given(plugin.manifest, *named)


def write_rows(folder: Path, numbers: Iterable[int], generation: str) -> None:
    """A file of customers in another system, and the mapping that reads it."""
    folder.mkdir(exist_ok=True)
    (folder / "mapping.toml").write_text(_MAPPING, encoding="utf-8")
    rows = [f"{n},Firm {n} {generation},trade {n % 5},City {n % 7},Person {n}" for n in numbers]
    (folder / "accounts.csv").write_text("\n".join(["id,name,industry,city,person", *rows, ""]), encoding="utf-8")


def found(place: Place, folder: Path) -> dict[str, Any]:
    """Make the databases that attempts are copies of; returns what is known of the company."""
    folder.mkdir(parents=True, exist_ok=True)
    young = Ground(place, YOUNG, folder, {})
    place.make(YOUNG)
    young.write_build(plugins=())
    with young.open() as crm:
        crm.migrate()
        _company(crm)
    base = Ground(place, BASE, folder, {})
    place.make(BASE)
    base.write_build()
    with base.open() as crm:
        crm.migrate()
        _company(crm)
        facts = _business(crm, folder)
        facts["newest"] = _newest(crm)
    for each in (plugin.TOLD, plugin.DID):
        (folder / each).unlink(missing_ok=True)
    place.calm(BASE)
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return facts


def _company(crm: Crm) -> None:
    with crm.system_session("foundation", streaming=True) as session:
        generate(session, ACCOUNTS)


def _business(crm: Crm, folder: Path) -> dict[str, Any]:
    """Customers from elsewhere, doubles, jobs, and what a plugin keeps."""
    facts: dict[str, Any] = {}
    write_rows(folder / "old", range(IMPORTED), "old")
    facts["imported"] = run_import(crm, folder / "old" / "mapping.toml", folder / "old").change_set
    with crm.system_session("foundation") as session:
        session.add(Account(name=plugin.COUNTER, employees=0))
        facts["pairs"] = []
        for number in range(PAIRS):
            pair = [session.add_one(Account(name=f"Double {number}", website=f"https://{number}.example/{each}")).id
                    for each in "ab"]  # fmt: skip
            for id_ in pair:
                person = session.add_one(Contact(name=f"Person of {id_}"))
                account = session.require(Account, id_)
                contacts.affiliate(session, person, account, since_always=True)
                ownership.assign(session, account, to="sales1", since_always=True)
                facts["person"] = person.id
            facts["pairs"].append(pair)
        facts["free"] = [each.id for each in session.list(Account, "startswith(name, 'Firm')", order="id", limit=3)]
        names = ["tortured.make"] * JOBS + ["tortured.count"] * JOBS + ["tortured.tell"] * JOBS
        for number, name in enumerate(names):
            jobs.enqueue(session, name, {"number": number})
    _visits(crm)
    crm.deliver()
    return facts


def _visits(crm: Crm) -> None:
    from crm_leaver.records import Profile, Step, Tie, Visit  # type: ignore[import-not-found]

    with crm.system_session("foundation") as session:
        people = session.list(Contact, order="id", limit=8)
        for number, account in enumerate(session.list(Account, order="id", limit=8)):
            visit = session.add_one(Visit(account_id=account.id, subject=f"Visit {number}", remark="on the way"))
            visit.contact_id = people[number].id
            session.add(Step(visit_id=visit.id, name=f"Step {number}"))
            session.add(Tie(account_id=account.id, contact_id=people[number].id, words="helps"))
            profile = Profile(stars=number)
            profile.id = account.id
            session.add(profile)


def _newest(crm: Crm) -> int:
    with crm.store.reading() as connection:
        highest = connection.execute(select(func.max(CHANGE_SET.c.id), func.max(CHANGE.c.record_id)).select_from(
            CHANGE_SET.outerjoin(CHANGE, CHANGE.c.change_set_id == CHANGE_SET.c.id))).one()  # fmt: skip
    return int(max(highest))
