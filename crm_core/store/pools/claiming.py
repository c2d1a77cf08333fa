"""Claiming from a pool and giving back: whoever comes first has it, within the limits of the pool."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.dated import moment_of
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.domain.pools import ALL_GRADES, Pool, PoolEvent, PoolEventKind, first_day_after
from crm_core.errors import Conflict, NotFound
from crm_core.store.locking import lock
from crm_core.store.pools.free import account_type, bound, find, free, held
from crm_core.store.pools.members import require_member
from crm_core.store.tables import CHANGE, CHANGE_SET
from crm_core.store.values import decode_values

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["claim", "end_ownership", "held_by_grade", "over_capacity", "release", "require_writing"]

_REASON = 200
_A_MOMENT = dt.timedelta(hours=1)
"""So long after a claim others are told that somebody was quicker: they may have the list before them still."""


def claim(session: CrmSession, pool: str | Pool, account_id: int) -> Ownership:
    """Take an account from a pool: the acting user owns it from now on. The session's reason stands in the pool's log.

    Raises :class:`PermissionDenied` for somebody who may not claim there, :class:`NotFound` when the account is not in
    the pool, and :class:`Conflict` when somebody else was quicker, a limit is reached, or the user owned it lately.
    """
    pool = find(session, pool)
    require_writing(session)
    user_id = session.user_id
    require_member(session, pool)
    # Not before it is known to be there: whoever guesses ids must not hold up others.
    _require_in_pool(session, pool, account_id, session.clock())
    # First the user, so that two claims of one person are counted one after the other; then the account.
    lock(session, User.crm_type, [user_id])
    lock(session, account_type(session), [account_id])
    now = session.clock()
    grade = _require_in_pool(session, pool, account_id, now)
    began = _require_cool(session, pool, account_id, user_id, now)
    _require_room(session, pool, user_id, grade, now)
    with session.writer.as_kernel(seeing={"account": [account_id]}):
        # From the session's own now, so that whoever claims sees the account at once.
        row = session.add_one(
            Ownership(
                account_id=account_id,
                user_id=user_id,
                scope=pool.scope,
                valid_from=max(session.now, began) if began else session.now,
                reason=_why(pool, session.reason),
            )
        )
        session.add(
            PoolEvent(
                account_id=account_id,
                pool=pool.name,
                user_id=user_id,
                kind=PoolEventKind.CLAIMED,
                at=now,
                reason=(session.reason or "")[:_REASON] or None,
            )
        )
    session.check()
    return row


def _why(pool: Pool, reason: str | None) -> str:
    """What the ownership says of its beginning."""
    return " · ".join(filter(None, (f"claimed: {pool.title}", reason)))[:_REASON]


def release(session: CrmSession, account: Account | int, *, reason: str, scope: str = "") -> PoolEvent:
    """Give an account back to its pool: every responsibility for it in the scope ends now.

    The owner may, and whoever may end ownerships there (``ownership.update``). Raises :class:`Conflict` when nobody
    owns it, or no pool would take it: then nobody could see it any more.
    """
    require_writing(session)
    account_id = session.require(Account, account if isinstance(account, int) else account.id).id
    lock(session, account_type(session), [account_id])
    now = session.clock()
    owner = Ownership.crm_type.table
    row = session.core(
        select(owner.c.id, owner.c.user_id).where(
            owner.c.account_id == account_id,
            held(owner, scope, now),
            or_(owner.c.valid_from.is_(None), owner.c.valid_from <= now),
        )
    ).first()
    if row is None:
        raise Conflict("Nobody owns the account {id} in this scope.", mend="Nothing needs to be done.",
                       record="ownership", id=account_id)  # fmt: skip
    if row.user_id != session.actor.user_id:
        session.writer.may_change(Ownership.crm_type, [row.id], "update")
    pools = bound(session).of_scope(scope)
    table = account_type(session).table
    number = session.core(select(pools.number(table)).where(table.c.id == account_id, table.c.active)).scalar()
    if number is None:
        raise Conflict(
            "No pool takes the account {id}, so that nobody could see it any more.",
            mend="Give it to somebody else (crm transfer), or let a pool of the build file take it.",
            id=account_id,
        )
    with session.writer.as_kernel(seeing={"account": [account_id]}):
        end_ownership(session, [account_id], scope, now)
        event = session.add_one(
            PoolEvent(account_id=account_id, pool=pools.pools[number].name, user_id=row.user_id,
                      kind=PoolEventKind.RELEASED, at=now, reason=reason)
        )  # fmt: skip
    session.check()
    return event


def end_ownership(session: CrmSession, account_ids: Collection[int], scope: str, now: dt.datetime) -> None:
    """End every responsibility for accounts in a scope, the helpers' too: a pool has no half owners."""
    owner = Ownership.crm_type.table
    ending: list[dict[str, Any]] = []
    unbegun: list[int] = []
    for row in session.core(
        select(owner.c.id, owner.c.valid_from).where(
            owner.c.account_id.in_(sorted(account_ids)),
            owner.c.scope == scope,
            or_(owner.c.valid_to.is_(None), owner.c.valid_to > now),
        )
    ):
        if row.valid_from is not None and row.valid_from >= now:
            unbegun.append(row.id)
        else:
            ending.append({"id": row.id, "valid_to": now})
    session.update_many(Ownership, ending)
    session.delete_many(Ownership, unbegun)


def require_writing(session: CrmSession) -> None:
    """What follows is written by the kernel, but never where the session itself may not write."""
    with session.writer.as_kernel():
        session.writer.may(PoolEvent.crm_type, "create")


# -- what speaks against a claim ------------------------------------------------------------------------------------


def _require_in_pool(session: CrmSession, pool: Pool, account_id: int, now: dt.datetime) -> str | None:
    """The grade of an account that is in the pool."""
    table = account_type(session).table
    pools = bound(session).of_scope(pool.scope)
    row = session.core(
        select(table.c.grade, pools.number(table).label("number"), free(table, pool.scope, now).label("free")).where(
            table.c.id == account_id
        )
    ).first()
    if row is not None and row.number is not None and pools.pools[row.number].name == pool.name and row.free:
        grade: str | None = row.grade
        return grade
    _tell_of_the_quicker(session, pool, account_id, now)
    raise NotFound(
        "There is no account {id} in the pool {pool}.",
        mend="'crm pool show {pool}' lists what is in it.",
        record="account",
        id=account_id,
        pool=pool.name,
    )


def _tell_of_the_quicker(session: CrmSession, pool: Pool, account_id: int, now: dt.datetime) -> None:
    """Whoever could see the account in the pool a moment ago may know that it is gone; to whom, only if they see it."""
    event, owner, user = PoolEvent.crm_type.table, Ownership.crm_type.table, User.crm_type.table
    last = session.core(
        select(event.c.user_id, user.c.name)
        .join(owner, (owner.c.account_id == event.c.account_id) & held(owner, pool.scope, now))
        .join(user, user.c.id == event.c.user_id)
        .where(
            event.c.account_id == account_id,
            event.c.pool == pool.name,
            event.c.kind.in_((PoolEventKind.CLAIMED, PoolEventKind.ASSIGNED)),
            event.c.at > now - _A_MOMENT,
        )
        .order_by(event.c.at.desc())
        .limit(1)
    ).first()
    if last is None:
        return
    if last.user_id == session.actor.user_id:
        raise Conflict("You own the account {id} already.", mend="Nothing needs to be done.", id=account_id)
    if session.writer.visible_ids(account_type(session), {account_id}):
        raise Conflict("{owner} claimed the account {id} a moment ago.", mend="Choose another one.", owner=last.name,
                       id=account_id)  # fmt: skip
    raise Conflict("Somebody else claimed the account {id} a moment ago.", mend="Choose another one.", id=account_id)


def _require_cool(
    session: CrmSession, pool: Pool, account_id: int, user_id: int, now: dt.datetime
) -> dt.datetime | None:
    """When the last ownership in the scope ended, by whomsoever; refused to a former owner who must wait."""
    owner = Ownership.crm_type.table
    row: Any = session.core(
        select(func.max(owner.c.valid_to), func.max(case((owner.c.user_id == user_id, owner.c.valid_to)))).where(
            owner.c.account_id == account_id, owner.c.scope == pool.scope, owner.c.role == OwnershipRole.OWNER
        )
    ).one()
    ended, mine = row
    if pool.cooling_days and mine is not None:
        again = first_day_after(mine, pool.cooling_days - 1, session.policy.tz)
        if now.astimezone(session.policy.tz).date() < again:
            raise Conflict(
                "You owned the account {id} until {end}.",
                mend="You may claim it again from {again} on; until then it is for others.",
                id=account_id,
                end=mine.astimezone(session.policy.tz).date(),
                again=again,
            )
    moment: dt.datetime | None = ended
    return moment


def _require_room(session: CrmSession, pool: Pool, user_id: int, grade: str | None, now: dt.datetime) -> None:
    if pool.a_day is not None:
        claimed = _claimed_today(session, pool, user_id, now)
        if claimed >= pool.a_day:
            raise Conflict(
                "You have claimed from the pool {pool} today: {count}. Allowed a day: {most}.",
                mend="Go on tomorrow.",
                count=claimed,
                pool=pool.name,
                most=pool.a_day,
            )
    over = over_capacity(pool, held_by_grade(session, pool.scope, [user_id])[user_id], grade)
    if over is not None:
        raise Conflict(
            "You own as many accounts as the pool {pool} allows: {most} ({grade})."
            if over != ALL_GRADES
            else "You own as many accounts as the pool {pool} allows: {most} in all.",
            mend="Give one back (crm pool release), or ask for a larger capacity.",
            pool=pool.name,
            most=pool.in_all[over],
            grade=over,
        )


def _claimed_today(session: CrmSession, pool: Pool, user_id: int, now: dt.datetime) -> int:
    """How many accounts a user claimed today, those included that they gave back or whose claim was taken back:
    otherwise one could look at any number of accounts, one after the other.
    """
    tz = session.policy.tz
    midnight = moment_of(now.astimezone(tz).date(), tz)
    event = PoolEvent.crm_type.table
    query = select(event.c.id).where(
        event.c.user_id == user_id,
        event.c.pool == pool.name,
        event.c.kind == PoolEventKind.CLAIMED,
        event.c.at >= midnight,
    )
    claimed = set(session.core(query).scalars())
    undone = (
        select(CHANGE.c.record_id, CHANGE.c.before)
        .join(CHANGE_SET, CHANGE_SET.c.id == CHANGE.c.change_set_id)
        .where(
            CHANGE_SET.c.at >= midnight,
            CHANGE_SET.c.undoes.is_not(None),
            CHANGE.c.type == PoolEvent.crm_type.name,
            CHANGE.c.operation == "delete",
        )
    )
    for row in session.core(undone):
        before = decode_values(PoolEvent.crm_type, row.before)
        if (
            before.get("user_id") == user_id
            and before.get("pool") == pool.name
            and before.get("kind") is PoolEventKind.CLAIMED
            and before["at"] >= midnight
        ):
            claimed.add(row.record_id)
    return len(claimed)


def held_by_grade(session: CrmSession, scope: str, user_ids: Collection[int]) -> dict[int, Counter[str | None]]:
    """How many accounts users own in a scope, or will, by grade; however they came to them."""
    owner, account = Ownership.crm_type.table, account_type(session).table
    counts: dict[int, Counter[str | None]] = {user_id: Counter() for user_id in user_ids}
    rows: Iterable[Any] = session.core(
        select(owner.c.user_id, account.c.grade, func.count(owner.c.account_id.distinct()))
        .join(account, account.c.id == owner.c.account_id)
        .where(owner.c.user_id.in_(sorted(user_ids)), held(owner, scope, session.clock()))
        .group_by(owner.c.user_id, account.c.grade)
    )
    for user_id, grade, count in rows:
        counts[user_id][grade] = count
    return counts


def over_capacity(pool: Pool, held_: Mapping[str | None, int], grade: str | None) -> str | None:
    """Which limit of a pool one account more of a grade would exceed: the grade itself, or all; ``None`` for none."""
    if grade is not None and grade in pool.in_all and held_.get(grade, 0) >= pool.in_all[grade]:
        return grade
    if ALL_GRADES in pool.in_all and sum(held_.values()) >= pool.in_all[ALL_GRADES]:
        return ALL_GRADES
    return None
