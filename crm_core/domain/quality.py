"""The quality of what we know: key fields that a steward guards, proposals to change them, and what is to be mended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from json import dumps
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Contact
from crm_core.domain.organisation import User
from crm_core.errors import Conflict, PermissionDenied, ValidationError
from crm_core.fields import choice, json, moment, number, ref, text
from crm_core.fields.field import Field
from crm_core.records import Record, RecordType, parent, record, via

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = [
    "DECIDE",
    "GUARDED",
    "SUBJECT",
    "IssueState",
    "QualityIssue",
    "Steward",
    "approve",
    "assigned",
    "close",
    "json_value",
    "note_issues",
    "proposals",
    "propose",
    "refuse",
    "require_proposal",
    "withdraw",
]

DECIDE = "quality.decide"
"""The permission of stewards: to decide on proposals, and to change key fields directly."""

GUARDED = ("account", "contact")
"""The records that may have key fields: whoever sees one of them sees the proposals about it, and nothing besides."""

SUBJECT = ("account_id", "contact_id", "record_type", "record_id", "field")
"""The fields of an issue that say what it is about, and who sees it."""


class IssueState(Enum):
    """What has become of a proposal or of something to be mended."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    DONE = "done"
    OBSOLETE = "obsolete"


@attrs.frozen(kw_only=True)
class Steward:
    """What a build guards: ``key_fields`` by record. A place that nobody confirmed for ``stale_days`` is stale."""

    key_fields: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    stale_days: int = 180


@record(
    "quality_issue",
    access=via("account_id", "contact_id"),
    label="Matter of data quality",
    indexes=[("state", "kind"), ("state", "created_at"), ("assignee_id", "state")],
)
class QualityIssue(Record):
    """A proposed change of one field (``kind`` is ``change``), or something about a customer that is to be mended.

    Only the verbs of :mod:`crm_core.domain.quality` write it. Values are kept as the journal keeps them; they are of
    fields that everybody reads who sees the record. Why something is proposed is for stewards to read.
    """

    kind: Mapped[str] = text(40, default="change", vocabulary="quality.kind")
    subject: Mapped[str | None] = text(200, default=None, personal=True)
    account_id: Mapped[int | None] = ref("account", default=None, collection="quality_issues")
    contact_id: Mapped[int | None] = ref("contact", default=None, collection="quality_issues")
    record_type: Mapped[str] = text(120)
    record_id: Mapped[int] = number(0)
    field: Mapped[str | None] = text(80, default=None)
    found: Mapped[Any | None] = json(default=None, personal=True, label="Value at the proposal")
    proposed: Mapped[Any | None] = json(default=None, personal=True, label="Proposed value")
    reason: Mapped[str | None] = text(500, default=None, personal=True, restricted=DECIDE)
    state: Mapped[IssueState] = choice(IssueState, default=IssueState.OPEN)
    proposer_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", label="Proposed by")
    assignee_id: Mapped[int | None] = ref(
        "user", default=None, on_delete="clear", index=False, label="Whoever is to mend it"
    )
    decider_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", label="Decided by")
    decided_at: Mapped[dt.datetime | None] = moment(default=None)
    note: Mapped[str | None] = text(500, default=None, personal=True)

    account: Mapped[Account | None] = parent("account_id")
    contact: Mapped[Contact | None] = parent("contact_id")
    proposer: Mapped[User | None] = parent("proposer_id")
    assignee: Mapped[User | None] = parent("assignee_id")
    decider: Mapped[User | None] = parent("decider_id")


def propose(
    session: CrmSession, record: Account | Contact, values: Mapping[str, Any], reason: str | None = None
) -> list[QualityIssue]:
    """Propose other values for fields of an account or a person; a steward decides. One issue for each field.

    Whoever sees the record may propose. Values are checked as if they were written; those that are there already, and
    those that are proposed already, are left out. Raises :class:`ValidationError` when a value cannot be one, or when
    nothing would change.
    """
    record_type = record.crm_type
    if record_type.name not in GUARDED:
        raise ValidationError(
            "Proposals are about accounts and contacts, not about {record}.",
            mend="Change it directly, or ask whoever may.",
            record=record_type.name,
        )
    record = session.require(type(record), record.id)
    open_ = {(issue.field, _key(issue.proposed)): issue for issue in _open(session, record_type, record.id)}
    found: list[QualityIssue] = []
    rows = []
    for name, value in values.items():
        field = _proposable(session, record_type, name)
        now, wanted = _current(record, record_type, name, field), _encoded(field, value, record_type.name)
        if now == wanted:
            continue
        if (name, _key(wanted)) in open_:
            found.append(open_[name, _key(wanted)])
            continue
        rows.append({"field": name, "found": now, "proposed": wanted, "reason": reason})
    if not rows and not found:
        raise ValidationError(
            "Nothing would change.", mend="The record has these values already.", record=record_type.name
        )
    anchor = f"{record_type.name}_id"
    made = note_issues(
        session,
        [
            {**row, anchor: record.id, "record_type": record_type.name, "record_id": record.id, "kind": "change"}
            for row in rows
        ],
    )
    return found + made


def note_issues(session: CrmSession, rows: Sequence[Mapping[str, Any]]) -> list[QualityIssue]:
    """Put matters into the queue in the actor's name, by a rule of the kernel: no permission is needed for it.

    The caller has made sure that the actor sees what they are about. Raises :class:`ValidationError` for a proposal
    that is about another record than the one it is shown for.
    """
    if not rows:
        return []
    for row in rows:
        require_proposal(session, row)
    with session.writer.as_kernel():
        issues = [QualityIssue(**row, proposer_id=session.actor.user_id) for row in rows]
        session.add_all(issues)
    return issues


def approve(session: CrmSession, *issues: QualityIssue, note: str | None = None) -> list[QualityIssue]:
    """Carry out proposals in the steward's name, all of them or none.

    Each is compared three ways: a value that changed since the proposal is a :class:`Conflict`; where it is as proposed
    already, the proposal becomes obsolete. Values are written as by anybody, so rules and plugins may object.
    """
    grouped: dict[tuple[str, int], list[QualityIssue]] = {}
    for issue in issues:
        _require_open(issue)
        if issue.field is None:
            raise ValidationError("This is no proposal, so there is nothing to approve.", mend="Close it instead.")
        grouped.setdefault((issue.record_type, issue.record_id), []).append(issue)
    for (name, id_), group in grouped.items():
        record_type = session.types[name]
        target: Any = session.get(record_type.cls, id_)
        if target is None:
            _settle(session, group, IssueState.OBSOLETE, note)
            continue
        for issue in group:
            require_proposal(session, {each: getattr(issue, each) for each in SUBJECT})
        session.writer.require_steward(record_type, {id_})
        wanted = [issue for issue in group if _still_wanted(session, record_type, target, issue)]
        _settle(session, [issue for issue in group if issue not in wanted], IssueState.OBSOLETE, note)
        for issue in wanted:
            _assign(session, record_type, target, issue)
        session.flush()
        _settle(session, wanted, IssueState.APPROVED, note)
    return list(issues)


def refuse(session: CrmSession, issue: QualityIssue, *, note: str) -> QualityIssue:
    """Decline a proposal; ``note`` tells the proposer why."""
    _require_open(issue)
    session.writer.require_steward(session.types[issue.record_type], {issue.record_id})
    _settle(session, [issue], IssueState.REFUSED, note)
    return issue


def withdraw(session: CrmSession, issue: QualityIssue, *, note: str | None = None) -> QualityIssue:
    """Take one's own proposal back."""
    _require_open(issue)
    if session.actor.user_id is None or issue.proposer_id != session.actor.user_id:
        raise PermissionDenied("Only whoever proposed it may withdraw it.", mend="A steward may refuse it.")
    _settle(session, [issue], IssueState.OBSOLETE, note)
    return issue


def close(session: CrmSession, issue: QualityIssue, *, note: str | None = None) -> QualityIssue:
    """Say that something is mended: for whoever it is assigned to, and for stewards."""
    _require_open(issue)
    if issue.field is not None:
        raise ValidationError("A proposal is approved, refused or withdrawn, not closed.", mend="Do one of these.")
    if session.actor.user_id is None or issue.assignee_id != session.actor.user_id:
        anchor = Account.crm_type if issue.account_id is not None else Contact.crm_type
        session.writer.require_steward(anchor, {issue.account_id or issue.contact_id or 0})
    _settle(session, [issue], IssueState.DONE, note)
    return issue


def proposals(
    session: CrmSession, *, state: IssueState | str | None = IssueState.OPEN, mine: bool = False
) -> list[QualityIssue]:
    """Proposals that the actor sees, oldest first; of one ``state``, or of any (``None``); ``mine`` are one's own."""
    query = select(QualityIssue).where(QualityIssue.field.is_not(None))
    if state is not None:
        query = query.where(QualityIssue.state == IssueState(state))
    if mine:
        query = query.where(QualityIssue.proposer_id == session.actor.user_id)
    return list(session.scalars(query.order_by(QualityIssue.created_at, QualityIssue.id)))


def assigned(session: CrmSession, user: User | int) -> list[QualityIssue]:
    """What a colleague is to mend, oldest first, as far as the actor sees it."""
    user_id = user if isinstance(user, int) else user.id
    query = select(QualityIssue).where(
        QualityIssue.assignee_id == user_id, QualityIssue.state == IssueState.OPEN, QualityIssue.field.is_(None)
    )
    return list(session.scalars(query.order_by(QualityIssue.created_at, QualityIssue.id)))


def _open(session: CrmSession, record_type: RecordType, id_: int) -> list[QualityIssue]:
    query = select(QualityIssue).where(
        QualityIssue.record_type == record_type.name,
        QualityIssue.record_id == id_,
        QualityIssue.state == IssueState.OPEN,
        QualityIssue.field.is_not(None),
    )
    anchor = QualityIssue.account_id if record_type is Account.crm_type else QualityIssue.contact_id
    return list(session.scalars(query.where(anchor == id_)))


def require_proposal(session: CrmSession, values: Mapping[str, Any]) -> None:
    """Refuse a proposal (by the fields in :data:`SUBJECT`) about another record than the one it is shown for.

    Whoever sees that record would read values of the other, and its steward would change it. Refused is also one about
    a field that only a few may read. What proposes no field is let through.
    """
    if values.get("field") is None:
        return
    name, anchors = values["record_type"], {each: values.get(f"{each}_id") for each in GUARDED}
    if anchors.pop(name, None) != values["record_id"] or any(anchors.values()):
        raise ValidationError(
            "A proposal is about the account or the person that it is shown for, and about no other record.",
            mend="Refuse it, and let it be proposed anew: crm quality propose.",
            record="quality_issue",
            field="record_id",
        )
    _proposable(session, session.types[name], values["field"])


def _proposable(session: CrmSession, record_type: RecordType, name: str) -> Field:
    field = session.policy.custom.get(record_type.name, {}).get(name) or record_type.field(name)
    if field.restricted is not None:
        # The proposal would show it to whoever sees the record.
        raise ValidationError(
            "{record}.{field} is for a few to read, and proposals are for all who see the record.",
            mend="Change it directly, or ask whoever may.",
            record=record_type.name,
            field=name,
        )
    return field


def _encoded(field: Field, value: Any, record: str) -> Any:
    checked = field.check(value, record)
    return None if checked is None else json_value(field.kind.encode(checked))


def json_value(value: Any) -> Any:
    """A value as it comes back from JSON."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: json_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(each) for each in value]
    return value


def _current(record: Any, record_type: RecordType, name: str, field: Field) -> Any:
    if name in record_type.by_name:
        value = getattr(record, name)
        return None if value is None else json_value(field.kind.encode(value))
    return json_value((record.custom or {}).get(name))


def _still_wanted(session: CrmSession, record_type: RecordType, target: Any, issue: QualityIssue) -> bool:
    assert issue.field is not None
    field = _proposable(session, record_type, issue.field)
    now = _current(target, record_type, issue.field, field)
    if now == issue.proposed:
        return False
    if now != issue.found:
        raise Conflict(
            "{field} of the {record} {id} was changed since it was proposed.",
            mend="Look at it: refuse the proposal, or let it be proposed again.",
            record=record_type.name,
            field=issue.field,
            id=target.id,
        )
    return True


def _assign(session: CrmSession, record_type: RecordType, target: Any, issue: QualityIssue) -> None:
    assert issue.field is not None
    field = record_type.by_name.get(issue.field)
    if field is None:
        target.custom = {**(target.custom or {}), issue.field: issue.proposed}
    else:
        setattr(target, issue.field, None if issue.proposed is None else field.kind.decode(issue.proposed))


def _require_open(issue: QualityIssue) -> None:
    if issue.state is not IssueState.OPEN:
        raise Conflict(
            "It was decided already: it is {state}.", mend="Propose it anew.", record="quality_issue",
            state=issue.state.value,
        )  # fmt: skip


def _settle(session: CrmSession, issues: Sequence[QualityIssue], state: IssueState, note: str | None) -> None:
    if not issues:
        return
    with session.writer.as_kernel():
        for issue in issues:
            issue.state, issue.decider_id, issue.decided_at = state, session.actor.user_id, session.clock()
            if note is not None:
                issue.note = note


def _key(value: Any) -> str:
    return dumps(value, ensure_ascii=False, sort_keys=True)
