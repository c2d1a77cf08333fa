"""Why somebody sees a record, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select

from crm_core.domain.organisation import Membership, Unit, User
from crm_core.domain.ownership import Ownership, Share
from crm_core.records import Administered, Owned, Private, Public, Record, RecordType, Through, Via
from crm_core.store.actor import Reach, valid_at
from crm_core.store.policy import Scope
from crm_core.store.tables import UNIT_CLOSURE

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Ground", "explain"]

_GROUND_LABELS = (
    "the rule of the record type allows it",
    "{principal} is a system principal",
    "{label} is reference data that everybody may read",
    "the role {roles} reads all records of this type",
    "through its {label} {parent}: {ground}",
    "through its {label} {id}: {ground}",
    "you are its {role} since {since}",
    "you are its {role} since always",
    "its {role} {owner} belongs to {unit}, which your role covers",
    "it is shared with you as {role}, because: {reason}",
)
"""The texts of grounds, which are no sentences, for translators."""


@attrs.frozen
class Ground:
    """One reason for seeing a record. ``text`` is a template for ``values``; ``kind`` names the rule."""

    kind: str
    text: str
    values: dict[str, Any] = attrs.field(factory=dict)

    def __str__(self) -> str:
        return self.text.format(**self.values)


def explain(session: CrmSession, record: Record) -> list[Ground]:
    """Every ground on which the actor sees ``record``; empty when the one visibility function says no."""
    record_type = record.crm_type
    if not session.writer.visible_ids(record_type, {record.id}):
        return []
    return _grounds(session, record_type, record.id) or [Ground("rule", "the rule of the record type allows it")]


def _grounds(session: CrmSession, record_type: RecordType, id_: int) -> list[Ground]:
    reach = session.visibility.reach(record_type.permission("read"))
    if session.actor.system:
        return [Ground("system", "{principal} is a system principal", {"principal": session.actor.principal})]
    access = record_type.access
    if isinstance(access, Public):
        return [Ground("public", "{label} is reference data that everybody may read", {"label": record_type.label})]
    grounds: list[Ground] = []
    if reach.all:
        roles = session.policy.named_roles(*_reading_all(session, record_type))
        grounds.append(Ground("all", "the role {roles} reads all records of this type", {"roles": roles}))
    if isinstance(access, Owned):
        return grounds + _account_grounds(session, id_, reach)
    row = session.writer.rows(record_type, {id_})[id_]
    if isinstance(access, Via):
        grounds += _via_grounds(session, record_type, access, row, id_)
    elif isinstance(access, Through):
        grounds += _through_grounds(session, access, id_)
        if row["created_by"] == session.actor.user_id:
            grounds.append(Ground("creator", "you created it"))
    elif isinstance(access, Private) and row[access.own] == session.actor.user_id:
        grounds.append(Ground("private", "it is yours"))
    elif isinstance(access, Administered):
        pass
    return grounds


def _reading_all(session: CrmSession, record_type: RecordType) -> list[str]:
    """Those of the actor's roles that reach every record of the type."""
    held = sorted({role for _, role in session.actor.places})
    roles = {name: session.policy.roles.get(name) for name in held}
    permission = record_type.permission("read")
    return [name for name, role in roles.items() if role is not None and role.scope(permission) is Scope.ALL] or held


def _via_grounds(
    session: CrmSession, record_type: RecordType, access: Via, row: dict[str, Any], id_: int
) -> list[Ground]:
    for name in access.fields:
        parent_id = id_ if name == "id" else row[name]
        if parent_id is None:
            continue
        target = session.types[str(record_type.extends if name == "id" else record_type.by_name[name].target)]
        return [
            Ground("via", "through its {label} {parent}: {ground}",
                   {"label": target.label.lower(), "parent": parent_id, "ground": ground})
            for ground in _grounds(session, target, parent_id)
        ]  # fmt: skip
    return [Ground("orphan", "it hangs on nothing, and you wrote it or are in charge of it")]


def _through_grounds(session: CrmSession, access: Through, id_: int) -> list[Ground]:
    links = session.types[access.record]
    criterion = session.visibility.criterion(links, links.table)
    query = select(links.table.c.id).where(links.table.c[access.field] == id_).order_by(links.table.c.id).limit(3)
    if criterion is not None:
        query = query.where(criterion)
    grounds = []
    for link_id in session.core(query).scalars():
        for ground in _grounds(session, links, link_id):
            grounds.append(
                Ground("through", "through its {label} {id}: {ground}",
                       {"label": links.label.lower(), "id": link_id, "ground": ground})
            )  # fmt: skip
    return grounds


def _account_grounds(session: CrmSession, account_id: int, reach: Reach) -> list[Ground]:
    owner, user = Ownership.crm_type.table, User.crm_type.table
    member, unit = Membership.crm_type.table, Unit.crm_type.table
    now = session.now
    grounds: list[Ground] = []
    owners = session.core(
        select(owner.c.user_id, owner.c.role, owner.c.valid_from, user.c.name)
        .select_from(owner.join(user, user.c.id == owner.c.user_id))
        .where(owner.c.account_id == account_id, valid_at(owner, now))
        .order_by(owner.c.id)
    ).all()
    for row in owners:
        since = row.valid_from.astimezone(session.policy.tz).date().isoformat() if row.valid_from else ""
        if row.user_id == session.actor.user_id and reach.own:
            text = "you are its {role} since {since}" if since else "you are its {role} since always"
            grounds.append(Ground("own", text, {"role": row.role.value, "since": since}))
        below = select(UNIT_CLOSURE.c.descendant_id).where(UNIT_CLOSURE.c.ancestor_id.in_(sorted(reach.subtrees)))
        inside = (
            session.core(
                select(unit.c.name)
                .select_from(member.join(unit, unit.c.id == member.c.unit_id))
                .where(
                    member.c.user_id == row.user_id,
                    valid_at(member, now),
                    member.c.unit_id.in_(sorted(reach.units)) | member.c.unit_id.in_(below),
                )
                .order_by(member.c.id)
            )
            .scalars()
            .all()
            if reach.units or reach.subtrees
            else []
        )
        for name in inside:
            grounds.append(
                Ground("unit", "its {role} {owner} belongs to {unit}, which your role covers",
                       {"role": row.role.value, "owner": row.name, "unit": name})
            )  # fmt: skip
    return grounds + _share_grounds(session, account_id, reach)


def _share_grounds(session: CrmSession, account_id: int, reach: Reach) -> list[Ground]:
    share = Share.crm_type.table
    receiver = share.c.user_id == session.actor.user_id
    if session.actor.units:
        receiver = receiver | share.c.unit_id.in_(sorted(session.actor.units))
    rows = session.core(
        select(share.c.role, share.c.reason)
        .where(share.c.account_id == account_id, receiver, valid_at(share, session.now))
        .order_by(share.c.id)
    ).all()
    return [
        Ground(
            "share",
            "it is shared with you as {role}, because: {reason}",
            {"role": session.policy.named_roles(row.role), "reason": row.reason},
        )
        for row in rows
        if row.role in reach.share_roles
    ]
