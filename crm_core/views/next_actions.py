"""What somebody should do next, most urgent first, with the reason for each."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import and_, exists, func, or_, select, union_all

from crm_core.domain.accounts import Account
from crm_core.domain.activities import Activity, Participant, Status
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.domain.dated import as_moment
from crm_core.domain.handovers import waiting_for
from crm_core.domain.handovers.records import Handover
from crm_core.domain.organisation import User, find_user
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.pools import SIGNALS
from crm_core.domain.quality import DECIDE, IssueState, QualityIssue
from crm_core.errors import HookError
from crm_core.hooks.reasons import Reason
from crm_core.hooks.values import Failed, NextAction
from crm_core.store import pools
from crm_core.store.actor import valid_at
from crm_core.store.guard import trusted
from crm_core.store.visibility import bare
from crm_core.views import duties
from crm_core.views.matters import readable_subjects
from crm_core.views.open_items import planned_and_promised

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["NextActions", "next_actions"]

_CHUNK = 10_000
_LAST_DAYS = dt.timedelta(days=3)
_NAMES = 3
_CONFIRMATIONS = 10
"""At so many accounts people are asked for at most: whoever sees a hundred does none."""
_COUNTED = 100
"""So many proposals are counted at most."""
_MATTERS = 200
"""So many matters that were left to somebody are told at most, the oldest first."""


@attrs.frozen(kw_only=True)
class NextActions:
    """What a user should do next, most urgent first. ``accounts`` are the names of accounts by id."""

    user_id: int
    at: dt.datetime
    actions: tuple[NextAction, ...]
    accounts: Mapping[int, str]
    failed: tuple[Failed, ...] = ()

    def __iter__(self) -> Iterator[NextAction]:
        return iter(self.actions)

    def __len__(self) -> int:
        return len(self.actions)


def next_actions(session: CrmSession, user: str | User | int | None = None) -> NextActions:
    """What a user (default: the actor) should do now or within ``[views] look_ahead_days``.

    Activities that are due or overdue, those to come in which they take part, promises, handovers that wait for an
    answer, accounts about to fall back into a pool, reporting duties, proposals to decide on, people to confirm, and
    what plugins add. The order is the same for the same data: by urgency, then by when it is due. Only what the actor
    may see. The number of statements depends on the build, not on what is found.
    """
    user_id = session.user_id if user is None else find_user(session, user).id
    roles = _responsibilities(session, user_id)
    ids = sorted(roles)
    owned = [id_ for id_ in ids if OwnershipRole.OWNER in roles[id_]]
    actions = [
        *_planned(session, user_id, ids),
        *_promises(session, user_id, ids),
        *_offers(session, user_id),
        *_duties(session, user_id),
        *_proposals(session, user_id),
        *_confirmations(session, owned),
    ]
    failed: dict[Failed, None] = {}
    try:
        actions += _recycled_soon(session, user_id, owned)
    except HookError as error:
        failed[Failed(error.plugin or "", "crm_gather_signals", Reason(error))] = None
    for start in range(0, max(len(ids), 1), _CHUNK):
        gathered = session.store.dispatch.gather_actions(session, user_id, ids[start : start + _CHUNK])
        actions += gathered.parts
        failed.update(dict.fromkeys(gathered.failed))
    actions.sort(key=_rank)
    wanted = sorted({action.account_id for action in actions if action.account_id is not None})
    names = {
        row.id: row.name for row in session.execute(select(Account.id, Account.name).where(Account.id.in_(wanted)))
    }
    return NextActions(user_id=user_id, at=session.now, actions=tuple(actions), accounts=names, failed=tuple(failed))


def _rank(action: NextAction) -> tuple[Any, ...]:
    due = action.due
    far = dt.datetime.max.replace(tzinfo=dt.UTC)
    return (
        -action.urgency, due or far, action.kind, action.account_id or 0, action.record_id or 0, action.title,
    )  # fmt: skip


def _responsibilities(session: CrmSession, user_id: int) -> dict[int, set[OwnershipRole]]:
    found: defaultdict[int, set[OwnershipRole]] = defaultdict(set)
    query = select(Ownership.account_id, Ownership.role).where(Ownership.user_id == user_id)
    for account_id, role in session.execute(query):
        found[account_id].add(role)
    return dict(found)


def _horizon(session: CrmSession) -> dt.datetime:
    """The end of the last day that is looked ahead to."""
    tz = session.policy.tz
    last = session.now.astimezone(tz).date() + dt.timedelta(session.policy.views.look_ahead_days + 1)
    return dt.datetime.combine(last, dt.time(), tz).astimezone(dt.UTC)


_TAKING_PART = {"Due today.": "You take part today.", "Due on {day}.": "You take part on {day}."}
"""Reasons that lie in a date, where somebody else is to see to it."""


def _when(session: CrmSession, due: dt.datetime | None, overdue: int, today: int, soon: int) -> tuple[str, int]:
    """The reason that lies in a date, and how urgent it makes something."""
    if due is None:
        return "No day is set.", min(soon, 30)
    tz = session.policy.tz
    day, now = due.astimezone(tz).date(), session.now.astimezone(tz).date()
    if day < now:
        return "Overdue since {day}.", overdue
    if day == now:
        return "Due today.", today
    return "Due on {day}.", soon


def _planned(session: CrmSession, user_id: int, ids: Sequence[int]) -> Iterator[NextAction]:
    """What is planned for the user, or for nobody at their accounts, and that to come in which they take part.

    What is overdue is a matter of whoever was to hold it.
    """
    tz = session.policy.tz
    today = dt.datetime.combine(session.now.astimezone(tz).date(), dt.time(), tz).astimezone(dt.UTC)
    mine = set(ids)
    taking_part = select(Participant.activity_id).where(Participant.user_id == user_id)
    query = (
        select(Activity.id, Activity.kind, Activity.subject, Activity.account_id, Activity.user_id,
               Activity.planned_start)
        .where(
            Activity.status == Status.PLANNED,
            or_(
                Activity.user_id == user_id,
                and_(Activity.user_id.is_(None), Activity.account_id.in_(ids)),
                and_(Activity.id.in_(taking_part), Activity.planned_start >= today),
            ),
            or_(Activity.planned_start.is_(None), Activity.planned_start < _horizon(session)),
        )
        .order_by(Activity.planned_start, Activity.id)
    )  # fmt: skip
    for row in session.execute(query):
        reason, urgency = _when(session, row.planned_start, 80, 70, 40)
        if row.user_id != user_id and (row.user_id is not None or row.account_id not in mine):
            reason = _TAKING_PART[reason]
        yield NextAction(
            account_id=row.account_id, kind=row.kind, title="{subject}", reason=reason, due=row.planned_start,
            urgency=urgency, record_type="activity", record_id=row.id,
            values={"subject": row.subject, "day": row.planned_start},
        )  # fmt: skip


def _promises(session: CrmSession, user_id: int, ids: Sequence[int]) -> Iterator[NextAction]:
    """What the user promised or took over, also at accounts that nobody owns, where whoever made a promise keeps it."""
    # Whether there is an owner, not whether the actor may read who it is: else both would be told.
    own = bare(Ownership.crm_type.table).alias("owning")
    owned = exists().where(
        own.c.account_id == Activity.account_id, own.c.role == OwnershipRole.OWNER, valid_at(own, session.at)
    )
    made = (
        select(Activity.account_id)
        .where(
            Activity.user_id == user_id,
            Activity.status == Status.HELD,
            Activity.next_step.is_not(None),
            Activity.account_id.is_not(None),
            trusted(~owned),
        )
        .distinct()
    )
    others = {id_ for id_ in session.scalars(made) if id_ is not None}
    for item in planned_and_promised(session, sorted(others.union(ids)), user_id):
        if item.kind == "promise" and (item.due is None or item.due < _horizon(session)):
            reason, urgency = _when(session, item.due, 90, 75, 45)
            yield NextAction(
                account_id=item.account_id, kind="promise", title="{step}", reason=reason, due=item.due,
                urgency=urgency, record_type=item.record_type, record_id=item.record_id,
                values={"step": item.title, "day": item.due},
            )  # fmt: skip


def _offers(session: CrmSession, user_id: int) -> Iterator[NextAction]:
    """Handovers that wait for the user's answer."""
    counts: defaultdict[int, int] = defaultdict(int)
    for item in waiting_for(session, user_id):
        counts[item.handover_id] += 1
    query = (
        select(Handover.id, Handover.effective_at, User.name)
        .join(User, User.id == Handover.leaver_id)
        .where(Handover.id.in_(sorted(counts)))
        .order_by(Handover.id)
    )
    for row in session.execute(query):
        yield NextAction(
            kind="handover", title="Answer the handover from {leaver}",
            reason="Accounts that are offered and wait for your answer: {count}.", due=row.effective_at, urgency=85,
            record_type="handover", record_id=row.id, values={"leaver": row.name, "count": counts[row.id]},
        )  # fmt: skip


def _duties(session: CrmSession, user_id: int) -> Iterator[NextAction]:
    for each in duties.due(session, user_id, within_days=session.policy.views.look_ahead_days):
        reason, urgency = _when(session, each.due, 65, 60, 35)
        yield NextAction(
            account_id=each.account_id, kind="duty", title="{label}", reason=reason, due=each.due, urgency=urgency,
            record_type="account", record_id=each.account_id,
            values={"label": each.label or each.duty, "day": each.due},
        )  # fmt: skip


def _proposals(session: CrmSession, user_id: int) -> Iterator[NextAction]:
    """Proposals that wait for a steward, and what the user is to mend."""
    open_ = select(
        QualityIssue.id, QualityIssue.account_id, QualityIssue.kind, QualityIssue.subject, QualityIssue.record_type,
        QualityIssue.record_id, QualityIssue.created_at,
    ).where(QualityIssue.state == IssueState.OPEN).order_by(QualityIssue.created_at, QualityIssue.id)  # fmt: skip
    if session.actor.user_id == user_id and session.can(DECIDE):
        others = or_(QualityIssue.proposer_id.is_(None), QualityIssue.proposer_id != user_id)
        waiting = session.execute(open_.where(QualityIssue.field.is_not(None), others).limit(_COUNTED + 1)).all()
        if waiting:
            yield NextAction(
                kind="proposal", reason="The oldest is from {day}.", urgency=50,
                title="Decide on proposals: {count}" if len(waiting) <= _COUNTED
                else "Decide on proposals: more than {count}",
                record_type="quality_issue", record_id=waiting[0].id,
                values={"count": min(len(waiting), _COUNTED), "day": waiting[0].created_at},
            )  # fmt: skip
    mine = open_.where(QualityIssue.field.is_(None), QualityIssue.assignee_id == user_id).limit(_MATTERS)
    labels = session.policy.vocabularies.get("quality.kind", {})
    rows = session.execute(mine).all()
    subjects = readable_subjects(session, rows)
    for row in rows:
        about = subjects.get(row.id) or labels.get(row.kind, row.kind)
        yield NextAction(
            account_id=row.account_id, kind="mend", title="{about}", reason="It was left to you on {day}.",
            urgency=50, record_type="quality_issue", record_id=row.id,
            values={"about": about, "day": row.created_at},
        )  # fmt: skip


def _recycled_soon(session: CrmSession, user_id: int, owned: Sequence[int]) -> list[NextAction]:
    """The user's own accounts that a rule is about to give back to a pool."""
    if not any(pool.recycle for pool in session.policy.pools.values()):
        return []
    tz = session.policy.tz
    today, last = session.now.astimezone(tz).date(), _horizon(session).astimezone(tz).date()
    labels = session.policy.vocabularies.get(SIGNALS, {})
    found = []
    for each in pools.due(session, owned).values():
        if each.user_id != user_id or (each.warned_at is None and each.day >= last):
            continue
        found.append(NextAction(
            account_id=each.account_id, kind="pool", title="See to it before it falls back",
            reason="Without a sign of life ({label}) it goes to the pool {pool} on {day}." if each.rule.without
            else "After the date ({label}) it goes to the pool {pool} on {day}.",
            due=as_moment(session, each.day), urgency=88 if each.day <= today + _LAST_DAYS else 72,
            record_type="account", record_id=each.account_id,
            values={"label": labels.get(each.rule.signal, each.rule.signal), "pool": each.pool.title,
                    "day": as_moment(session, each.day)},
        ))  # fmt: skip
    return found


def _confirmations(session: CrmSession, owned: Sequence[int]) -> Iterator[NextAction]:
    """People of the user's own accounts of whom nothing was known for long; an action for each account."""
    before = session.now - dt.timedelta(session.policy.views.confirm_days)
    held = (Activity.account_id.in_(owned), Activity.status == Status.HELD)
    about = select(Activity.contact_id, Activity.account_id, Activity.started_at).where(
        *held, Activity.contact_id.is_not(None)
    )
    among = (
        select(Participant.contact_id, Activity.account_id, Activity.started_at)
        .join(Activity, Activity.id == Participant.activity_id)
        .where(*held, Participant.contact_id.is_not(None))
    )
    each = union_all(about, among).subquery()
    met = (
        select(each.c.contact_id, each.c.account_id, func.max(each.c.started_at).label("at"))
        .group_by(each.c.contact_id, each.c.account_id)
        .subquery()
    )
    query = (
        select(Affiliation.account_id, Contact.name, Affiliation.role, Affiliation.title, Affiliation.confirmed_at,
               Affiliation.valid_from, met.c.at)
        .join(Contact, Contact.id == Affiliation.contact_id)
        .outerjoin(met, and_(met.c.contact_id == Affiliation.contact_id, met.c.account_id == Affiliation.account_id))
        .where(
            Affiliation.account_id.in_(owned),
            or_(Affiliation.confirmed_at.is_(None), Affiliation.confirmed_at < before),
            or_(Affiliation.valid_from.is_(None), Affiliation.valid_from < before),
            or_(met.c.at.is_(None), met.c.at < before),
        )
        .order_by(Affiliation.account_id, Affiliation.id)
    )  # fmt: skip
    places: defaultdict[int, list[Any]] = defaultdict(list)
    for row in session.execute(query):
        places[row.account_id].append(row)
    rules = session.policy.views
    weighed = sorted(
        places.items(), key=lambda item: (-any(rules.decides(r.role, r.title) for r in item[1]), -len(item[1]), item[0])
    )
    for account_id, rows in weighed[:_CONFIRMATIONS]:
        decides = [row for row in rows if rules.decides(row.role, row.title)]
        names = [row.name for row in (*decides, *(row for row in rows if row not in decides))]
        more = len(names) - _NAMES
        known = [each for row in rows for each in (row.confirmed_at, row.valid_from, row.at) if each is not None]
        days = (session.now - max(known)).days if known else None
        yield NextAction(
            account_id=account_id, kind="confirm",
            title="Confirm who still works there: {names}" if more <= 0 else
            "Confirm who still works there: {names} and {more} more",
            reason="Nobody ever said since when they are there." if days is None
            else "Nothing was known of them for {days} days.", urgency=25 if decides else 20,
            record_type="account", record_id=account_id,
            values={"names": ", ".join(names[:_NAMES]), "more": more, "days": days},
        )  # fmt: skip
