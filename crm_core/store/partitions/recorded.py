"""From when on the journal is whole: what was recorded before may be detached, and then nothing is answered of it.

Ask after reading the journal, in the same transaction. Whoever has read a table keeps others from detaching parts of it
until the transaction ends; so what was there when it was read is there when this is asked.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from crm_core.errors import PastDetached
from crm_core.store.partitions.layout import number_of
from crm_core.store.tables import JOURNAL_PART

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["begins", "detached", "refuse_detached", "require_recorded"]

_MEND = "Bring it back ('crm journal attach'), or ask for a later moment; 'crm journal' shows what is detached."


def begins(session: CrmSession) -> dt.datetime | None:
    """The moment from which on the journal is whole; ``None`` where all of it is here. One statement on PostgreSQL."""
    if session.dialect != "postgresql":
        return None
    found: dt.datetime | None = session.core(select(func.max(JOURNAL_PART.c.cut))).scalar()
    return found


def require_recorded(session: CrmSession, moment: dt.datetime) -> None:
    """Raise :class:`~crm_core.errors.PastDetached` where what was recorded after a moment is not all here."""
    cut = begins(session)
    if cut is not None and moment < cut:
        raise PastDetached(
            "What was recorded before {cut} is detached from this database, so that {moment} cannot be looked at.",
            mend=_MEND,
            cut=shown(session, cut),
            moment=shown(session, moment),
        )


def detached(session: CrmSession, id_: int) -> bool:
    """Whether what came with this id, a change set or a record, may be in a part that is detached."""
    if session.dialect != "postgresql":
        return False
    query = select(JOURNAL_PART.c.number).where(JOURNAL_PART.c.number == number_of(id_))
    return session.core(query).first() is not None


def refuse_detached(session: CrmSession, id_: int) -> None:
    """Raise :class:`~crm_core.errors.PastDetached` for a change set that is not here and may be in a detached part."""
    if detached(session, id_):
        raise PastDetached(
            "There is no change set {id} here; if there was one, it is in part {part} of the journal, and detached.",
            mend="Bring it back ('crm journal attach'); 'crm journal' shows where it is.",
            id=id_,
            part=number_of(id_),
        )


def shown(session: CrmSession, moment: dt.datetime) -> str:
    """A moment on the organisation's clocks, exactly: it is a limit that people go by."""
    return moment.astimezone(session.policy.tz).isoformat(" ", "seconds")
