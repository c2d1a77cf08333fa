"""The small company of the test kit: who sees what is as its docstring says."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm_core import Account, Unit
from crm_core.errors import NotFound
from crm_core.testing.two_teams import two_teams


def test_each_sees_their_own_and_the_manager_all(database_url):
    with two_teams(database_url, [], east=("A", "B"), west=("C",)) as company:
        seen = {}
        for who in ("li.wei", "zhang.min", "boss"):
            with company.session(who) as session:
                seen[who] = sorted(session.scalars(select(Account.name)))
        assert seen == {"li.wei": ["A", "B"], "zhang.min": ["C"], "boss": ["A", "B", "C"]}
        with company.session("boss") as session, company.statements() as statements:
            assert company.account(session, "C").name == "C"
            assert len(statements) > 0
            assert sorted(session.scalars(select(Unit.name))) == ["East", "Sales", "West"]
        with company.session() as session, pytest.raises(NotFound):
            company.account(session, "C")


def test_plugins_come_with_their_settings(database_url):
    more = {"vocabularies": {"activity.kind": {"tea": "Tea"}}}
    with two_teams(database_url, ["stakeholders"], settings={"needed_scopes": ["price"]}, **more) as company:
        assert company.crm.build.settings["stakeholders"].needed_scopes == ("price",)
        assert company.crm.store.policy.vocabularies["activity.kind"]["tea"] == "Tea"
        assert sorted(company.accounts) == ["Acme", "Beta", "Delta"]
