"""Whoever was erased does not come back with the next import of the same file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from crm_core import Contact, ContactPoint, Crm, contacts
from crm_core.exchange import run_import

MAPPING = {
    "source": {"system": "erp"},
    "section": [
        {"record": "contact", "file": "people.csv", "key": "no", "fields": {"name": "name"}},
        {
            "record": "contact_point",
            "file": "people.csv",
            "key": "no",
            "fields": {
                "contact_id": {"lookup": {"record": "contact", "key": "no"}},
                "kind": {"value": "email"},
                "value": "mail",
            },
        },
    ],
}


def test_an_erased_person_stays_erased(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("no,name,mail\n1,Ann,ann@example.com\n2,Bob,bob@example.com\n", "utf-8")
    with Crm.open({"crm": {"name": "erased", "database": database_url, "plugins": []}}, check=False) as crm:
        crm.migrate()
        assert run_import(crm, MAPPING, tmp_path).created == 4
        with crm.system_session("test") as session:
            ann = session.scalars(select(Contact).where(Contact.name == "Ann")).one()
            contacts.erase(session, ann, reason="request")
        report = run_import(crm, MAPPING, tmp_path)
        assert (report.created, report.updated, report.rejected) == (0, 0, 2)
        assert "erased" in str(report.as_json())
        with crm.system_session("test") as session:
            assert {row.name for row in session.scalars(select(Contact))} == {"[erased]", "Bob"}
            assert {row.value for row in session.scalars(select(ContactPoint))} == {"[erased]", "bob@example.com"}
