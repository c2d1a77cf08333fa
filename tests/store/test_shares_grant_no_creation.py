"""A role that nobody has but by a share grants nothing beyond the shared account: least of all membership."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from crm_core import (
    Account,
    Activity,
    Contact,
    Crm,
    CrmSession,
    ExternalRef,
    Membership,
    PermissionDenied,
    Record,
    Unit,
    User,
    organisation,
    ownership,
    shares,
)


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    """Li sells, and the helper has a role that grants nothing but reading."""
    with Crm.open({"roles": {"none": {"permissions": {"*.read": "own"}}}}, database=database_url, check=False) as crm:
        crm.migrate()
        with crm.system_session("test") as session:
            session.add(Unit(name="Sales", code="sales"))
            for login, role in (("li", "sales"), ("helper", "none")):
                session.add(User(login=login, name=login.title()))
                session.flush()
                organisation.join(session, login, "sales", role=role, since_always=True)
        yield crm


@pytest.mark.parametrize(
    "make",
    [
        lambda session: Unit(name="Mine"),
        lambda session: User(login="mallory", name="Mallory"),
        lambda session: Membership(
            user_id=session.user_id, unit_id=organisation.find_unit(session, "sales").id, role="administrator"
        ),
        lambda session: ExternalRef(system="erp", record_type="account", key="1", record_id=1),
    ],
    ids=["unit", "user", "membership", "external_ref"],
)
def test_a_salesperson_does_not_create_what_only_administrators_may(
    crm: Crm, make: Callable[[CrmSession], Record]
) -> None:
    with pytest.raises(PermissionDenied, match="A role with the permission"), crm.session("li") as session:
        session.add(make(session))
    with pytest.raises(PermissionDenied, match="A role with the permission"), crm.session("li") as session:
        record = make(session)
        fields = {field.name: getattr(record, field.name) for field in type(record).crm_type.fields}
        session.add_many(type(record), [fields])


@pytest.mark.parametrize(
    "make", [lambda: Account(name="Mine"), lambda: Contact(name="Ann"), lambda: Activity(kind="task", subject="Rest")]
)
def test_what_hangs_on_no_account_is_not_created_by_a_role_of_others(crm: Crm, make: Callable[[], Record]) -> None:
    with pytest.raises(PermissionDenied, match="A role with the permission"), crm.session("helper") as session:
        session.add(make())


def test_a_share_lets_its_receiver_create_beneath_the_account(crm: Crm) -> None:
    with crm.system_session("test") as session:
        acme, beta = (session.add_one(Account(name=name)) for name in ("Acme", "Beta"))
        for account in (acme, beta):
            ownership.assign(session, account, to="li")
            shares.grant(
                session, account, user="helper", reason="holiday", role="editor" if account is acme else "reader"
            )
    with crm.session("helper") as session:
        session.add(Activity(kind="call", subject="Hello", account_id=acme.id))
    with pytest.raises(PermissionDenied, match="may not add"), crm.session("helper") as session:
        session.add(Activity(kind="call", subject="Hello", account_id=beta.id))
