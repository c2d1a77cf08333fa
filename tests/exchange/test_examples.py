"""The other mappings among the examples, with the data that they are for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from crm_core.assembly import Crm
from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity
from crm_core.domain.contacts import Contact, ContactPoint
from crm_core.domain.organisation import User
from crm_core.exchange import run_import
from crm_core.store.session import CrmSession

EXAMPLES = Path(__file__).parents[2] / "examples" / "imports"
Open = Callable[..., Crm]


def count(session: CrmSession, crm: Crm, name: str) -> int:
    statement = select(func.count()).select_from(crm.types[name].cls)
    return session.scalar(statement, execution_options={"all_dates": True}) or 0


class TestNorthwind:
    EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "expected" / "northwind.json").read_text("utf-8"))

    def test_whole_orders_and_their_lines_arrive(self, open_crm: Open, shared_data: Path, tmp_path: Path) -> None:
        expected = self.EXPECTED
        crm = open_crm(EXAMPLES / "northwind" / "crm.toml")
        rejects = tmp_path / "rejects.jsonl"
        report = run_import(
            crm, EXAMPLES / "northwind" / "mapping.toml", shared_data / "northwind", rejects_path=rejects
        )
        assert {each.name: each.rejected for each in report.sections if each.rejected} == expected["rejected"]
        lines = [json.loads(line) for line in rejects.read_text().splitlines()]
        assert sum("cells, the header" in line["reason"] for line in lines) == expected["ragged"]
        orphans = [line for line in lines if line["section"] == "order lines"]
        assert len(orphans) == 439
        assert all("There is no activity with the key 'order " in line["reason"] for line in orphans)
        with crm.system_session("test", read_only=True) as session:
            for name, number in expected["records"].items():
                assert count(session, crm, name) == number, name
            assert Counter(session.scalars(select(Account.kind))) == expected["accounts_by_kind"]
            assert Counter(session.scalars(select(Activity.kind))) == expected["activities_by_kind"]
            order = session.scalars(select(Activity).where(Activity.subject == "Order 10248")).one()
            of_order = session.scalars(select(Activity).where(Activity.series_id == order.id)).all()
            assert order.account is not None and order.user is not None and order.started_at is not None
            assert {
                "account": order.account.name,
                "user": order.user.name,
                "started_at": order.started_at.isoformat(),
                "freight": order.custom["freight"],
                "lines": sorted(line.subject for line in of_order),
            } == expected["order_10248"]
            assert {line.account_id for line in of_order} == {order.account_id}
        again = run_import(crm, EXAMPLES / "northwind" / "mapping.toml", shared_data / "northwind")
        assert again.change_set is None and again.rejected == report.rejected


class TestSalesforce:
    def test_what_has_values_arrives(self, open_crm: Open, shared_data: Path) -> None:
        crm = open_crm(EXAMPLES / "salesforce" / "crm.toml")
        mapping, data = EXAMPLES / "salesforce" / "mapping.toml", shared_data / "salesforce-fivetran"
        report = run_import(crm, mapping, data)
        got = {each.name: (each.created, each.skipped, each.rejected) for each in report.sections}
        assert got == {
            "users": (5, 5, 0), "accounts": (1, 9, 0), "owners": (0, 9, 1), "contacts": (3, 1, 0),
            "affiliations": (0, 1, 3), "e-mail addresses": (1, 3, 0), "telephones": (2, 2, 0),
            "tasks": (10, 0, 0), "events": (10, 0, 0),
        }  # fmt: skip
        with crm.system_session("test", read_only=True) as session:
            assert "Janet Yellen" in set(session.scalars(select(Contact.name)))
            assert session.count(User, "active") == 5
            assert Counter(session.scalars(select(Activity.kind)))["task"] == 10
            consents = Counter(point.consent.value for point in session.scalars(select(ContactPoint)))
            assert consents == {"unknown": 3}
        assert run_import(crm, mapping, data).change_set is None
