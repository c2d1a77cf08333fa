"""Drafting a handover: what somebody is responsible for, and who is to take it over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import cycle
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from sqlalchemy import or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.dated import as_moment
from crm_core.domain.handovers.answering import withdraw
from crm_core.domain.handovers.finding import as_items, require_any_pool, require_open, require_state
from crm_core.domain.handovers.records import OPEN, WAITING, Handover, HandoverItem, ItemState
from crm_core.domain.organisation import User, find_user
from crm_core.domain.ownership import Ownership, OwnershipRole
from crm_core.errors import Conflict, Problem, ValidationError

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["assign", "draft"]

Who: TypeAlias = "str | User | int"
Key: TypeAlias = "tuple[int, Any, str]"


@attrs.frozen
class _Choice:
    """To whom an account goes; ``None`` where nobody was named."""

    user_id: int | None = None
    to_pool: bool = False


def draft(
    session: CrmSession,
    leaver: Who,
    *,
    scope: str | None = None,
    to: Who | None = None,
    rules: Sequence[tuple[str, Who | None]] = (),
    round_robin: Sequence[Who] = (),
    to_pool: bool = False,
    effective: dt.datetime | dt.date | None = None,
    message: str | None = None,
    reason: str | None = None,
    split: Decimal | None = None,
    split_until: dt.datetime | dt.date | None = None,
) -> Handover:
    """Draft a handover of all that somebody is responsible for now or later, in every role, as far as the actor sees.

    ``scope`` is an expression over accounts that limits it. For each account the first of ``rules`` (an expression and
    a user, or ``None`` for the pool) that matches names the successor; for the rest it is ``to``, or those of
    ``round_robin`` in turn, or with ``to_pool`` nobody. What none of them decides is left to :func:`assign`.
    ``effective`` is when the successors become responsible (default: when it is done). ``split`` is the part (0 to 1)
    of later commission that stays with the leaver until ``split_until``. ``message`` is told to the leaver, the
    successors and later readers of the accounts; ``reason`` only to those who may read the details.

    What another open handover covers already is left out. Raises :class:`Conflict` when nothing is left, or where a
    pool is named for accounts that they own and the build has none, and :class:`ValidationError` for successors that
    cannot be.
    """
    who = find_user(session, leaver)
    _one_of(to, round_robin, to_pool)
    share, until = _split(session, split, split_until)
    keys = _keys(session, who, scope)
    if not keys:
        raise Conflict(
            "There is nothing to hand over of {login}.",
            mend="They are responsible for nothing of it that you see, or another handover covers it already: "
            "crm handover list. Without anything to hand over, 'crm user deactivate {login}' lets them go.",
            record="handover",
            login=who.login,
        )
    choices = _choices(session, who, [key[0] for key in keys], to, rules, round_robin, to_pool)
    owned = [account_id for account_id, role, _ in keys if role is OwnershipRole.OWNER]
    # Helpers simply end; but a rule is refused before anybody finds out what it matches.
    if owned and (any(each is None for _, each in rules) or any(choices[id_].to_pool for id_ in owned)):
        require_any_pool(session)
    handover = session.add_one(
        Handover(
            leaver_id=who.id,
            scope=scope,
            effective_at=None if effective is None else as_moment(session, effective),
            message=message,
            reason=reason,
            split_share=share,
            split_until=until,
        )
    )
    session.add_many(
        HandoverItem,
        [
            {
                "handover_id": handover.id,
                "account_id": account_id,
                "role": role,
                "scope": part,
                "successor_id": choices[account_id].user_id,
                "to_pool": choices[account_id].to_pool,
                "split_share": None if choices[account_id].to_pool else share,
                "split_until": None if choices[account_id].to_pool else until,
            }
            for account_id, role, part in keys
        ],
    )
    return handover


def assign(
    session: CrmSession,
    item: HandoverItem | Iterable[HandoverItem],
    successor: Who | None = None,
    *,
    to_pool: bool = False,
    split: Decimal | None = None,
    split_until: dt.datetime | dt.date | None = None,
) -> list[HandoverItem]:
    """Name the successor of an item (or of several), or let it go back to the pool; it is to be offered (again) then.

    Also what was refused or accepted may go to somebody else. ``split`` and ``split_until`` replace the share that
    stays with the leaver. Raises :class:`Conflict` where the item is done already, or is to go back to a pool in a
    build without any.
    """
    if (successor is None) == (not to_pool):
        raise ValidationError("An item goes to one successor, or to the pool.", mend="Give either of them.")
    found = as_items(item)
    share, until = _split(session, split, split_until)
    require_state(found, *WAITING)
    require_open(session, found)
    session.writer.may_change(HandoverItem.crm_type, [each.id for each in found], "update")
    if to_pool and any(each.role is OwnershipRole.OWNER for each in found):
        require_any_pool(session)
    leavers = session.scalars(
        select(Handover.leaver_id).where(Handover.id.in_(sorted({each.handover_id for each in found})))
    ).all()
    user_id = None
    if successor is not None:
        user = find_user(session, successor)
        for leaver_id in leavers:
            _refuse(user, leaver_id)
        user_id = user.id
    withdraw(session, (each.id for each in found))
    for each in found:
        each.successor_id, each.to_pool = user_id, to_pool
        each.state, each.note, each.answered_at = ItemState.DRAFTED, None, None
        if split is not None or to_pool:
            each.split_share, each.split_until = (None, None) if to_pool else (share, until)
    session.flush()
    return found


def _one_of(to: Who | None, round_robin: Sequence[Who], to_pool: bool) -> None:
    if sum((to is not None, bool(round_robin), to_pool)) > 1:
        raise ValidationError(
            "What no rule decides goes to one successor, to several in turn, or to the pool.",
            mend="Give only one of to, round_robin and to_pool.",
            record="handover",
        )


def _split(
    session: CrmSession, share: Decimal | None, until: dt.datetime | dt.date | None
) -> tuple[Decimal | None, dt.datetime | None]:
    problems = []
    if share is not None and not 0 <= share <= 1:
        problems.append(Problem("split", "{share} is no share.", "Give 0 to 1.", {"share": share}))
    if (share is None) != (until is None):
        problems.append(Problem("split", "A share of later commission ends one day.", "Give split and split_until."))
    if problems:
        raise ValidationError("The transition split cannot be used.", problems, record="handover", field="split_share")
    return share, None if until is None else as_moment(session, until)


def _keys(session: CrmSession, leaver: User, scope: str | None) -> list[Key]:
    """Account, role and scope of every present or future responsibility that no open handover covers."""
    owned = select(Ownership.account_id, Ownership.role, Ownership.scope).where(
        Ownership.user_id == leaver.id, or_(Ownership.valid_to.is_(None), Ownership.valid_to > session.clock())
    )
    if scope is not None:
        owned = owned.where(Ownership.account_id.in_(select(Account.id).where(session.where(Account, scope))))
    covered = (
        select(HandoverItem.account_id, HandoverItem.role, HandoverItem.scope)
        .join(Handover, Handover.id == HandoverItem.handover_id)
        .where(Handover.leaver_id == leaver.id, Handover.state.in_(OPEN), HandoverItem.state.in_(WAITING))
    )
    rows = session.execute(owned, execution_options={"all_dates": True})
    keys: dict[Key, None] = {(row.account_id, row.role, row.scope): None for row in rows}
    for row in session.execute(covered):
        keys.pop((row.account_id, row.role, row.scope), None)
    return sorted(keys, key=lambda key: (key[0], key[1].value, key[2]))


def _choices(
    session: CrmSession,
    leaver: User,
    accounts: Sequence[int],
    to: Who | None,
    rules: Sequence[tuple[str, Who | None]],
    round_robin: Sequence[Who],
    to_pool: bool,
) -> Mapping[int, _Choice]:
    """The successor of each account: one statement per rule, however many accounts there are."""
    chosen: dict[int, _Choice] = {}
    owned = select(Ownership.account_id).where(Ownership.user_id == leaver.id)
    for expression, who in rules:
        choice = _Choice(to_pool=True) if who is None else _Choice(_successor(session, who, leaver).id)
        matching = select(Account.id).where(session.where(Account, expression), Account.id.in_(owned))
        for id_ in session.scalars(matching, execution_options={"all_dates": True}):
            chosen.setdefault(id_, choice)
    turn = cycle([_Choice(_successor(session, who, leaver).id) for who in round_robin] or [_Choice(to_pool=to_pool)])
    if to is not None:
        turn = cycle([_Choice(_successor(session, to, leaver).id)])
    for id_ in dict.fromkeys(accounts):
        if id_ not in chosen:
            chosen[id_] = next(turn)
    return chosen


def _successor(session: CrmSession, who: Who, leaver: User) -> User:
    user = find_user(session, who)
    _refuse(user, leaver.id)
    return user


def _refuse(user: User, leaver_id: int) -> None:
    if user.id == leaver_id:
        raise ValidationError(
            "{login} cannot take over from themselves.", mend="Name somebody else.", record="handover", login=user.login
        )
    if not user.active:
        raise ValidationError(
            "{login} is not active and cannot take anything over.",
            mend="Name somebody else, or activate the user first.",
            record="handover",
            login=user.login,
        )
