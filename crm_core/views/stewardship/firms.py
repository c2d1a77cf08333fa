"""Checks of accounts: their owners, their people, their numbers in registers."""

from __future__ import annotations

from collections.abc import Generator

from sqlalchemy import exists, func, select

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Status
from crm_core.domain.contacts import Affiliation
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.registration import registration_problem
from crm_core.errors import Problem
from crm_core.views.stewardship.looking import Look, QualityFinding

__all__ = ["inactive_with_plans", "no_person", "owner_inactive", "registration_number"]


def registration_number(look: Look) -> Generator[QualityFinding, None, None]:
    """The registration number is one of its country; what came in before the rule may not be.

    Without a country nobody can tell, and the rule lets everything pass: that is worth a hint.
    """
    query = (
        select(Account.id, Account.name, Account.registration_country, Account.registration_number)
        .where(Account.registration_number.is_not(None))
        .order_by(Account.id)
    )
    for id_, name, country, number in look.each(query, Account.id):
        if not country:
            yield QualityFinding(
                check="registration_number", account_id=id_, account=name, record_type="account", record_id=id_,
                problem=Problem("",
                                "The registration number {number} of {account} was never checked: it has no country.",
                                "Fill in the country of registration.", {"number": number, "account": name}),
                hint=True,
            )  # fmt: skip
            continue
        problem = registration_problem(country, number)
        if problem is not None:
            yield QualityFinding(
                check="registration_number", account_id=id_, account=name, record_type="account", record_id=id_,
                problem=Problem("", "{number} of {account} is no registration number of {country}: {reason}",
                                "Look it up in the register.",
                                {"number": number, "account": name, "country": country, "reason": problem}),
            )  # fmt: skip


def inactive_with_plans(look: Look) -> Generator[QualityFinding, None, None]:
    """Nothing is planned at an account that is not active."""
    query = (
        select(Account.id, Account.name, func.count().label("count"))
        .select_from(Activity)
        .join(Account, Account.id == Activity.account_id)
        .where(Activity.status == Status.PLANNED, Account.active.is_(False))
        .group_by(Account.id, Account.name)
        .order_by(Account.id)
    )
    for id_, name, count in look.first(query, Account.id):
        yield QualityFinding(
            check="inactive_with_plans", account_id=id_, account=name, record_type="account", record_id=id_,
            problem=Problem("", "{account} is not active, but activities are planned there: {count}.",
                            "Cancel them, or make the account active again.", {"account": name, "count": count}),
        )  # fmt: skip


def owner_inactive(look: Look) -> Generator[QualityFinding, None, None]:
    """Whoever owns an account still works with us."""
    query = (
        select(Ownership.id, Ownership.account_id, Account.name.label("account"), User.name)
        .join(Account, Account.id == Ownership.account_id)
        .join(User, User.id == Ownership.user_id)
        .where(Ownership.role == OwnershipRole.OWNER, User.active.is_(False), Account.active.is_(True))
        .order_by(Ownership.account_id, Ownership.id)
    )
    for row in look.first(query, Ownership.account_id):
        yield QualityFinding(
            check="owner_inactive", account_id=row.account_id, account=row.account, record_type="ownership",
            record_id=row.id,
            problem=Problem("", "{account} belongs to {user}, who is no longer active.",
                            "Hand it over, or give it back to the pool.", {"account": row.account, "user": row.name}),
        )  # fmt: skip


def no_person(look: Look) -> Generator[QualityFinding, None, None]:
    """We know somebody at every active account."""
    query = (
        select(Account.id, Account.name)
        .where(
            ~exists().where(Affiliation.account_id == Account.id),
            Account.active.is_(True),
            look.reaching("affiliation"),
        )
        .order_by(Account.id)
    )
    for id_, name in look.first(query, Account.id):
        yield QualityFinding(
            check="no_person", account_id=id_, account=name, record_type="account", record_id=id_,
            problem=Problem("", "We know nobody at {account}.", "Ask who decides and who answers the telephone.",
                            {"account": name}),
        )  # fmt: skip
