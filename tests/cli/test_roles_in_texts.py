"""Where a text names a role, it says its label, and beside it the name that people type."""

from __future__ import annotations

import pytest

from crm_core import Account, Crm, Unit, User, organisation, ownership, shares
from crm_core.errors import PermissionDenied
from crm_core.translation import Translator

pytestmark = pytest.mark.any_database  # what is asked is how texts are worded

ROLES = {
    "crew": {"label": "Field crew", "permissions": {"*.read": "all"}},
    "desk": {"label": "Desk", "permissions": {"account.read": "own", "share.create": "own"}},
}


@pytest.fixture
def opened(database_url):
    with Crm.open({"roles": ROLES}, database=database_url, check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            unit = session.add_one(Unit(name="HQ"))
            for login, role in (("ann", "crew"), ("bob", "desk"), ("carl", "desk")):
                session.add(User(login=login, name=login))
                session.flush()
                organisation.join(session, login, unit, role=role, since_always=True)
                organisation.join(session, login, unit, role="desk", since_always=True) if login == "ann" else None
            account = session.add_one(Account(name="Acme"))
            ownership.assign(session, account, to="bob", since_always=True)
        yield crm


def test_why_somebody_sees_a_record_names_the_role_that_reads_all_and_no_other(opened):
    with opened.session("ann") as session:
        grounds = session.explain(session.list(Account)[0])
    assert [str(each) for each in grounds] == ["the role Field crew (crew) reads all records of this type"]
    assert Translator("zh_CN").ground(grounds[0]) == "角色 Field crew (crew) 可读取此类型的全部记录"


def test_a_shared_account_names_the_role_that_was_lent(opened):
    with opened.system_session("test") as session:
        shares.grant(session, session.list(Account)[0], user="carl", role="editor", reason="helps")
    with opened.session("carl") as session:
        grounds = session.explain(session.list(Account)[0])
    assert [str(each) for each in grounds] == ["it is shared with you as editor, because: helps"]
    assert "(editor)" in Translator("zh_CN").ground(grounds[0])


def test_who_may_not_lend_a_role_is_told_which(opened):
    with pytest.raises(PermissionDenied) as raised, opened.session("bob") as session:
        shares.grant(session, session.list(Account)[0], user="ann", role="crew", reason="helps")
    assert "cannot lend the role Field crew (crew) on the account" in str(raised.value)
    assert "Field crew (crew)" in Translator("zh_CN").error(raised.value)
