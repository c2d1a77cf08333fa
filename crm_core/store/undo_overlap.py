"""What came where an undo would bring a row back: whose account it is by now, since when, and how that is mended.

An account that went back to a pool was claimed; what had ended was given to somebody else. Nobody changed the row that
would come back, but two would hold at once.
"""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership
from crm_core.errors import Conflict, Problem
from crm_core.records import RecordType
from crm_core.store.tables import CHANGE, CHANGE_SET

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Overlap", "overlap"]


@attrs.frozen
class Overlap:
    """The row that would come back, and the one that stands there: their ids, and their values while both are there."""

    type: RecordType
    problem: Problem
    """What the rule says of any two rows."""
    back: int
    there: int
    rows: Mapping[int, Mapping[str, Any]]

    def told(self, session: CrmSession) -> Problem | None:
        """What stands there, once nothing of the undo is left; ``None`` where the actor may not know of it."""
        if self.there not in session.writer.visible_ids(self.type, {self.there}):
            return None
        return _owned(session, self) if self.type is Ownership.crm_type else self.problem


def overlap(
    session: CrmSession, error: Conflict, change_set_id: int, only: Mapping[str, Collection[int]] | None
) -> Overlap | None:
    """The rows that a :class:`Conflict` is about, if it is about two that would hold at once."""
    record_type = session.types.get(str(error.record))
    pair: set[int] = set(error.values.get("rows", ()))
    if record_type is None or not pair:
        return None
    touched = select(CHANGE.c.record_id).where(
        CHANGE.c.change_set_id == change_set_id, CHANGE.c.type == record_type.name, CHANGE.c.record_id.in_(sorted(pair))
    )
    back = set(session.core(touched).scalars())
    if only is not None:
        back &= set(only.get(record_type.name, ()))
    if len(back) != 1:
        return None
    (there,) = pair - back
    values = {**error.values, "record": record_type.name}
    problem = Problem("", error.problem, error.mend, values)
    return Overlap(record_type, problem, back.pop(), there, session.writer.rows(record_type, pair))


def _owned(session: CrmSession, found: Overlap) -> Problem | None:
    """Who owns the account by now."""
    row = found.rows[found.there]
    account = session.writer.rows(Account.crm_type, {row["account_id"]}, fields=("name",))[row["account_id"]]
    people = {row["user_id"], found.rows[found.back]["user_id"]}
    seen = session.writer.visible_ids(User.crm_type, people)
    logins = {id_: each["login"] for id_, each in session.writer.rows(User.crm_type, seen, fields=("login",)).items()}
    if row["user_id"] not in logins or not session.writer.visible_ids(Account.crm_type, {row["account_id"]}):
        return None
    now, start, end = session.clock(), row["valid_from"], row["valid_to"]
    to_come = start is not None and start > now
    made, mine = _made(session, found)
    scope = f" --scope {shlex.quote(row['scope'])}" if row["scope"] else ""
    return Problem(
        "",
        _problem(to_come=to_come, begun=start is not None, over=end is not None and end <= now),
        _mend(may_undo=mine, to_come=to_come),
        {
            "account": account["name"],
            "id": row["account_id"],
            "owner": logins[row["user_id"]],
            "since": _shown(session, start),
            "until": _shown(session, end),
            "made": made,
            "login": logins.get(found.rows[found.back]["user_id"], "LOGIN"),
            "scope": scope,
        },
    )


def _problem(*, to_come: bool, begun: bool, over: bool) -> str:
    if to_come:
        return "The account {account} ({id}) is to be owned by {owner} from {since} on."
    if over:
        return "The account {account} ({id}) was owned by {owner} meanwhile, until {until}."
    if begun:
        return "The account {account} ({id}) is owned by {owner} since {since}."
    return "The account {account} ({id}) is owned by {owner}."


def _mend(*, may_undo: bool, to_come: bool) -> str:
    """Only what may be undone helps; but whoever just wants somebody to own the account has it transferred."""
    if to_come:
        return (
            "Take back first what gives it to {owner}: crm undo {made}."
            if may_undo
            else "Somebody with the permission system.undo may take back first what gives it to {owner}: "
            "crm undo {made}."
        )
    return (
        "Take back first what gave it to {owner} (crm undo {made}); or only let somebody else own it: "
        "crm transfer {id} --to {login}{scope} --reason TEXT."
        if may_undo
        else "Somebody with the permission system.undo may take back first what gave it to {owner} (crm undo {made}); "
        "or only let somebody else own it: crm transfer {id} --to {login}{scope} --reason TEXT."
    )


def _made(session: CrmSession, found: Overlap) -> tuple[int | str, bool]:
    """The change set that made the row that stands there, and whether the actor may undo it."""
    query = (
        select(CHANGE_SET.c.id, CHANGE_SET.c.user_id)
        .join(CHANGE, CHANGE.c.change_set_id == CHANGE_SET.c.id)
        .where(CHANGE.c.type == found.type.name, CHANGE.c.record_id == found.there, CHANGE.c.operation == "create")
        .order_by(CHANGE_SET.c.id.desc())
        .limit(1)
    )
    row = session.core(query).first()
    if row is None:
        return "CHANGE_SET", False  # that part of the journal is detached
    own = session.actor.user_id is not None and row.user_id == session.actor.user_id
    return row.id, own or session.visibility.reach("system.undo").all


def _shown(session: CrmSession, moment: dt.datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(session.policy.tz):%Y-%m-%d %H:%M}"
