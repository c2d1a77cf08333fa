"""A custom field may be personal too: erasing a person leaves none of it, in the row or the journal."""

from __future__ import annotations

from sqlalchemy import select

from crm_core import Contact, Crm, contacts
from crm_core.store.tables import CHANGE

SECRET = "plays the bassoon"


def test_a_personal_custom_field_goes_with_the_person(database_url: str) -> None:
    build = {
        "crm": {"name": "erasing", "database": database_url, "plugins": []},
        "custom_fields": {
            "contact": {
                "hobby": {"kind": "text", "length": 80, "personal": True},
                "segment": {"kind": "text", "length": 20},
            }
        },
    }
    with Crm.open(build, check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            person = session.add_one(Contact(name="Ann"))
            person.custom = {"hobby": SECRET, "segment": "A"}
        with crm.system_session("test") as session:
            assert contacts.erase(session, session.require(Contact, person.id), reason="request") > 0
        with crm.system_session("test") as session:
            assert dict(session.require(Contact, person.id).custom) == {"segment": "A"}
            journal = session.core(select(CHANGE.c.before, CHANGE.c.after)).all()
            assert journal
            assert SECRET not in str(journal)
