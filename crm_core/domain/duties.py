"""Reporting duties: who must keep which facts about which accounts fresh; and confirmations that nothing changed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs
from sqlalchemy import select
from sqlalchemy.orm import Mapped

from crm_core.domain.accounts import Account
from crm_core.domain.dated import as_moment
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Ownership
from crm_core.errors import NotFound, nearest
from crm_core.fields import moment, ref, text
from crm_core.records import Record, parent, record, via

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Duty", "DutyConfirmation", "confirm", "find_duty"]


@attrs.frozen(kw_only=True)
class Duty:
    """A rule of the build: ``who`` must renew or confirm ``fields`` of ``record`` at the accounts ``where``.

    ``record`` is ``account`` or a type whose records hang on accounts or on people who work there; ``fields`` are its
    fields that count, any of them when empty. ``who`` are the names of parts in a responsibility (``owner``,
    ``collaborator``, ``backup``, ``mentor``) and of roles: of those responsible, whoever has one of them must do it.
    ``where`` is an expression over accounts, empty for all. It must happen at least every ``every_days``. With ``each``
    every single record must be fresh, not just one of them. No clock begins before ``since``, the day on which the duty
    was introduced.
    """

    name: str
    label: str = ""
    record: str = "account"
    fields: tuple[str, ...] = ()
    who: tuple[str, ...] = ("owner",)
    where: str = ""
    every_days: int = 90
    each: bool = False
    since: dt.date | None = None

    @property
    def every(self) -> dt.timedelta:
        """How long it stays fresh."""
        return dt.timedelta(days=self.every_days)

    @property
    def title(self) -> str:
        """What people read."""
        return self.label or self.name.replace("_", " ").capitalize()


@record(
    "duty_confirmation",
    access=via("account_id"),
    label="Confirmation of a duty",
    indexes=[("account_id", "duty", "confirmed_at")],
)
class DutyConfirmation(Record):
    """Somebody looked, and what a duty asks about an account is still right. Only :func:`confirm` writes it."""

    account_id: Mapped[int] = ref("account", collection="duty_confirmations", index=False)
    duty: Mapped[str] = text(80)
    user_id: Mapped[int | None] = ref("user", default=None, on_delete="clear", label="Confirmed by")
    confirmed_at: Mapped[dt.datetime] = moment()
    note: Mapped[str | None] = text(200, default=None)

    account: Mapped[Account] = parent("account_id")
    user: Mapped[User | None] = parent("user_id")


def find_duty(session: CrmSession, name: str) -> Duty:
    """The duty called ``name`` in this build; :class:`NotFound` with the nearest names otherwise."""
    known = session.policy.duties
    if name not in known:
        raise NotFound(
            "There is no duty {duty!r} in this build.",
            mend="Did you mean {near}?" if known else "Declare it under [duties.{duty}].",
            duty=name,
            near=nearest(name, known),
        )
    return known[name]


def confirm(session: CrmSession, duty: str, account: Account, *, note: str | None = None) -> DutyConfirmation:
    """Say that somebody looked and nothing changed: the duty is fulfilled as if it had been updated.

    For whoever is responsible for the account, or may change it. Raises :class:`NotFound` for an unknown duty or an
    account that the actor does not see, :class:`PermissionDenied` otherwise.
    """
    rule = find_duty(session, duty)
    account_id = session.require(Account, account.id).id
    mine = select(Ownership.id).where(Ownership.account_id == account_id, Ownership.user_id == session.actor.user_id)
    if session.actor.user_id is None or session.scalars(mine.limit(1)).first() is None:
        session.writer.may_change(Account.crm_type, {account_id}, "update")
    with session.writer.as_kernel():
        return session.add_one(
            DutyConfirmation(
                account_id=account_id,
                duty=rule.name,
                user_id=session.actor.user_id,
                confirmed_at=as_moment(session, None),
                note=note,
            )
        )
