"""What people see of roles: panels in the overview, entries in the timeline."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, select

from crm_core import Contact, CrmSession, Panel, TimelineEntry
from crm_stakeholders.maps import DecisionMap, Subject, decision_maps
from crm_stakeholders.roles import StakeholderRole

__all__ = ["entries", "panels", "titles"]


def panels(session: CrmSession, accounts: Sequence[int]) -> Iterator[Panel]:
    """A panel for each account, and for each subject under it, around which somebody has a role."""
    maps = decision_maps(session, accounts)
    titled = titles(session, maps)
    for subject, found in maps.items():
        lines: list[tuple[str, str]] = []
        if subject.type is not None:
            lines.append(("About", titled.get(subject, f"{subject.type} {subject.id}")))
        scopes = session.policy.vocabularies["stakeholders.scope"]
        for scope, names in found.coverage.known.items():
            lines.append((scopes.get(scope, scope), ", ".join(names) or "nobody known"))
        if found.support is not None:
            value = found.support.value
            lines.append(("Support (-2 to +2)", "unknown" if value is None else f"{value:+}"))
        yield Panel(
            account_id=subject.account_id,
            name="decision_map" if subject.type is None else f"decision_map:{subject.type}:{subject.id}",
            title="Decision map",
            lines=tuple(lines),
            rows=tuple(_rows(session, found)),
            severity=_severity(found),
        )


def _rows(session: CrmSession, found: DecisionMap) -> Iterator[tuple[str, ...]]:
    stances = found.support is not None
    words = session.policy.vocabularies["stakeholders.role"]
    yield ("Person", "Role", "Influence", *(("Stance",) if stances else ()))
    for person in found.stakeholders:
        stance = "?" if person.stance is None else f"{person.stance:+d}"
        yield (person.name, words.get(person.role, person.role), str(person.influence), *((stance,) if stances else ()))


def _severity(found: DecisionMap) -> Literal["good", "warning", "bad"]:
    """Against us is bad; not to know who decides, or what they think, is a warning."""
    if found.support is not None:
        if found.support.value is None:
            return "warning"
        if found.support.value < 0:
            return "bad"
    return "warning" if found.coverage.missing else "good"


def titles(session: CrmSession, subjects: Iterable[Subject]) -> dict[Subject, str]:
    """What people call the subjects: one query per type."""
    ids: defaultdict[str, dict[int, Subject]] = defaultdict(dict)
    for subject in subjects:
        if subject.type is not None and subject.id is not None:
            ids[subject.type][subject.id] = subject
    found: dict[Subject, str] = {}
    for name, wanted in ids.items():
        record_type = session.types.get(name)  # its plugin may have been switched off
        if record_type is not None and record_type.title is not None:
            cls: Any = record_type.cls
            query = select(cls.id, getattr(cls, record_type.title)).where(cls.id.in_(sorted(wanted)))
            for id_, title in session.execute(query, execution_options={"all_dates": True}):
                found[wanted[id_]] = str(title)
    return found


def entries(
    session: CrmSession, accounts: Sequence[int], since: dt.datetime | None, until: dt.datetime | None, limit: int
) -> Iterator[TimelineEntry]:
    """Beginnings and ends of roles; where one row ends as the next begins, somebody was judged otherwise."""
    role = StakeholderRole
    words = session.policy.vocabularies["stakeholders.role"]
    began = _rows_between(session, accounts, role.valid_from, since, until, limit)
    ended = _rows_between(session, accounts, role.valid_to, since, until, limit)
    begun = {(*_key(row), row.valid_from): row for row in began}
    changed = {(*_key(row), row.valid_to) for row in ended} & begun.keys()
    for row in began:
        title = "Judged otherwise in a decision" if (*_key(row), row.valid_from) in changed else "New in a decision"
        yield _entry(row, row.valid_from, title, words)
    for row in ended:
        if (*_key(row), row.valid_to) not in changed:
            yield _entry(row, row.valid_to, "No longer in a decision", words)


def _rows_between(
    session: CrmSession,
    accounts: Sequence[int],
    when: Any,
    since: dt.datetime | None,
    until: dt.datetime | None,
    limit: int,
) -> Sequence[Any]:
    role = StakeholderRole
    bounds: list[ColumnElement[bool]] = [when.is_not(None)]
    if since is not None:
        bounds.append(when >= since)
    if until is not None:
        bounds.append(when < until)
    query = (
        select(
            role.id, role.account_id, role.contact_id, role.subject_type, role.subject_id, role.role,
            role.valid_from, role.valid_to, Contact.name,
        )
        .join(Contact, Contact.id == role.contact_id)
        .where(and_(role.account_id.in_(accounts), *bounds))
        .order_by(when.desc(), role.id.desc())
        .limit(limit)
    )  # fmt: skip
    return session.execute(query, execution_options={"all_dates": True}).all()


def _key(row: Any) -> tuple[Any, ...]:
    return row.account_id, row.contact_id, row.subject_type, row.subject_id, row.role


def _entry(row: Any, at: dt.datetime, title: str, words: Any) -> TimelineEntry:
    return TimelineEntry(
        at=at,
        account_id=row.account_id,
        kind="stakeholder",
        title=title,
        text=f"{row.name}: {words.get(row.role, row.role)}",
        record_type="stakeholders.role",
        record_id=row.id,
    )
