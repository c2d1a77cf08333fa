"""What a role in a decision must keep, whichever way it is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select

from crm_core import Account, Change, ChangeBatch, CrmSession, Problem
from crm_stakeholders.roles import INFLUENCE, STANCE, STRENGTH, StakeholderRole
from crm_stakeholders.settings import settings_of

__all__ = ["forget_subjects", "problems"]

_RANGES = {"influence": INFLUENCE, "stance": STANCE, "strength": STRENGTH}


def problems(session: CrmSession, batch: ChangeBatch) -> Iterator[Problem]:
    """Everything wrong with new and changed roles."""
    written = batch.of("create", "update")
    allowed = {*session.policy.vocabularies.get("stakeholders.scope", {}), *settings_of(session).needed_scopes}
    for change in written:
        yield from _out_of_range(change)
        unknown = set(change.after.get("scopes") or ()) - allowed
        if unknown:
            yield Problem(
                "scopes",
                "{unknown} is no side of a decision.",
                'Use {known}; a build adds more under [vocabularies."stakeholders.scope"].',
                {"unknown": ", ".join(sorted(unknown)), "known": ", ".join(sorted(allowed))},
            )
    yield from _subjects(session, written)


def _out_of_range(change: Change) -> Iterator[Problem]:
    for name, (low, high) in _RANGES.items():
        value = change.after.get(name)
        if value is not None and not low <= value <= high:
            yield Problem(
                name,
                "{value} is not between {low} and {high}.",
                "Give a whole number from {low} to {high}.",
                {"value": value, "low": low, "high": high},
            )


def _subjects(session: CrmSession, written: Sequence[Change]) -> Iterator[Problem]:
    """A subject exists for the actor and lies under the account; one query per type of subject."""
    wanted: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
    for account_id, subject_type, subject_id in _keys(session, written):
        if (subject_type is None) != (subject_id is None):
            yield Problem(
                "subject_id",
                "Type and id of the subject stand together.",
                "Give both, or neither for the account as a whole.",
            )
        elif subject_type is not None and subject_id is not None:
            wanted[subject_type].add((subject_id, account_id))
    for subject_type, pairs in wanted.items():
        record_type = session.types.get(subject_type)
        if record_type is None or "account_id" not in record_type.by_name:
            yield Problem(
                "subject_type",
                "{type!r} is no type of records under an account.",
                "Name one that has an account_id; leave the subject empty for the account as a whole.",
                {"type": subject_type},
            )
            continue
        subject: Any = record_type.cls
        query = select(subject.id, subject.account_id).where(subject.id.in_(sorted({id_ for id_, _ in pairs})))
        found: dict[int, int] = dict(session.execute(query, execution_options={"all_dates": True}).all())
        for subject_id, account_id in sorted(pairs):
            if found.get(subject_id) != account_id:
                yield Problem(
                    "subject_id",
                    "There is no {type} {id} under this account.",
                    "Check the id, or ask whoever is responsible for it.",
                    {"type": subject_type, "id": subject_id},
                )


def _keys(session: CrmSession, written: Sequence[Change]) -> Iterator[tuple[int, str | None, int | None]]:
    """Account and subject of what was written; an update of other fields needs no look."""
    for change in written:
        if change.operation == "create":
            yield (
                change.after["account_id"],
                change.after.get("subject_type"),
                change.after.get("subject_id"),
            )
    moved = [
        change.id
        for change in written
        if change.operation == "update" and change.fields & {"account_id", "subject_type", "subject_id"}
    ]
    if moved:
        row = StakeholderRole
        query = select(row.account_id, row.subject_type, row.subject_id).where(row.id.in_(moved))
        yield from session.execute(query, execution_options={"all_dates": True})


def forget_subjects(session: CrmSession, subject_type: str, ids: Iterable[int]) -> None:
    """Delete the roles around subjects that are gone."""
    if "account_id" not in session.types[subject_type].by_name or subject_type == Account.crm_type.name:
        return
    orphans = session.scalars(
        select(StakeholderRole.id).where(
            StakeholderRole.subject_type == subject_type, StakeholderRole.subject_id.in_(sorted(ids))
        ),
        execution_options={"all_dates": True},
    ).all()
    if orphans:
        session.delete_many(StakeholderRole, orphans)
