"""All checks, run over what the actor sees: one statement each, however many records there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from crm_core.domain.accounts import Account
from crm_core.errors import NotFound, nearest
from crm_core.views.stewardship import firms, numbers, people
from crm_core.views.stewardship.looking import Look, QualityFinding

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["CHECKS", "CHECK_LABELS", "QualityFinding", "findings"]

_Check = Callable[[Look], Generator[QualityFinding, None, None]]

CHECKS: Mapping[str, tuple[_Check, tuple[str, ...]]] = {
    "two_main_places": (people.two_main_places, ("contact", "affiliation")),
    "stale_place": (people.stale_place, ("contact", "affiliation")),
    "left_with_plans": (people.left_with_plans, ("contact", "affiliation", "activity")),
    "shared_point": (people.shared_point, ("contact", "affiliation", "contact_point")),
    "no_contact_point": (people.no_contact_point, ("contact", "affiliation", "contact_point")),
    "email_domain": (people.email_domain, ("contact", "affiliation", "contact_point")),
    "erased_leftovers": (people.erased_leftovers, ("contact", "affiliation")),
    "no_person": (firms.no_person, ("affiliation",)),
    "owner_inactive": (firms.owner_inactive, ("ownership",)),
    "inactive_with_plans": (firms.inactive_with_plans, ("activity",)),
    "registration_number": (firms.registration_number, ()),
    "phone_country": (numbers.phone_country, ()),
    "point_country": (numbers.point_country, ("contact", "affiliation", "contact_point")),
}
"""The checks by their stable names, each with the records that one must be allowed to read for it."""

CHECK_LABELS: Mapping[str, str] = {
    "two_main_places": "Two main places of work",
    "stale_place": "Not confirmed for long",
    "left_with_plans": "Plans with somebody who left",
    "shared_point": "Contact point of several people",
    "no_contact_point": "Cannot be reached",
    "email_domain": "E-mail of another company",
    "erased_leftovers": "Rests of an erased person",
    "no_person": "Nobody is known there",
    "owner_inactive": "The owner is not active",
    "inactive_with_plans": "Plans with an inactive account",
    "registration_number": "Registration number",
    "phone_country": "Telephone of another country",
    "point_country": "Contact point of another country",
    "duplicate": "Perhaps the same",
}
"""What people call the checks, and candidates for duplicates."""


def findings(
    session: CrmSession,
    accounts: Iterable[Account | int] | None = None,
    *,
    where: str | None = None,
    kinds: Collection[str] | None = None,
    limit: int | None = None,
) -> list[QualityFinding]:
    """What is stale, contradicts itself or is missing, among what the actor sees at the session's ``at``.

    ``accounts`` (records or ids) or an expression ``where`` choose what is looked at, ``kinds`` which checks are made;
    ``limit`` is for each check. A fixed number of statements: one per check, two for ``shared_point`` and
    ``point_country``. Raises :class:`NotFound` for an unknown check.
    """
    wanted = list(CHECKS) if kinds is None else [_known(name) for name in kinds]
    look = Look(
        session,
        where,
        None if accounts is None else frozenset(each if isinstance(each, int) else each.id for each in accounts),
        session.at - dt.timedelta(days=session.policy.steward.stale_days),
        limit,
    )
    found: list[QualityFinding] = []
    for name in wanted:
        check, needed = CHECKS[name]
        if all(session.can(f"{record}.read") for record in ("account", *needed)):
            with closing(check(look)) as each:
                found += islice(each, limit)
    return found


def _known(name: str) -> str:
    if name not in CHECKS:
        near = nearest(name, CHECKS)
        raise NotFound("There is no check {name!r}.", mend="Did you mean {near}?", name=name, near=near)
    return name
