"""What is open at accounts: planned activities, promises, matters of data quality, changes to come, plugins' own."""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, exists, func, or_, select

from crm_core.domain.accounts import Account, Lifecycle
from crm_core.domain.activities import Activity, Status
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.quality import IssueState, QualityIssue
from crm_core.fields.columns import BIGINT, Moment
from crm_core.hooks.values import Failed, Gathered, OpenItem
from crm_core.views.aliases import another
from crm_core.views.asked import affiliations, lifecycles
from crm_core.views.matters import readable_subjects

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["AHEAD", "KINDS", "NOT_KNOWN", "by_due", "kernel_items", "open_items", "planned_and_promised"]

_QUALITY = QualityIssue.crm_type.name

NOT_KNOWN = ("question", _QUALITY)
"""Kinds of items that say what is not known: what plugins ask, and the matters of data quality."""

KINDS: Mapping[str, str] = {
    "promise": "Promise", "joins": "Joins", "leaves": "Leaves", "stage": "Stage", "question": "Question",
    _QUALITY: QualityIssue.crm_type.label, "duty": "Duty",
}  # fmt: skip
"""Labels of the kinds that are no kinds of activities."""

AHEAD = dt.timedelta(days=365)
"""How far ahead changes to come are told."""

_CHUNK = 1000

# Statements are made once: to put them together takes longer than to run them.
_IDS: Any = bindparam("ids", type_=BIGINT, expanding=True)
_AT: Any = bindparam("at", type_=Moment())
_END: Any = bindparam("end", type_=Moment())


def _ahead(
    session: CrmSession, accounts: Sequence[int], whole: Callable[[CrmSession, Sequence[int]], Sequence[Any]], part: Any
) -> Sequence[Any]:
    """Rows that begin or end within the time ahead, and perhaps others.

    Of one account the ``whole`` is asked for, which other parts of its overview read as well; of many only the
    ``part``, since much has been and little is to come.
    """
    if len(accounts) == 1:
        return sorted(whole(session, accounts), key=lambda row: row.id)
    given = {"ids": accounts, "at": session.at, "end": session.at + AHEAD}
    return session.execute(part, given, execution_options={"all_dates": True}).all()


def open_items(
    session: CrmSession, accounts: Account | Sequence[Account | int], user_id: int | None = None
) -> Gathered[OpenItem]:
    """What is open at accounts, by when it is due; with ``user_id`` only what that colleague is to do.

    A constant number of SQL statements for a thousand accounts. A plugin whose part fails is named in ``failed``; the
    rest stands.
    """
    given = [accounts] if isinstance(accounts, Account) else accounts
    ids = [each if isinstance(each, int) else each.id for each in given]
    parts: list[OpenItem] = []
    failed: dict[Failed, None] = {}
    for start in range(0, len(ids), _CHUNK):
        gathered = session.store.dispatch.gather_handover(session, ids[start : start + _CHUNK], user_id)
        parts += gathered.parts
        failed.update(dict.fromkeys(gathered.failed))
    return Gathered(by_due(parts), tuple(failed))


def by_due(items: Iterable[OpenItem]) -> tuple[OpenItem, ...]:
    """Open items in the order in which they are due; what has no day comes last."""
    far = dt.datetime.max.replace(tzinfo=dt.UTC)
    return tuple(sorted(items, key=lambda item: (item.due or far, item.account_id, item.record_id)))


def kernel_items(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """The kernel's own part."""
    yield from planned_and_promised(session, accounts, user_id)
    yield from _matters(session, accounts, user_id)
    if user_id is None:
        yield from _moves(session, accounts)
        yield from _stages(session, accounts)


def planned_and_promised(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """Planned activities, and next steps that nothing followed."""
    rows = session.execute(_open(), {"ids": accounts}).all()
    yield from _planned([row for row in rows if row.status is Status.PLANNED], user_id)
    yield from _promised(session, [row for row in rows if row.status is not Status.PLANNED], user_id)


@functools.cache
def _open() -> Any:
    """What is planned, and next steps that nothing followed."""
    later = another(Activity)
    held, held_later = (func.coalesce(each.started_at, each.planned_start) for each in (Activity, later))
    kept = exists().where(
        later.account_id == Activity.account_id,
        later.status == Status.HELD,
        held_later > held,
        or_(Activity.next_step_due.is_(None), held_later >= Activity.next_step_due),
    )
    promised = and_(Activity.status == Status.HELD, Activity.next_step.is_not(None), ~kept)
    return (
        select(Activity.id, Activity.account_id, Activity.contact_id, Activity.user_id, Activity.kind, Activity.subject,
               Activity.status, Activity.planned_start, Activity.planned_place, Activity.next_step,
               Activity.next_step_due)
        .where(Activity.account_id.in_(_IDS), or_(Activity.status == Status.PLANNED, promised))
        .order_by(Activity.id)
    )  # fmt: skip


def _planned(rows: Sequence[Any], user_id: int | None) -> Iterator[OpenItem]:
    for row in rows:
        if user_id is None or row.user_id == user_id:
            yield OpenItem(
                account_id=row.account_id,
                kind=row.kind,
                title=row.subject,
                text=row.planned_place or "",
                due=row.planned_start,
                record_type="activity",
                record_id=row.id,
                user_id=row.user_id,
                contact_id=row.contact_id,
                reassign="user_id",
            )


def _promised(session: CrmSession, rows: Sequence[Any], user_id: int | None) -> Iterator[OpenItem]:
    """Next steps that nothing followed. Whoever made the promise keeps it, while responsible there; else the owner.

    A promise counts as kept once something was held with the account after it, at its due date or later. Who held the
    activity stays as it is, so there is nothing to reassign: the promise follows the responsibility.
    """
    in_charge = _in_charge(session, {row.account_id for row in rows}) if rows else {}
    for row in rows:
        owner, team = in_charge.get(row.account_id, (None, set()))
        who = row.user_id if row.user_id in team or owner is None else owner
        if user_id is None or who == user_id:
            yield OpenItem(
                account_id=row.account_id,
                kind="promise",
                title=row.next_step,
                text=row.subject,
                due=row.next_step_due,
                record_type="activity",
                record_id=row.id,
                user_id=who,
                contact_id=row.contact_id,
            )


@functools.cache
def _teams() -> Any:
    return (
        select(Ownership.account_id, Ownership.user_id, Ownership.role)
        .where(Ownership.account_id.in_(_IDS))
        .order_by(Ownership.scope.desc(), Ownership.id)
    )


def _in_charge(session: CrmSession, accounts: set[int]) -> dict[int, tuple[int | None, set[int]]]:
    """By account its owner, and everybody who is responsible there in some role."""
    owners: dict[int, int] = {}
    teams: defaultdict[int, set[int]] = defaultdict(set)
    for row in session.execute(_teams(), {"ids": sorted(accounts)}):
        teams[row.account_id].add(row.user_id)
        if row.role is OwnershipRole.OWNER:
            owners[row.account_id] = row.user_id  # the scope without a name counts before all others
    return {id_: (owners.get(id_), team) for id_, team in teams.items()}


@functools.cache
def _moving() -> Any:
    return (
        select(Affiliation.id, Affiliation.account_id, Affiliation.contact_id, Affiliation.role, Affiliation.title,
               Affiliation.valid_from, Affiliation.valid_to, Contact.name)
        .join(Contact, Contact.id == Affiliation.contact_id)
        .where(Affiliation.account_id.in_(_IDS),
               or_(Affiliation.valid_from.between(_AT, _END), Affiliation.valid_to.between(_AT, _END)))
        .order_by(Affiliation.id)
    )  # fmt: skip


def _moves(session: CrmSession, accounts: Sequence[int]) -> Iterator[OpenItem]:
    """People who will come or go."""
    for row in _ahead(session, accounts, affiliations, _moving()):
        for kind, moment in (("joins", row.valid_from), ("leaves", row.valid_to)):
            if moment is not None and session.at < moment <= session.at + AHEAD:
                yield OpenItem(
                    account_id=row.account_id,
                    kind=kind,
                    title=row.name,
                    text=row.role or row.title or "",
                    due=moment,
                    record_type="affiliation",
                    record_id=row.id,
                    contact_id=row.contact_id,
                )


@functools.cache
def _staging() -> Any:
    return (
        select(Lifecycle.id, Lifecycle.account_id, Lifecycle.business_line, Lifecycle.stage, Lifecycle.valid_from,
               Lifecycle.reason)
        .where(Lifecycle.account_id.in_(_IDS), Lifecycle.valid_from > _AT, Lifecycle.valid_from <= _END)
        .order_by(Lifecycle.id)
    )  # fmt: skip


def _stages(session: CrmSession, accounts: Sequence[int]) -> Iterator[OpenItem]:
    for row in _ahead(session, accounts, lifecycles, _staging()):
        if row.valid_from is not None and session.at < row.valid_from <= session.at + AHEAD:
            yield OpenItem(
                account_id=row.account_id,
                kind="stage",
                title=f"{row.business_line} · {row.stage.value}",
                text=row.reason or "",
                due=row.valid_from,
                record_type="lifecycle",
                record_id=row.id,
            )


@functools.cache
def _asking() -> Any:
    return (
        select(QualityIssue.id, QualityIssue.account_id, QualityIssue.kind, QualityIssue.subject,
               QualityIssue.record_type, QualityIssue.record_id, QualityIssue.field, QualityIssue.proposed,
               QualityIssue.assignee_id)
        .where(QualityIssue.account_id.in_(_IDS), QualityIssue.state == IssueState.OPEN)
        .order_by(QualityIssue.id)
    )  # fmt: skip


def _matters(session: CrmSession, accounts: Sequence[int], user_id: int | None) -> Iterator[OpenItem]:
    """What is to be mended, by whomever it was left to; and proposals, which a steward decides on, so nobody's here.

    They name no person: what hangs on people who moved is put into this queue, and would be put into it again.
    """
    labels = session.policy.vocabularies.get("quality.kind", {})
    rows = session.execute(_asking(), {"ids": accounts}).all()
    subjects = readable_subjects(session, rows)
    for row in rows:
        label = labels.get(row.kind, row.kind)
        item: dict[str, Any] = {
            "account_id": row.account_id, "kind": _QUALITY, "record_type": _QUALITY, "record_id": row.id,
        }  # fmt: skip
        if row.field is None and (user_id is None or row.assignee_id == user_id):
            subject = subjects.get(row.id)
            yield OpenItem(
                title=subject or label, text=label if subject else "", user_id=row.assignee_id,
                reassign="assignee_id", **item,
            )  # fmt: skip
        elif row.field is not None and user_id is None:
            yield OpenItem(
                title=f"{label} · {_field_label(session, row.record_type, row.field)}",
                text=row.proposed if isinstance(row.proposed, str) else "", **item,
            )  # fmt: skip


def _field_label(session: CrmSession, record: str, name: str) -> str:
    """What people call a field; its name where the build has it no more."""
    record_type = session.types.get(record)
    known = {} if record_type is None else record_type.by_name
    field = session.policy.custom.get(record, {}).get(name) or known.get(name)
    return name if field is None else field.label
