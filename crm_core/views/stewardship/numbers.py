"""Checks of telephone numbers: that they are in the country of the address, those of accounts and those of people."""

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import CALLED, Affiliation, Contact, ContactPoint
from crm_core.errors import Problem
from crm_core.store.guard import trusted
from crm_core.views.stewardship.looking import Look, QualityFinding

__all__ = ["phone_country", "point_country"]


def phone_country(look: Look) -> Generator[QualityFinding, None, None]:
    """The telephone is in the country of the address."""
    query = (
        select(Account.id, Account.name, Account.phone, Account.address)
        .where(Account.active.is_(True), _elsewhere(Account.crm_type.table.c.phone))
        .order_by(Account.id)
    )
    for id_, name, phone, address in look.first(query, Account.id):
        yield QualityFinding(
            check="phone_country", account_id=id_, account=name, record_type="account", record_id=id_,
            problem=Problem("", "{account} is in {country}, but its telephone {phone} is in {region}.",
                            "Correct the one that is wrong.",
                            {"account": name, "country": address.country, "phone": phone, "region": _region(phone)}),
        )  # fmt: skip


def point_country(look: Look) -> Generator[QualityFinding, None, None]:
    """So are the numbers that are contact points, those of the account and those of its people.

    People may well have brought theirs from elsewhere: of them it is a hint.
    """
    columns = (ContactPoint.id, ContactPoint.value, Account.id.label("account_id"), Account.name.label("account"),
               Account.address)  # fmt: skip
    number = ContactPoint.crm_type.table.c.value
    where = (ContactPoint.kind.in_(CALLED), Account.active.is_(True), _elsewhere(number))
    own = (
        select(*columns)
        .join(Account, Account.id == ContactPoint.account_id)
        .where(*where)
        .order_by(ContactPoint.id)
    )  # fmt: skip
    for row in look.first(own, Account.id):
        yield _found(row, "{account} is in {country}, but its telephone {phone} is in {region}.")
    theirs = (
        select(*columns, ContactPoint.contact_id, Contact.name.label("person"))
        .join(Contact, Contact.id == ContactPoint.contact_id)
        .join(Affiliation, Affiliation.contact_id == Contact.id)
        .join(Account, Account.id == Affiliation.account_id)
        .where(*where)
        .order_by(ContactPoint.id, Affiliation.id)
    )
    for row in look.first(theirs, Affiliation.account_id):
        yield _found(
            row, "{account} is in {country}, but {phone}, at which {person} is reached, is in {region}.",
            contact_id=row.contact_id, person=row.person,
        )  # fmt: skip


def _found(row: Any, text: str, *, contact_id: int | None = None, person: str = "") -> QualityFinding:
    values = {"account": row.account, "country": row.address.country, "phone": row.value, "person": person,
              "region": _region(row.value)}  # fmt: skip
    return QualityFinding(
        check="point_country", account_id=row.account_id, account=row.account, contact_id=contact_id,
        record_type="contact_point", record_id=row.id, hint=contact_id is not None,
        problem=Problem("", text, "Correct the one that is wrong.", values),
    )  # fmt: skip


def _elsewhere(number: Any) -> ColumnElement[bool]:
    """That a number says its country, and that it is none of the address; numbers without one may be anywhere."""
    country = func.upper(Account.crm_type.table.c.address_country)
    mismatch = [
        and_(code.in_(sorted(codes)), code.concat(country).not_in(sorted(f"{each}{region}" for each in codes
                                                                     for region in codes[each])))
        for size, codes in _regions().items()
        for code in [func.substr(number, 2, size)]
    ]  # fmt: skip
    found: ColumnElement[bool] = trusted(and_(number.startswith("+"), country.is_not(None), or_(*mismatch)))
    return found


def _region(number: str) -> str:
    """The country of a number, the first of those that share its code."""
    return next(codes[number[1 : size + 1]] for size, codes in _regions().items() if number[1 : size + 1] in codes)[0]


@functools.cache
def _regions() -> dict[int, dict[str, tuple[str, ...]]]:
    """By the length of a country's telephone code the codes, each with its countries; none begins with another."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    found: dict[int, dict[str, tuple[str, ...]]] = {1: {}, 2: {}, 3: {}}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if "001" not in regions:  # of no country: satellites, freephone numbers
            found[len(str(code))][str(code)] = regions
    return found
