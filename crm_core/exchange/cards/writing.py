"""The export of people as an address book: never more than the session sees of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import Affiliation, Contact, ContactPoint, PointKind
from crm_core.exchange.appearing import text_file
from crm_core.exchange.cards.report import SYSTEM
from crm_core.exchange.own_keys import given_uids, may_read_keys, uid_of
from crm_core.exchange.report import Progress, Tell
from crm_core.exchange.sparing import spared

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = ["Version", "export_cards"]

Version = Literal["3.0", "4.0"]
_PAGE = 500
_TYPES = ("home", "work", "school", "pager", "car")
_ADDRESS = "address"


def export_cards(
    session: CrmSession,
    where: str | None,
    to_path: str | Path,
    *,
    version: Version = "4.0",
    order: str | None = None,
    system: str = SYSTEM,
    progress: Tell | None = None,
) -> int:
    """Write the contacts that the session sees and that match ``where`` as vCards; returns how many.

    A card has the ways to reach a person, and the places where the person works at the session's ``at``, as far as the
    actor may see them. The ``UID`` stays the same, so that an address book updates instead of doubling: that under
    which the person came from ``system``, else one of ours. The file appears when it is complete. Raises
    :class:`~crm_core.errors.ExchangeError` when it cannot be written.
    """
    if system != SYSTEM:
        may_read_keys(session)
    notes = session.can("contact.read_notes")
    points_seen = session.can("contact_point.read")
    total = session.count(Contact, where) if progress is not None else 0
    written = 0
    with text_file(spared(Path(to_path))) as file:
        for page in _pages(session, where, order):
            points = _points(session, page) if points_seen else {}
            places = _places(session, page)
            uids = given_uids(session, "contact", [each.id for each in page], system)
            for contact in page:
                uid = uids.get(contact.id) or uid_of(contact)
                lines = _card(contact, uid, points.get(contact.id, ()), places.get(contact.id, ()), version, notes)
                file.write("".join(f"{_folded(line)}\r\n" for line in lines))
            written += len(page)
            if progress is not None:
                progress(Progress("contact", 1, 1, written, min(written / max(total, 1), 1.0)))
    return written


def _pages(session: CrmSession, where: str | None, order: str | None) -> Iterator[list[Contact]]:
    limit = None if session.as_of is not None else _PAGE
    after = None
    while True:
        page = session.list(Contact, where, order=order, limit=limit, after=after)
        if page:
            yield page
        if limit is None or len(page) < limit:
            return
        after = session.cursor(page[-1], order)


def _points(session: CrmSession, page: Sequence[Contact]) -> dict[int, list[ContactPoint]]:
    found: defaultdict[int, list[ContactPoint]] = defaultdict(list)
    query = (
        select(ContactPoint).where(ContactPoint.contact_id.in_([each.id for each in page])).order_by(ContactPoint.id)
    )
    for point in session.scalars(query):
        found[point.contact_id or 0].append(point)
    return found


def _places(session: CrmSession, page: Sequence[Contact]) -> dict[int, list[tuple[Affiliation, str]]]:
    found: defaultdict[int, list[tuple[Affiliation, str]]] = defaultdict(list)
    query = (
        select(Affiliation, Account.name)
        .join(Account, Account.id == Affiliation.account_id)
        .where(Affiliation.contact_id.in_([each.id for each in page]))
        .order_by(Affiliation.primary.desc(), Affiliation.id)
    )
    for place, name in session.execute(query):
        found[place.contact_id].append((place, name))
    return found


def _card(
    contact: Contact,
    uid: str,
    points: Sequence[ContactPoint],
    places: Sequence[tuple[Affiliation, str]],
    version: Version,
    notes: bool,
) -> Iterator[str]:
    yield "BEGIN:VCARD"
    yield f"VERSION:{version}"
    yield f"UID:{_escaped(uid)}"
    yield f"FN:{_escaped(contact.name)}"
    if contact.local_name and version == "4.0":
        # An address book of version 3.0 may know one only.
        yield f"FN:{_escaped(contact.local_name)}"
    family, given, salutation = (contact.family_name, contact.given_name, contact.salutation)
    yield f"N:{_escaped(family)};{_escaped(given)};;{_escaped(salutation)};"
    if contact.birthday is not None:
        day = contact.birthday
        yield f"BDAY:{day:%Y%m%d}" if version == "4.0" and day.year >= 1000 else f"BDAY:{day.isoformat()}"
    if contact.language and version == "4.0":
        yield f"LANG:{_escaped(contact.language)}"
    for number, point in enumerate(points, 1):
        line = _way(point, version)
        if point.label and not _told(point):
            # What the types of a line cannot say, in the way of Apple's address book, which others read, too.
            yield f"way{number}.{line}"
            yield f"way{number}.X-ABLabel:{_escaped(point.label)}"
        else:
            yield line
    for number, (place, name) in enumerate(places, 1):
        group = f"place{number}." if len(places) > 1 else ""
        yield f"{group}ORG:{_escaped(name)}" + (f";{_escaped(place.department)}" if place.department else "")
        if place.title:
            yield f"{group}TITLE:{_escaped(place.title)}"
        if place.role:
            yield f"{group}ROLE:{_escaped(place.role)}"
    if notes and contact.note:
        yield f"NOTE:{_escaped(contact.note)}"
    yield f"REV:{contact.updated_at:%Y%m%dT%H%M%SZ}"
    yield "END:VCARD"


def _way(point: ContactPoint, version: Version) -> str:
    label = (point.label or "").lower()
    types = [word for word in _TYPES if re.search(rf"\b{word}\b", label)]
    value = _escaped(point.value)
    match point.kind:
        case PointKind.EMAIL:
            name, more = "EMAIL", []
        case PointKind.PHONE:
            name, more = "TEL", ["voice"]
        case PointKind.MOBILE:
            name, more = "TEL", ["cell"]
        case PointKind.FAX:
            name, more = "TEL", ["fax"]
        case PointKind.WECHAT:
            name, more = "X-WECHAT", []
        case _:
            return _other(point, label, types, value, version)
    return f"{name}{_parameters([*more, *types], point.preferred, version)}:{value}"


def _told(point: ContactPoint) -> bool:
    """Whether the line itself says the label."""
    words = set((point.label or "").split())
    if point.kind is PointKind.OTHER:
        if words and (point.label or "").split()[-1] == _ADDRESS and "home" not in words:
            return False  # elsewhere it would be taken for that of the company
        endings = {_ADDRESS, "url"}
        return words <= {*_TYPES, *endings} or (len(words) == 1 and (point.label or "").isascii())
    return words <= set(_TYPES)


def _other(point: ContactPoint, label: str, types: list[str], value: str, version: Version) -> str:
    parameters = _parameters(types, point.preferred, version)
    if "pager" in types and not value.lower().startswith("tel:"):
        return f"TEL{parameters}:{value}"
    if label.split()[-1:] == [_ADDRESS]:
        return f"ADR{parameters}:;;{value};;;;"
    if label.split()[-1:] == ["url"] or re.match(r"https?://|www\.", point.value):
        return f"URL{parameters}:{value}"
    if re.fullmatch(r"[a-z]+", label) and label not in _TYPES:
        return f"IMPP{parameters};X-SERVICE-TYPE={label}:{value}"
    return f"X-CRM-OTHER{parameters}:{value}"


def _parameters(types: Sequence[str], preferred: bool, version: Version) -> str:
    if version == "4.0":
        return (f";TYPE={','.join(types)}" if types else "") + (";PREF=1" if preferred else "")
    words = [*types, *(["pref"] if preferred else [])]
    return f";TYPE={','.join(words)}" if words else ""


def _escaped(text: str | None) -> str:
    text = (text or "").replace("\\", "\\\\").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    # What no line may hold, and nobody can see.
    text = re.sub("[\x00-\x08\x0b-\x1f\x7f]", "", text)
    return text.replace(",", "\\,").replace(";", "\\;")


def _folded(line: str) -> str:
    """At most 75 bytes a line; a character is never cut."""
    pieces: list[str] = []
    piece, size = "", 0
    for char in line:
        width = len(char.encode())
        if size + width > 75:
            pieces.append(piece)
            piece, size = " ", 1
        piece += char
        size += width
    return "\r\n".join([*pieces, piece])
