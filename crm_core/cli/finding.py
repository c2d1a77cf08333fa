"""Which record is meant: by id, by the key of another system, or by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from crm_core.domain.external import ExternalRef
from crm_core.errors import ExpressionError, NotFound
from crm_core.records import Record, RecordType
from crm_core.store.merging import tell_merged

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["find_record", "record_id"]

_SHOWN = 10


def find_record(session: CrmSession, record_type: RecordType, reference: str) -> Record:
    """The record that ``reference`` means: an id, ``system:key``, or a name.

    Raises :class:`NotFound` when there is none that the actor may see, or several.
    """
    id_ = record_id(session, record_type, reference)
    found: Record | None = session.get(record_type.cls, id_)
    if found is None:
        if session.as_of is None:
            tell_merged(session, record_type, id_)
        raise _nothing(record_type, reference)
    return found


def record_id(session: CrmSession, record_type: RecordType, reference: str) -> int:
    """Like :func:`find_record`, but an id is not looked up: what is deleted has a history, too."""
    text = reference.strip()
    if text.isdecimal() and 0 < int(text) < 2**63 and not _named(session, record_type, text):
        return int(text)
    id_ = _by_key(session, record_type, text)
    if id_ is not None and session.get(record_type.cls, id_) is not None:
        return id_
    named = _named(session, record_type, text)
    if len(named) == 1:
        return named[0].id
    if not named:
        raise _nothing(record_type, reference, *_near(session, record_type, text))
    shown = ", ".join(str(each.id) for each in named[:_SHOWN])
    raise NotFound(
        "Several records of the type {record} are called {reference!r}: {ids}.",
        mend="Give the id.",
        record=record_type.name,
        reference=reference,
        ids=shown + (" ..." if len(named) > _SHOWN else ""),
    )


def _nothing(record_type: RecordType, reference: str, *near: str) -> NotFound:
    return NotFound(
        "There is no {record} {reference!r}.",
        mend="Did you mean {near}?" if near else "Give an id, a name, or a key as system:key.",
        record=record_type.name,
        reference=reference,
        near=", ".join(near),
    )


def _by_key(session: CrmSession, record_type: RecordType, text: str) -> int | None:
    """The record that another system knows by this key; whether the actor may see it is not said here."""
    system, _, key = text.partition(":")
    if not key:
        return None
    look_up = session if session.actor.system and session.as_of is None else session.as_system("look-up by key")
    found: int | None = look_up.scalar(
        select(ExternalRef.record_id).where(
            ExternalRef.system == system, ExternalRef.record_type == record_type.name, ExternalRef.key == key
        )
    )
    return found


def _named(session: CrmSession, record_type: RecordType, text: str) -> list[Record]:
    """The records with this very name; users and units also by login and code."""
    names = [name for name in (record_type.title, "login", "code") if name in record_type.by_name]
    if not names:
        return []
    # A filter over own fields works in the recorded past, too, where statements do not.
    where = " or ".join(f"{name} == {_quoted(text)}" for name in names)
    try:
        return session.list(record_type.cls, where, limit=_SHOWN + 1)
    except ExpressionError:
        return []  # it holds a character that no stored text can have


def _near(session: CrmSession, record_type: RecordType, text: str) -> list[str]:
    """A few names that contain the text, whatever its case."""
    if record_type.title is None or not text:
        return []
    title = record_type.title
    where = f"{'icontains' if record_type.by_name[title].folded else 'contains'}({title}, {_quoted(text)})"
    try:
        found = session.list(record_type.cls, where, order=title, limit=3)
    except ExpressionError:
        return []
    return [str(getattr(each, title)) for each in found]


def _quoted(text: str) -> str:
    """A text of the filter language."""
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(char, escape)
    return f'"{text}"'
