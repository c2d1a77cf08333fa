"""Roles: what part somebody plays in a decision, from when to when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from crm_core import (
    Account,
    Contact,
    CrmSession,
    Dated,
    Mapped,
    Problem,
    Record,
    ValidationError,
    dated,
    number,
    one_at_a_time,
    parent,
    record,
    ref,
    tags,
    text,
    via,
)

__all__ = ["INFLUENCE", "READ_STANCE", "STANCE", "STRENGTH", "StakeholderRole", "assign", "change", "end"]

INFLUENCE = (1, 5)
STANCE = (-2, 2)
STRENGTH = (0, 5)
"""The lowest and highest value of each estimate."""

READ_STANCE = "stakeholders.role.read_stance"
"""The permission to know what somebody thinks of us."""

_CHANGEABLE = ("role", "scopes", "influence", "stance", "strength", "note")


@record(
    "stakeholders.role",
    access=via("account_id", "contact_id", every=True),
    label="Role in a decision",
    exclusive=[one_at_a_time("account_id", "contact_id", "subject_type", "subject_id", "role")],
    indexes=[("subject_type", "subject_id", "valid_to")],
)
class StakeholderRole(Dated):
    """The part that a person plays in what an account decides: about everything, or about one *subject*.

    ``subject_type`` and ``subject_id`` name a record under the account (a project, an opportunity); both are empty
    for the account as a whole. ``role`` follows the buying centre of Webster and Wind (1972: user, influencer, buyer,
    decider, gatekeeper; Bonoma 1982 adds the initiator), with coach and blocker as salespeople call them. ``scopes``
    are the sides of the decision that the person has a say in. ``influence`` (1 to 5) is how much they sway,
    ``stance`` (-2 against us to +2 for us) what they think of us, ``strength`` (0 to 5) how well we know them: all
    three are estimates of ours.
    """

    account_id: Mapped[int] = ref("account", collection="roles")
    contact_id: Mapped[int] = ref("contact", collection="roles")
    subject_type: Mapped[str | None] = text(80, default=None, label="Type of the subject")
    subject_id: Mapped[int | None] = number(0, default=None, label="Subject")
    role: Mapped[str] = text(40, vocabulary="stakeholders.role")
    scopes: Mapped[frozenset[str]] = tags(default=frozenset(), label="Has a say in")
    influence: Mapped[int] = number(0, default=3, label="Influence (1 to 5)")
    stance: Mapped[int | None] = number(0, default=None, label="Stance (-2 to +2)", restricted=READ_STANCE)
    strength: Mapped[int | None] = number(0, default=None, label="Strength of the relation (0 to 5)")
    note: Mapped[str | None] = text(None, default=None, personal=True)

    account: Mapped[Account] = parent("account_id")
    contact: Mapped[Contact] = parent("contact_id")


def assign(
    session: CrmSession,
    contact: Contact,
    account: Account,
    role: str,
    *,
    subject: Record | None = None,
    scopes: Iterable[str] = (),
    influence: int = 3,
    stance: int | None = None,
    strength: int | None = None,
    note: str | None = None,
    from_: dt.datetime | dt.date | None = None,
    since_always: bool = False,
) -> StakeholderRole:
    """Say that a person plays a role in what an account decides, from a moment on (default: now).

    ``subject`` is what the decision is about; without it, or with the account itself, it is about everything. Raises
    :class:`~crm_core.errors.Conflict` at the commit where the person has this role around the subject already, and
    :class:`~crm_core.errors.Objection` where an estimate is out of range, a scope is unknown or the subject does not
    belong to the account.
    """
    subject_type, subject_id = key_of(account, subject)
    return session.add_one(
        StakeholderRole(
            account_id=account.id,
            contact_id=contact.id,
            subject_type=subject_type,
            subject_id=subject_id,
            role=role,
            scopes=frozenset(scopes),
            influence=influence,
            stance=stance,
            strength=strength,
            note=note,
            valid_from=None if since_always else dated.as_moment(session, from_),
        )
    )


def change(
    session: CrmSession, row: StakeholderRole, *, from_: dt.datetime | dt.date | None = None, **values: Any
) -> StakeholderRole:
    """Let a role be judged otherwise from a moment on (default: now); what held before stays answerable.

    ``values`` are any of role, scopes, influence, stance, strength and note; what is not named is carried on, also
    the stance for those who may not read it. Plain assignment, in contrast, is a correction. Raises
    :class:`~crm_core.errors.ValidationError` for another name, or where the row does not hold then.
    """
    unknown = sorted(values.keys() - set(_CHANGEABLE))
    if unknown:
        raise ValidationError(
            "A role in a decision cannot be changed like this.",
            [
                Problem(
                    name,
                    "It is not what changes with time.",
                    "Change one of {names}, or end this role and assign another.",
                    {"names": ", ".join(_CHANGEABLE)},
                )
                for name in unknown
            ],
            record="stakeholders.role",
        )
    if "scopes" in values:
        values["scopes"] = frozenset(values["scopes"])
    return dated.change(session, row, from_=from_, **values)


def end(session: CrmSession, row: StakeholderRole, *, at: dt.datetime | dt.date | None = None) -> None:
    """Somebody plays the role no longer, from a moment on (default: now)."""
    dated.end(session, row, at=at)


def key_of(account: Account, subject: Record | None) -> tuple[str | None, int | None]:
    """How rows name a subject; the account itself is none."""
    if subject is None or subject is account or (isinstance(subject, Account) and subject.id == account.id):
        return None, None
    return type(subject).crm_type.name, subject.id
