"""Nobody gives what they do not hold: neither rights, by a share, nor responsibility, by a handover."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_core.domain.handovers.records import GIVEN
from crm_core.errors import Conflict, PermissionDenied
from crm_core.records import RecordType

if TYPE_CHECKING:
    from crm_core.store.journal import Entry
    from crm_core.store.policy import Role
    from crm_core.store.session import CrmSession

__all__ = ["check_items", "check_shares", "leaver_stays"]


def check_shares(session: CrmSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Nobody lends more than they hold: every permission of the lent role must reach the account for the lender.

    Also those that belong to no record, such as the one to erase people.
    """
    if session.actor.system or session.writer.is_kernel:
        return
    lent: defaultdict[str, set[int]] = defaultdict(set)
    for row in rows:
        lent[row["role"]].add(row["account_id"])
    for name, accounts in sorted(lent.items()):
        role = session.policy.roles.get(name)
        if role is None:
            continue  # it grants nothing
        missing = accounts - session.writer.reached(_granted(session, role), accounts)
        if missing:
            raise PermissionDenied(
                "{principal} cannot lend the role {role} on the account {id}: it allows more than they may do there.",
                mend="Lend a narrower role, or ask somebody who holds it.",
                record="share",
                principal=session.actor.principal,
                role=session.policy.named_roles(role.name),
                id=min(missing),
            )


def _granted(session: CrmSession, role: Role) -> set[str]:
    """Every permission of the build that a role grants at some scope."""
    verbs = ("create", "read", "update", "delete")
    known = {each.permission(verb) for each in session.types.values() for verb in verbs}
    known |= {field.restricted for each in session.types.values() for field in each.restricted if field.restricted}
    known |= set(session.policy.permissions)
    return {name for name in known if role.scope(name) is not None}


def check_items(session: CrmSession, rows: Iterable[Mapping[str, Any]]) -> None:
    """Whoever offers an account, or says that it is accepted or done, must be allowed to transfer it."""
    if not session.actor.system and not session.writer.is_kernel:
        session.writer.require_transfer({row["account_id"] for row in rows if row.get("state") in GIVEN})


def leaver_stays(session: CrmSession, _type: RecordType, entries: Sequence[Entry]) -> None:
    """Who gives up is decided when a handover is drafted: who may take it back follows from that."""
    if not session.actor.system and any(each.operation == "update" and "leaver_id" in each.after for each in entries):
        raise Conflict(
            "Who gives up cannot be changed once a handover is drafted.",
            mend="Cancel it, and draft another one: crm handover draft LOGIN.",
            record="handover",
            field="leaver_id",
        )
