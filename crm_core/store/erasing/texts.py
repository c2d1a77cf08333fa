"""Free text outside of records that tells of a person: reasons of change sets, and errors that were kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select, update

from crm_core.store.marks import ERASED
from crm_core.store.parts import in_parts
from crm_core.store.tables import CHANGE, CHANGE_SET, FEED_POSITION, JOB

if TYPE_CHECKING:
    from crm_core.store.erasing.blanking import Blanking
    from crm_core.store.session import CrmSession

__all__ = ["blank_errors", "blank_reasons", "naming"]

_IDEOGRAPH = "⺀"
"""From here on scripts write no spaces between words, and two signs are a name."""


def naming(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of ``texts`` as whole words, in any case; ``None`` where none of them is long enough to tell."""
    parts = []
    for text in sorted({each.strip().casefold() for each in texts}, key=len, reverse=True):
        if any(sign >= _IDEOGRAPH for sign in text):
            if len(text) > 1:
                parts.append(re.escape(text))
        elif len(text) > 2:  # shorter words are found in any sentence
            parts.append(rf"(?<!\w){re.escape(text)}(?!\w)")
    return re.compile("|".join(parts)) if parts else None


def blank_reasons(blanking: Blanking) -> None:
    """Blank the reasons of change sets that were about the person alone, and of others of theirs that name them."""
    session, names = blanking.session, naming(blanking.texts)
    for part in in_parts(sorted(blanking.theirs)):
        reasons: dict[int, str] = {
            row.id: row.reason
            for row in session.core(
                select(CHANGE_SET.c.id, CHANGE_SET.c.reason).where(
                    CHANGE_SET.c.id.in_(part),
                    CHANGE_SET.c.reason.is_not(None),
                    CHANGE_SET.c.reason != ERASED,
                    CHANGE_SET.c.source != "erasure",  # it must stay known why
                )
            )
        }
        if not reasons:
            continue
        counted = (
            select(CHANGE.c.change_set_id, func.count().label("rows"))
            .where(CHANGE.c.change_set_id.in_(sorted(reasons)))
            .group_by(CHANGE.c.change_set_id)
        )
        gone = {row.change_set_id for row in session.core(counted) if row.rows == blanking.theirs[row.change_set_id]}
        gone |= {id_ for id_, reason in reasons.items() if names is not None and names.search(reason.casefold())}
        if gone:
            session.core(update(CHANGE_SET).where(CHANGE_SET.c.id.in_(sorted(gone))).values(reason=ERASED))


def blank_errors(session: CrmSession, texts: Iterable[str]) -> None:
    """Blank what jobs and consumers of the feed kept of errors, where it names the person."""
    names = naming(texts)
    if names is None:
        return
    for table, key, columns in ((JOB, JOB.c.id, ("last_error", "note")),
                                (FEED_POSITION, FEED_POSITION.c.consumer, ("last_error",))):  # fmt: skip
        kept = select(key, *(table.c[name] for name in columns)).where(
            or_(*(table.c[name].is_not(None) for name in columns))
        )
        for row in session.core(kept).mappings().all():
            gone = {name: ERASED for name in columns if row[name] and names.search(row[name].casefold())}
            if gone:
                session.core(update(table).where(key == row[key.name]).values(gone))
