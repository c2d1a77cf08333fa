"""The steward's queue: what waits for a decision, and what should be mended."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.domain.organisation import User
from crm_core.domain.quality import DECIDE, IssueState, QualityIssue
from crm_core.errors import Problem
from crm_core.store.duplicates import Candidate, candidates_of
from crm_core.store.likely import likeliest
from crm_core.views.aliases import another
from crm_core.views.matters import readable_subjects
from crm_core.views.stewardship.findings import findings

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["DUPLICATE", "LIKELY", "QueueEntry", "QueuePage", "queue", "queue_page"]

DUPLICATE = "duplicate"
"""The kind of candidates for duplicates in the queue."""

LIKELY = 0.6
"""The score from which on candidates are in the queue: a common domain alone is not enough."""


@attrs.frozen(kw_only=True)
class QueueEntry:
    """One line of the queue. ``kind`` is that of a matter (``change``, ``moved``), or the name of a check.

    ``issue_id`` is there for what is kept (proposals, and what was put into the queue); findings are computed each
    time, and go when what they are about is mended.
    """

    kind: str
    account_id: int | None
    account: str
    contact_id: int | None
    record_type: str
    record_id: int
    problem: Problem
    issue_id: int | None = None
    who: str | None = None
    """Who proposed it."""
    assignee: str | None = None
    since: dt.datetime | None = None
    hint: bool = False


@attrs.frozen
class QueuePage:
    """So much of the queue as one page shows; ``more`` are the kinds of which there is more than that."""

    entries: tuple[QueueEntry, ...]
    more: tuple[str, ...] = ()


def queue_page(
    session: CrmSession,
    *,
    accounts: Iterable[Account | int] | None = None,
    where: str | None = None,
    kinds: Collection[str] | None = None,
    limit: int = 50,
) -> QueuePage:
    """At most ``limit`` of all matters together, of duplicates among each record, and of each check; see :func:`queue`.

    What is beyond the page is not counted, since that would cost more than to show it.
    """
    kept: list[QueueEntry] = []
    counts: Counter[tuple[str, str]] = Counter()
    more: dict[str, None] = {}
    for each in queue(session, accounts=accounts, where=where, kinds=kinds, limit=limit + 1):
        group = ("", "") if each.issue_id is not None else (each.kind, each.record_type)
        counts[group] += 1
        if counts[group] <= limit:
            kept.append(each)
        else:
            more[each.kind] = None
    return QueuePage(tuple(kept), tuple(more))


def queue(
    session: CrmSession,
    *,
    accounts: Iterable[Account | int] | None = None,
    where: str | None = None,
    kinds: Collection[str] | None = None,
    limit: int | None = None,
) -> list[QueueEntry]:
    """Open proposals and matters, oldest first, then candidates for duplicates (``duplicate``, those that are likely),
    then findings; see :func:`findings` for the arguments.

    A number of statements that does not depend on what is found. With a ``limit`` the work is that of a page: of more
    candidates than fit those are shown whose strongest common key is of the strongest kind.
    """
    chosen = None if accounts is None else [each if isinstance(each, int) else each.id for each in accounts]
    words = set(session.policy.vocabularies.get("quality.kind", {}))
    matters = words if kinds is None else words & set(kinds)
    entries = _matters(session, chosen, where, matters, limit) if matters else []
    if kinds is None or DUPLICATE in kinds:
        entries += _duplicates(session, chosen, where, limit)
    checks = None if kinds is None else [kind for kind in kinds if kind not in words | {DUPLICATE}]
    return entries + [
        QueueEntry(
            kind=each.check, account_id=each.account_id, account=each.account, contact_id=each.contact_id,
            record_type=each.record_type, record_id=each.record_id, problem=each.problem, hint=each.hint,
        )
        for each in findings(session, chosen, where=where, kinds=checks, limit=limit)
    ]  # fmt: skip


def _matters(
    session: CrmSession, accounts: list[int] | None, where: str | None, kinds: set[str], limit: int | None
) -> list[QueueEntry]:
    proposer, assignee = another(User), another(User, 2)
    told = session.can(DECIDE)
    labels = session.policy.vocabularies.get("quality.kind", {})
    query = (
        select(QualityIssue, Account.name, Contact.name, proposer.name, assignee.name)
        .outerjoin(Account, Account.id == QualityIssue.account_id)
        .outerjoin(Contact, Contact.id == QualityIssue.contact_id)
        .outerjoin(proposer, proposer.id == QualityIssue.proposer_id)
        .outerjoin(assignee, assignee.id == QualityIssue.assignee_id)
        .where(QualityIssue.state == IssueState.OPEN, QualityIssue.kind.in_(sorted(kinds)))
        .order_by(QualityIssue.created_at, QualityIssue.id)
        .limit(limit)
    )
    if accounts is not None:
        query = query.where(QualityIssue.account_id.in_(accounts))
    if where:
        query = query.where(QualityIssue.account_id.in_(select(Account.id).where(session.where(Account, where))))
    rows = session.execute(query).all()
    subjects = readable_subjects(session, [row[0] for row in rows])
    return [
        QueueEntry(
            kind=issue.kind, account_id=issue.account_id, account=account or "", contact_id=issue.contact_id,
            record_type=issue.record_type, record_id=issue.record_id,
            problem=_problem(
                issue, account or person or "", issue.reason if told else None,
                subjects.get(issue.id) or labels.get(issue.kind, issue.kind),
            ),
            issue_id=issue.id, who=who, assignee=whose, since=issue.created_at,
        )
        for issue, account, person, who, whose in rows
    ]  # fmt: skip


def _duplicates(
    session: CrmSession, accounts: list[int] | None, where: str | None, limit: int | None
) -> list[QueueEntry]:
    """Accounts that might be one, and, unless accounts are chosen, people that might be."""
    pairs: list[Candidate] = []
    if session.can("account.read"):
        if accounts is None:
            pairs = likeliest(session, Account, least=LIKELY, where=where, limit=limit)
        else:
            pairs = candidates_of(session, Account.crm_type, accounts, where=where, least=LIKELY, limit=limit)
    if accounts is None and where is None and session.can("contact.read"):
        pairs += likeliest(session, Contact, least=LIKELY, limit=limit)
    names: dict[int, str] = {}
    for record in (Account, Contact):
        ids = {id_ for each in pairs for id_ in (each.id, each.other_id) if each.record_type == record.crm_type.name}
        if ids:
            names |= {row.id: row.name for row in session.execute(_names(record, ids))}
    return [_duplicate(each, names) for each in pairs]


def _duplicate(each: Candidate, names: Mapping[int, str]) -> QueueEntry:
    account = each.record_type == Account.crm_type.name
    kinds = dict.fromkeys(key.kind for key in each.keys)
    return QueueEntry(
            kind=DUPLICATE, account_id=each.id if account else None,
            account=names[each.id] if account else "",
            contact_id=None if account else each.id, record_type=each.record_type,
            record_id=each.other_id,
            problem=Problem("", "{one} ({id}) and {other} ({other_id}) may be the same: {keys}",
                            "Compare them, then merge them or leave them.",
                            {"one": names[each.id], "id": each.id, "other": names[each.other_id],
                             "other_id": each.other_id, "keys": ", ".join(kinds)}),
        )  # fmt: skip


def _names(record: type[Account] | type[Contact], ids: set[int]) -> Any:
    rows: Any = record
    return select(rows.id, rows.name).where(rows.id.in_(sorted(ids)))


def _problem(issue: QualityIssue, name: str, reason: str | None, about: str) -> Problem:
    if issue.field is None:
        return Problem("", "{about}", "Mend it, then close it.", {"about": about})
    values = {
        "name": name, "record": issue.record_type, "field": issue.field, "found": _shown(issue.found),
        "proposed": _shown(issue.proposed), "reason": reason,
    }  # fmt: skip
    if reason:
        return Problem(
            "", "{name}: {field} is {found}, and should be {proposed}: {reason}", "Approve it or refuse it.", values
        )
    return Problem("", "{name}: {field} is {found}, and should be {proposed}.", "Approve it or refuse it.", values)


def _shown(value: object) -> str:
    return "—" if value is None else str(value)
