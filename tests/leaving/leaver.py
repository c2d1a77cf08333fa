"""A small company that uses the plugin ``leaver``, and what the plugin knows of it, field by field."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from crm_core import Crm, Money, organisation, ownership, shares
from crm_core.assembly import Manifest, given
from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.external import ExternalRef
from crm_core.domain.organisation import Unit, User
from crm_core.fields import Address

DIST = Path(__file__).parents[1] / "dists" / "crm-leaver"
MARCH = dt.datetime(2025, 3, 1, 8, 30, tzinfo=dt.UTC)
TYPES = ("leaver.visit", "leaver.step", "leaver.tie", "leaver.profile")

BUILD: dict[str, Any] = {
    "crm": {"name": "Test", "plugins": ["leaver"], "time_zone": "Asia/Shanghai"},
    "plugins": {"leaver": {"often": 5}},
    "roles": {"clerk": {"permissions": {"*.read": "own", "account.update": "own", "leaver.visit.update": "own"}}},
    "custom_fields": {
        "leaver.visit": {"weight": {"kind": "number", "scale": 2}, "nick": {"kind": "text", "personal": True}},
        "account": {"club": {"kind": "text"}},
    },
}


def open_crm(
    database: str,
    *,
    without: tuple[str, ...] = (),
    more: tuple[Manifest, ...] = (),
    check: bool = True,
    **sections: Any,
) -> Crm:
    """The CRM, with the plugin or without, perhaps with more plugins and further sections of the build file."""
    from crm_leaver.manifest import manifest

    config = BUILD | sections
    config["crm"] = BUILD["crm"] | {"plugins": ["leaver", *(each.name for each in more)]}
    return Crm.open(config, database=database, discovery=given(manifest, *more), without=without, check=check)


@attrs.frozen
class Company:
    """Ids of what was made; ``sets`` are the change sets in order: the company, the plugin's work, the changes."""

    crm: Crm
    ids: dict[str, int]
    sets: dict[str, int]


def found(crm: Crm) -> Company:
    """Two customers with a person each, an owner, and what the plugin keeps of them."""
    ids: dict[str, int] = {}
    sets: dict[str, int] = {}
    with crm.system_session("init", reason="the company") as session:
        unit = session.add_one(Unit(name="HQ"))
        for login, role in (("li.wei", "administrator"), ("wang.fang", "clerk")):
            user = session.add_one(User(login=login, name=login))
            organisation.join(session, user, unit, role=role, since_always=True)
            ids[login] = user.id
        for name in ("Acme", "Beta", "Gamma"):
            account = session.add_one(Account(name=name))
            ids[name] = account.id
            ownership.assign(session, account, to="wang.fang", since_always=True)
        for name, where in (("Ann", "Acme"), ("Bob", "Beta")):
            person = session.add_one(Contact(name=name))
            ids[name] = person.id
            session.add_one(Affiliation(contact_id=person.id, account_id=ids[where], role="buyer"))
    sets["company"] = session.last_change_set
    from crm_leaver.records import Mood, Profile, Step, Tie, Visit

    with crm.session("li.wei", reason="visits") as session:
        full = Visit(
            account_id=ids["Acme"], contact_id=ids["Ann"], subject="Full 拜访", remark="Ann is ill", met="Ann 安",
            score=Decimal("7.25"), count=2**40, cost=Money("12345678901234.5678", "CNY"), day=dt.date(2025, 2, 28),
            begun_at=dt.datetime(2025, 3, 1, 9, 30, 15, 123456, tzinfo=dt.UTC), paid=True,
            labels=frozenset({"a", "二"}),
            readings={"x": [1, 1e23, None, "文"], "deep": {"n": -0.5}}, mood=Mood.BAD,
            site=Address(street="Road 1", city="上海", country="CN"), link="https://acme.example/x?y=1",
            mail="ann@acme.example", call="+8613800138000",
        )  # fmt: skip
        full.custom = {"weight": "2.50", "nick": "Annie"}
        ids["full"] = session.add_one(full).id
        ids["bare"] = session.add_one(Visit(account_id=ids["Beta"], contact_id=ids["Bob"], subject='=1+1 \n"bare"')).id
        ids["gone"] = session.add_one(Visit(account_id=ids["Beta"], subject="gone", remark="Bob was rude")).id
        first = session.add_one(Step(visit_id=ids["full"], name="first"))
        ids["step"] = first.id
        ids["below"] = session.add_one(Step(visit_id=ids["full"], above_id=first.id, name="second")).id
        for start, end in ((None, MARCH), (MARCH, None)):
            tie = Tie(account_id=ids["Acme"], contact_id=ids["Ann"], valid_from=start, valid_to=end, words="Ann helps")
            ids["tie" if end else "later"] = session.add_one(tie).id
        profile = Profile(stars=4, motto="quick")
        profile.id = ids["Acme"]
        session.add(profile)
        session.add_one(ExternalRef(system="erp", record_type="leaver.visit", key="V-1", record_id=ids["full"]))
        gamma, full = session.get(Account, ids["Gamma"]), session.get(Visit, ids["full"])
        shares.grant(session, gamma, reason="on the way", user="li.wei", because=full)
    sets["visits"] = session.last_change_set
    with crm.session("li.wei", reason="changes") as session:
        session.get(Visit, ids["full"]).remark = "Ann is well"
        session.get(Visit, ids["full"]).score = Decimal("8.00")
        session.delete(session.get(Visit, ids["gone"]))
        session.get(Profile, ids["Acme"]).tone = "warm"
    sets["changes"] = session.last_change_set
    return Company(crm, ids, sets)


def rows(crm: Crm) -> dict[str, dict[int, dict[str, Any]]]:
    """Every declared field of every row of the plugin, with custom fields, version and stamps."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    with crm.system_session("test", read_only=True) as session:
        for name in TYPES:
            record_type = session.types[name]
            found[name] = {}
            for record in session.list(record_type.cls, all_dates=True):
                values = {field.name: getattr(record, field.name) for field in record_type.fields}
                values |= {each: getattr(record, each) for each in ("custom", "version", "created_at", "created_by")}
                found[name][record.id] = values
    return found
