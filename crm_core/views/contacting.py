"""May we touch this customer now? Plugins may warn or veto, and so does a withdrawn consent."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Consent, Contact, ContactPoint, PointKind
from crm_core.hooks.values import Finding, Touch

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["check_contact"]

_CHANNELS: dict[str, tuple[PointKind, ...]] = {
    "email": (PointKind.EMAIL,),
    "phone": (PointKind.PHONE, PointKind.MOBILE),
    "message": (PointKind.MOBILE, PointKind.WECHAT),
    "fax": (PointKind.FAX,),
}


def check_contact(
    session: CrmSession,
    account: Account,
    *,
    purpose: str,
    contact: Contact | None = None,
    channel: str | None = None,
    at: dt.datetime | None = None,
) -> tuple[Finding, ...]:
    """Ask before a touch, quote or campaign goes out; an empty answer means nothing speaks against it.

    ``purpose`` is such as ``visit``, ``quote``, ``campaign``; ``channel`` one of ``email``, ``phone``, ``message``,
    ``fax``. Vetoes come first. Raises :class:`~crm_core.errors.HookError` when a plugin fails: silence would count as
    consent.
    """
    touch = Touch(
        account_id=account.id,
        contact_id=None if contact is None else contact.id,
        purpose=purpose,
        channel=channel,
        at=at or session.now,
    )
    findings = [*_consent(session, touch), *session.store.dispatch.check_contact(session, touch)]
    return tuple(sorted(findings, key=lambda finding: not finding.vetoes))


def _consent(session: CrmSession, touch: Touch) -> list[Finding]:
    """A person who withdrew consent on every point of the channel must not be addressed by it."""
    if touch.contact_id is None:
        return []
    query = select(ContactPoint.consent, ContactPoint.kind).where(ContactPoint.contact_id == touch.contact_id)
    points = [
        row.consent
        for row in session.execute(query)
        if touch.channel is None or row.kind in _CHANNELS.get(touch.channel, tuple(PointKind))
    ]
    if points and all(consent is Consent.WITHDRAWN for consent in points):
        return [Finding("veto", "The person has withdrawn consent to be contacted this way.", "crm")]
    if any(consent is Consent.WITHDRAWN for consent in points):
        return [Finding("warning", "The person has withdrawn consent for some of their contact points.", "crm")]
    return []
