"""The ways to read that the leak tests go by."""

from __future__ import annotations

from crm_core import Account, Crm, Unit
from crm_core.testing.conformance.looks import navigations


def test_a_navigation_may_lead_to_the_same_record_type(database_url):
    with Crm.open({"crm": {"plugins": []}}, database=database_url, check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            whole = session.add_one(Unit(name="Whole"))
            session.flush()
            part = session.add_one(Unit(name="Part", parent_id=whole.id))
            session.add(Account(name="Acme"))
        with crm.system_session("test", read_only=True) as session:
            found = navigations(session, Unit, "parent")
    assert found.keys() == {"lazy", "joined", "select in", "outer join"}
    assert all(ends == {whole.id: None, part.id: whole.id} for ends in found.values())
