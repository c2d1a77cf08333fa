"""What is open about who decides: roles that hang on people, and sides of a decision in which nobody is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crm_core import CrmSession, OpenItem
from crm_stakeholders.maps import Subject, decision_maps
from crm_stakeholders.views import titles

__all__ = ["open_work"]


def open_work(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """The roles that hold, each with its person, so that it is flagged when they move; and what is not known yet.

    One statement for the roles, and one for each type of subject. None of it is in the charge of a colleague. Nothing
    is asked about accounts where nobody has begun to note who decides.
    """
    if user_id is not None:
        return
    maps = decision_maps(session, accounts)
    names = titles(session, maps)
    roles, scopes = (session.policy.vocabularies[f"stakeholders.{name}"] for name in ("role", "scope"))
    for subject, found in maps.items():
        about = names.get(subject, "")
        for person in found.stakeholders:
            yield OpenItem(
                account_id=subject.account_id,
                kind="role",
                title=person.name,
                text=" · ".join(part for part in (roles.get(person.role, person.role), about) if part),
                record_type="stakeholders.role",
                record_id=person.role_id,
                contact_id=person.contact_id,
            )
        yield from _unknown(subject, [scopes.get(scope, scope) for scope in found.coverage.missing], about)


def _unknown(subject: Subject, scopes: Sequence[str], about: str) -> Iterator[OpenItem]:
    for scope in scopes:
        yield OpenItem(
            account_id=subject.account_id,
            kind="question",
            title="Who decides is not known",
            text=" · ".join(part for part in (scope, about) if part),
            record_type=subject.type or "account",
            record_id=subject.id or subject.account_id,
        )
