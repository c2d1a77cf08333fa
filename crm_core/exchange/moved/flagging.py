"""What is open and hangs on places that ended: it goes into the queue of data quality, for whoever is to do it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.contacts import Affiliation
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.quality import note_issues
from crm_core.exchange.moved.report import Flagged, Move
from crm_core.hooks.values import Failed, OpenItem
from crm_core.views.open_items import open_items

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["flag"]

_SUBJECT = 200


def flag(session: CrmSession, moves: Iterable[Move]) -> tuple[tuple[Flagged, ...], tuple[Failed, ...]]:
    """Put what is open and hangs on a place that ended into the queue; plugins that could not say are told."""
    left = {(account_id, move.contact_id): move for move in moves for account_id, _ in move.ended}
    accounts = sorted({account_id for account_id, _ in left})
    if not accounts:
        return (), ()
    gathered = open_items(session, accounts)
    items = [
        item
        for item in gathered
        if (item.account_id, item.contact_id) in left and item.record_type != Affiliation.crm_type.name
    ]
    owners = _owners(session, accounts)
    # What nobody in particular is to do is the owner's to look at.
    items = [attrs.evolve(item, user_id=item.user_id or owners.get(item.account_id)) for item in items]
    issues = note_issues(session, [_row(item, left[item.account_id, item.contact_id or 0]) for item in items])
    query = select(User.id, User.name).where(User.id.in_(sorted({each.user_id for each in items if each.user_id})))
    users = {row.id: row.name for row in session.execute(query)} if items else {}
    flagged = tuple(
        Flagged(
            issue_id=issue.id, account_id=item.account_id, contact_id=item.contact_id or 0,
            name=left[item.account_id, item.contact_id or 0].name, kind=item.kind, title=item.title, text=item.text,
            due=item.due, record_type=item.record_type, record_id=item.record_id, user=users.get(item.user_id or 0),
        )
        for issue, item in zip(issues, items, strict=True)
    )  # fmt: skip
    return flagged, gathered.failed


def _owners(session: CrmSession, accounts: Sequence[int]) -> dict[int, int]:
    query = (
        select(Ownership.account_id, Ownership.user_id)
        .where(Ownership.account_id.in_(accounts), Ownership.role == OwnershipRole.OWNER)
        .order_by(Ownership.scope.desc(), Ownership.id.desc())
    )
    return {row.account_id: row.user_id for row in session.execute(query)}


def _row(item: OpenItem, move: Move) -> dict[str, Any]:
    return {
        "kind": "moved",
        "subject": _subject(item, move.name),
        "account_id": item.account_id,
        "contact_id": move.contact_id,
        "record_type": item.record_type,
        "record_id": item.record_id,
        "assignee_id": item.user_id,
    }


def _subject(item: OpenItem, name: str) -> str:
    """What hangs on whom. The text belongs to it: only there a part in a decision names the deal.

    What is called by the person already does not name them again; what is too long loses the end of its text.
    """
    about = " · ".join(each for each in (item.title, item.text) if each)
    person = "" if item.title == name else f" ({name})"
    return (about[: max(_SUBJECT - len(person), 0)] + person)[:_SUBJECT]
