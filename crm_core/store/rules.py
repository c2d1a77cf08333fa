"""Rules that every write must keep, whichever way it comes: vocabularies, custom fields, references, dated rows."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, bindparam, or_, select

from crm_core.domain.accounts import Account
from crm_core.domain.contacts import POINT_FORMS, ContactPoint
from crm_core.domain.handovers.records import HandoverItem
from crm_core.domain.organisation import User
from crm_core.domain.ownership import Share
from crm_core.domain.quality import SUBJECT, QualityIssue
from crm_core.domain.registration import registration_problem
from crm_core.errors import Conflict, NotFound, Problem, ValidationError
from crm_core.fields.kinds import Kind, RefKind, json_form
from crm_core.records import Exclusive, RecordType
from crm_core.store.giving import check_items, check_shares
from crm_core.store.key_fields import check_proposals
from crm_core.store.locking import lock
from crm_core.store.parts import in_parts

if TYPE_CHECKING:
    from crm_core.store.session import CrmSession

__all__ = [
    "beside", "check_custom", "check_exclusive", "check_filled", "check_kept", "check_references", "check_values",
    "lock_keys",
]  # fmt: skip

_OF_THEIR_OWN = {
    Share.crm_type: check_shares,
    HandoverItem.crm_type: check_items,
    QualityIssue.crm_type: check_proposals,
}
"""Rules of one record type each, on its new or changed rows."""


def beside(record_type: RecordType) -> tuple[str, ...]:
    """Fields whose unchanged values a rule needs beside changed ones; other old values are not judged again."""
    if record_type is Account.crm_type:
        return ("registration_country", "registration_number")
    if record_type is ContactPoint.crm_type:
        return ("kind",)
    if record_type is Share.crm_type:
        return ("account_id", "role", "valid_from", "valid_to")
    if record_type is HandoverItem.crm_type:
        return ("account_id", "state")
    if record_type is QualityIssue.crm_type:
        return SUBJECT
    return ("valid_from", "valid_to") if record_type.dated else ()


def check_values(session: CrmSession, record_type: RecordType, rows: Iterable[Mapping[str, Any]]) -> None:
    """Vocabularies, custom fields and the order of dated bounds of new or changed values."""
    policy = session.policy
    worded = [field for field in record_type.fields if field.vocabulary in policy.vocabularies]
    dated = record_type.dated
    if record_type in _OF_THEIR_OWN:
        rows = list(rows)
        _OF_THEIR_OWN[record_type](session, rows)
    for row in rows:
        for field in worded:
            word = row.get(field.name)
            if word is not None and word not in policy.vocabularies[str(field.vocabulary)]:
                raise ValidationError(
                    "{record} cannot be written.",
                    [
                        Problem(
                            field.name,
                            "{word!r} is not in the vocabulary {vocabulary}.",
                            "Known words: {words}.",
                            {
                                "word": word,
                                "vocabulary": field.vocabulary,
                                "words": ", ".join(sorted(policy.vocabularies[str(field.vocabulary)])),
                            },
                        )
                    ],
                    record=record_type.name,
                    field=field.name,
                )
        if row.get("custom"):
            check_custom(session, record_type, row["custom"])
        if record_type is User.crm_type and not str(row.get("login", "-")).strip():
            raise ValidationError(
                "{record} cannot be written.",
                [Problem("login", "A login is needed.", "Give the name that the person signs in with.")],
                record="user",
                field="login",
            )
        if record_type is ContactPoint.crm_type and row.get("kind") in POINT_FORMS and "value" in row:
            _check_point(POINT_FORMS[row["kind"]], row["value"])
        if record_type is Account.crm_type and row.get("registration_number"):
            _check_registration(row)
        if dated:
            start, end = row.get("valid_from"), row.get("valid_to")
            if start is not None and end is not None and start >= end:
                raise ValidationError(
                    "{record} cannot be written.",
                    [Problem("valid_to", "The row would end ({end}) before it begins ({start}).",
                             "The end is exclusive and lies after the beginning.",
                             {"start": start, "end": end})],
                    record=record_type.name,
                    field="valid_to",
                )  # fmt: skip


def _check_point(kind: Kind, value: str) -> None:
    try:
        kind.check(value)
    except ValidationError as error:
        raise ValidationError(
            "{record} cannot be written.",
            [Problem("value", error.problem, error.mend, error.values)],
            record="contact_point",
            field="value",
        ) from None


def _check_registration(row: Mapping[str, Any]) -> None:
    problem = registration_problem(row.get("registration_country"), row["registration_number"])
    if problem is not None:
        raise ValidationError(
            "account cannot be written.",
            [Problem("registration_number", "{number!r} is no registration number of {country}: {reason}",
                     "Check the number, or leave the country out.",
                     {"number": row["registration_number"], "country": row["registration_country"],
                      "reason": problem})],
            record="account",
            field="registration_number",
        )  # fmt: skip


def check_custom(session: CrmSession, record_type: RecordType, values: Mapping[str, Any]) -> None:
    """Custom fields exist in this build and have values of their kind (in their JSON form)."""
    known = session.policy.custom.get(record_type.name, {})
    for name, value in values.items():
        field = known.get(name)
        if field is None:
            raise ValidationError(
                "{record} cannot be written.",
                [Problem(f"custom.{name}", "This build has no such custom field.",
                         "Declare it under [custom_fields.{record}.{name}].",
                         {"record": record_type.name, "name": name})],
                record=record_type.name,
                field=name,
            )  # fmt: skip
        if value is not None:
            try:
                _check_custom(field.kind, value)
            except ValidationError as error:
                raise ValidationError(
                    "{record} cannot be written.",
                    [Problem(f"custom.{name}", error.problem, error.mend, error.values)],
                    record=record_type.name,
                    field=name,
                ) from None


def _check_custom(kind: Kind, value: Any) -> None:
    known = kind.check(kind.decode(value))  # history may hold a choice that is withdrawn
    if not isinstance(value, str | int | float | list | tuple | dict):
        raise ValidationError(
            "A custom field has its value in its JSON form, which {given} is not.",
            mend="Write {form!r}.",
            given=type(value).__name__,
            form=json_form(kind, known),
        )


def check_filled(session: CrmSession, record_type: RecordType, rows: Iterable[Mapping[str, Any]]) -> None:
    """New records have the custom fields that the build requires; raises :class:`ValidationError`."""
    wanted = _required(session, record_type)
    for row in rows if wanted else ():
        custom = row.get("custom") or {}
        _demand(record_type, [name for name in wanted if custom.get(name) is None])


def check_kept(session: CrmSession, record_type: RecordType, changes: Iterable[Mapping[str, Any]]) -> None:
    """No change takes away a custom field that the build requires; a record that has none may go without it."""
    wanted = _required(session, record_type)
    for change in changes if wanted else ():
        custom = change.get("custom") or {}
        _demand(record_type, [name for name in wanted if name in custom and custom[name] is None])


def _required(session: CrmSession, record_type: RecordType) -> list[str]:
    """What the kernel writes by itself, such as the owner that a pool gives, is asked for nothing it cannot know."""
    if session.writer.is_kernel:
        return []
    return [name for name, field in session.policy.custom.get(record_type.name, {}).items() if field.required]


def _demand(record_type: RecordType, missing: Sequence[str]) -> None:
    if missing:
        raise ValidationError(
            "{record} cannot be written.",
            [Problem(f"custom.{name}", "A value is needed.", "Give one.") for name in missing],
            record=record_type.name,
            field=missing[0],
        )


def check_references(
    session: CrmSession, record_type: RecordType, rows: Sequence[Mapping[str, Any]], ids: Sequence[int] = ()
) -> None:
    """Every reference points to a record that exists and that the actor may see: one answer for both."""
    pairs: list[tuple[str, str, set[int]]] = [
        (field.name, field.kind.target, {row[field.name] for row in rows if row.get(field.name) is not None})
        for field in record_type.refs
        if isinstance(field.kind, RefKind)
    ]
    if record_type.extends and ids:
        pairs.append(("id", record_type.extends, set(ids)))
    for name, target_name, given in pairs:
        wanted = given - session.writer.created.of(session.types[target_name])
        if target_name == record_type.name:
            wanted -= set(ids)  # rows that are written together may refer to each other
        if not wanted:
            continue
        known = session.writer.verified[target_name]
        wanted = wanted - known
        wanted = wanted.difference(session.writer.seeing.get(target_name, ()))
        if not wanted:
            continue
        found = session.writer.visible_ids(session.types[target_name], wanted)
        missing = wanted - found
        if missing and session.writer.expected is not None:
            missing -= session.writer.expected(target_name, missing)
        if missing:
            raise NotFound(
                "{record}.{field}: there is no {target} {id}.",
                mend="Check the id, or ask whoever is responsible for it.",
                record=record_type.name,
                field=name,
                target=target_name,
                id=min(missing),
            )
        known |= found
        if len(known) > 20_000:
            known.clear()  # a long import must not grow with its length


def lock_keys(session: CrmSession, record_type: RecordType, exclusive: Exclusive, keys: set[tuple[Any, ...]]) -> None:
    """On PostgreSQL, let writers of the same key wait for each other: the second then sees the first's rows."""
    field = record_type.by_name.get(exclusive.fields[0])
    if field is not None and field.target is not None:
        lock(session, session.types[field.target], {key[0] for key in keys})


def check_exclusive(session: CrmSession, record_type: RecordType, rows: Sequence[Mapping[str, Any]]) -> None:
    """At any instant at most one row per key, future rows included; called after the rows were written.

    What ``rows`` do not name is absent.
    """
    for number, exclusive in enumerate(record_type.exclusive):
        parent = session.types.get(record_type.by_name[exclusive.fields[0]].target or "")
        keys: set[tuple[Any, ...]] = set()
        for row in rows:
            if all(row.get(name) == value for name, value in exclusive.when):
                key = tuple([row.get(name) for name in exclusive.fields])
                # The first row of a parent that was created in this transaction has nothing to overlap with.
                if parent is None or not session.writer.first_of_new((record_type.name, number), parent, key):
                    keys.add(key)
        if keys:
            lock_keys(session, record_type, exclusive, keys)
            _refuse_overlap(session, record_type, exclusive, keys)


def _refuse_overlap(
    session: CrmSession, record_type: RecordType, exclusive: Exclusive, keys: set[tuple[Any, ...]]
) -> None:
    firsts = sorted({key[0] for key in keys})
    statement = _overlap(record_type, exclusive)
    for part in in_parts(firsts):
        found = session.core(statement, {"firsts": part}).first()
        if found is not None:
            raise Conflict(
                "Two rows of {record} would hold at the same time for {key}.",
                mend="End the earlier row first; the verbs (ownership.transfer, dated.change) do it in one step.",
                record=record_type.name,
                rows=tuple(found[-2:]),
                key=", ".join(
                    f"{name} {value}" for name, value in zip(exclusive.fields, found, strict=False) if value != ""
                ),
            )


@functools.cache
def _overlap(record_type: RecordType, exclusive: Exclusive) -> Select[Any]:
    """Two rows of one key that hold at the same time; made once, because every single save asks it."""
    one, other = record_type.table.alias(), record_type.table.alias()
    overlap = and_(
        or_(one.c.valid_from.is_(None), other.c.valid_to.is_(None), one.c.valid_from < other.c.valid_to),
        or_(other.c.valid_from.is_(None), one.c.valid_to.is_(None), other.c.valid_from < one.c.valid_to),
    )
    # Two rows that leave an optional field empty have the same key; SQL's own equality would not say so.
    same = [
        one.c[name].is_not_distinct_from(other.c[name])
        if record_type.by_name[name].optional
        else one.c[name] == other.c[name]
        for name in exclusive.fields
    ]
    when = [side.c[name] == value for name, value in exclusive.when for side in (one, other)]
    return (
        select(*(one.c[name] for name in exclusive.fields), one.c.id, other.c.id)
        .select_from(one.join(other, and_(one.c.id < other.c.id, *same, overlap, *when)))
        .where(one.c[exclusive.fields[0]].in_(bindparam("firsts", expanding=True)))
        .limit(1)
    )
