"""When a person is erased, nothing personal of them is left anywhere that the plugin has to do with."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, select
from sqlalchemy.exc import DatabaseError

from crm_core.domain import contacts
from crm_core.domain.contacts import Affiliation, Contact
from crm_core.errors import CrmError
from crm_core.fields.kinds import EmailKind, PhoneKind, TextKind
from crm_core.testing.conformance.marks import Lively, markable, marks_in
from crm_core.testing.conformance.population import (
    PRINCIPAL,
    REFUSALS,
    company,
    drawn,
    given_fields,
    row_strategy,
    write,
)
from crm_core.testing.conformance.report import Check, Finding, one_line

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.records import RecordType
    from crm_core.testing.conformance.population import Population
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK", "looks_personal"]

NAME = "erasure"
_REACH = re.compile(
    r"(?i)(?<![a-z])e?[-_ ]?mail(?![a-z])|phone|(?<![a-z])(?:tel|fax|mobile)(?![a-z])|邮箱|邮件|电话|手机|传真"
)


def _look(subject: Subject) -> Iterator[Finding]:
    for record, field in looks_personal(subject.types):
        subject.note(
            NAME,
            "{field} looks like a way to reach somebody, and an erasure leaves it: if it may be a person's, declare it "
            "personal=True, in a record that refers to the contact.",
            field=f"{record}.{field}",
        )
    with subject.crm() as crm:
        population = company(crm)
        lively = Lively(random.Random(subject.seeds[0]), subject.now)  # noqa: S311 - made up, no secrets
        person, words = _person(crm, lively, population.ids["account"])
        for record_type in subject.types:
            words |= _rows(subject, crm, record_type, population, person, lively)
        _again(crm, subject, person, lively, words)
        try:
            with crm.system_session(PRINCIPAL) as session:
                contacts.erase(session, session.require(Contact, person), reason="they asked for it")
        except CrmError as error:
            yield Finding(
                NAME,
                "A person cannot be erased: {reason}",
                subject.plugin,
                "Laws on personal data outrank the rules of a plugin: do not object to it.",
                {"reason": one_line(error)},
            )
            return
        for table, column, word in _left(crm, words):
            yield Finding(
                NAME,
                "What was {source} is still in {column} after the erasure of the person.",
                f"{table}.{column}",
                "Declare the field personal=True, in a record that refers to the person; better, do not copy what can "
                "be looked up.",
                {"source": words[word], "column": f"{table}.{column}"},
            )


def looks_personal(types: Iterable[RecordType]) -> Iterator[tuple[str, str]]:
    """Fields for mail addresses and telephone numbers, by kind or name, that are not personal: record and field."""
    for record_type in types:
        for field in record_type.fields:
            named = isinstance(field.kind, TextKind) and _REACH.search(f"{field.name} {field.label}")
            if not field.personal and (isinstance(field.kind, EmailKind | PhoneKind) or named):
                yield record_type.name, field.name


def _person(crm: Crm, lively: Lively, accounts: list[int]) -> tuple[int, dict[str, str]]:
    """Somebody whose every personal text is a word of its own; and what each word is."""
    personal = [field.name for field in Contact.crm_type.fields if field.personal and field.name != "birthday"]
    values: dict[str, Any] = {name: lively.word() for name in personal}
    with crm.system_session(PRINCIPAL) as session:
        person = session.add_one(Contact(**values))
        session.flush()
        session.add(Affiliation(contact_id=person.id, account_id=accounts[0]))
        return person.id, {word: f"contact.{name}" for name, word in values.items()}


def _rows(
    subject: Subject, crm: Crm, record_type: RecordType, population: Population, person: int, lively: Lively
) -> dict[str, str]:
    """Rows of a record about the person; the words in their personal fields."""
    ids = {**population.ids, "contact": [person]}
    personal = {field.name for field in record_type.fields if field.personal}
    given = given_fields(subject, record_type, ids)
    there = population.ids.setdefault(record_type.name, [])
    words: dict[str, str] = {}
    if any(field.required and not field.optional and not ids.get(str(field.target)) for field in record_type.refs):
        return words
    for values in drawn(row_strategy(subject, crm, record_type, ids), 6, subject.seeds[0]):
        about = {field.name: person for field in record_type.refs if field.target == "contact"}
        made = {**lively(record_type, values, given), **about}
        # The words that were drawn for other fields are nobody's.
        for name in personal:
            if isinstance(made.get(name), str):
                made[name] = lively.word()
        for attempt in (made, {**values, **about}):
            try:
                with crm.system_session(PRINCIPAL) as session:
                    new = write(session, record_type, attempt)
            except REFUSALS:
                continue
            there.append(new)
            for name in personal & attempt.keys() if about else ():
                words |= dict.fromkeys(marks_in(str(attempt[name])), f"{record_type.name}.{name}")
            break
    return words


def _again(crm: Crm, subject: Subject, person: int, lively: Lively, words: dict[str, str]) -> None:
    """Change every personal text once, so that the journal and whoever copies have both the old and the new one."""
    for record_type in (Contact.crm_type, *subject.types):
        fields = [each for each in record_type.fields if each.personal]
        about = [each.name for each in record_type.refs if each.target == "contact"]
        with crm.system_session(PRINCIPAL, read_only=True) as session:
            rows = session.list(record_type.cls, limit=None, all_dates=True)
            ids = [
                row.id for row in rows if person in (row.id, *(getattr(row, name) for name in about))
            ]  # fmt: skip
        for id_ in ids:
            new = {each.name: lively.word() for each in fields if markable(each)}
            try:
                with crm.system_session(PRINCIPAL) as session:
                    record = session.require(record_type.cls, id_)
                    for name, word in new.items():
                        setattr(record, name, word)
            except REFUSALS:
                continue
            words |= {word: f"{record_type.name}.{name}" for name, word in new.items()}


def _left(crm: Crm, words: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Where any of the words still stands, in any table of the database: table, column, word."""
    wanted, seen = set(words), set()
    metadata = MetaData()
    with crm.store.engine.connect() as connection:
        metadata.reflect(connection)
        for table in metadata.tables.values():
            try:
                rows: Any = connection.execute(select(table)).mappings().all()
            except DatabaseError:
                continue  # the inside of a full-text index, which is read through its own table
            for row in rows:
                for column, value in row.items():
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    for word in marks_in(text) & wanted:
                        if (table.name, column) not in seen:
                            seen.add((table.name, column))
                            yield table.name, str(column), word


CHECK = Check(
    NAME,
    "After the erasure of a person none of their personal values is left in rows, journal, search index or match keys.",
    _look,
    database=True,
)
