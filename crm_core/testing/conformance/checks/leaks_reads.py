"""No way of reading the plugin's records, or the customers beneath them, gives what a user may not see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import delete, select, update
from sqlalchemy.exc import InvalidRequestError

from crm_core.errors import Conflict, CrmError, ExpressionError, NotFound, PermissionDenied
from crm_core.fields.kinds import FlagKind, TextKind
from crm_core.records import Public, RecordType
from crm_core.store.restricted import attributes_of
from crm_core.testing.conformance.exported import exported
from crm_core.testing.conformance.looks import LOOKS, counts, navigations, one_by_one
from crm_core.testing.conformance.oracle import widened
from crm_core.testing.conformance.organisations import Organisation, open_organisation, organisations
from crm_core.testing.conformance.report import Check, Finding

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm
    from crm_core.store.session import CrmSession
    from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECK", "CUSTOMERS"]

NAME = "leaks-reads"
CUSTOMERS = ("account", "contact", "activity")
"""The kernel's records that a plugin might open to people who are not to see them."""

_TURNS = 4
"""Compiling a statement costs more than running it, so each user looks in every fourth way, the next one in the next.
"""

_MEND = (
    "Look at who may see it by its declaration (access=), at the roles that the plugin adds grants to, and at whatever "
    "the plugin does to the classes of records."
)


def _look(subject: Subject) -> Iterator[Finding]:
    yield from _declarations(subject)
    told: set[tuple[str, str]] = set()
    for organisation, address in organisations(subject):
        with open_organisation(subject, address, organisation.now) as crm:
            for number, user in enumerate(sorted(organisation.logins)):
                look = Look(subject, crm, organisation, user, organisation.seed + number)
                for leak in look.leaks():
                    if (leak.record, leak.way) not in told:  # one example of each is enough to mend it
                        told.add((leak.record, leak.way))
                        yield look.finding(leak)


def _declarations(subject: Subject) -> Iterator[Finding]:
    for record_type in subject.types:
        if not isinstance(record_type.access, Public):
            continue
        for field in record_type.refs:
            target = subject.build.types[str(field.target)]
            if not isinstance(target.access, Public):
                yield Finding(
                    NAME,
                    "Everybody may see {record}, and with it which {target} it is about.",
                    f"{record_type.name}.{field.name}",
                    "Declare it access=via({field!r}), or move what is for everybody to a record without the "
                    "reference.",
                    {"record": record_type.name, "target": target.name, "field": field.name},
                )


@attrs.frozen
class Leak:
    """What was seen of a record type in one way, and should not have been."""

    record: str
    way: str
    ids: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    count: int = 0


@attrs.frozen(eq=False)
class Look:
    """One user's look at everything; ``turn`` chooses among the ways, and the shape of the visibility condition."""

    subject: Subject
    crm: Crm
    organisation: Organisation
    user: int
    turn: int

    def leaks(self) -> Iterator[Leak]:
        """Everything that is seen and should not be."""
        with self.session() as session:
            for name in CUSTOMERS:
                ids = session.scalars(select(self.crm.types[name].cls.id)).all()
                yield from _extra(name, "columns", ids, self.organisation.oracle.visible(self.user, name))
            for record_type in self.subject.types:
                yield from self._rows(session, record_type)
                yield from self._one_by_one(session, record_type)
                yield from self._navigations(session, record_type)
                yield from self._restricted(session, record_type)
            yield from self._searches(session)
        for record_type in self.subject.types:
            yield from self._exports(record_type)
            yield from self._other_days(record_type)
            yield from self._changes(record_type)

    def session(self, **options: Any) -> CrmSession:
        """A session of the user, which only reads unless it is told otherwise."""
        given = options or {"read_only": True}
        session = self.crm.session(self.organisation.logins[self.user], **given)
        session.visibility.__dict__["wide"] = bool(self.turn // _TURNS % 2)
        return session

    def finding(self, leak: Leak) -> Finding:
        """The leak in words."""
        values = {
            "user": self.organisation.logins[self.user],
            "way": leak.way,
            "record": leak.record,
            "ids": ", ".join(map(str, leak.ids[:5])) or "-",
            "words": ", ".join(leak.words[:5]),
            "count": leak.count,
            "seed": self.organisation.seed,
            "grants": self._grants(),
        }
        if leak.ids:
            what = "{user} gets {record} {ids} by {way}, which they may not see (seed {seed})."
        elif leak.words:
            what = "{user} reads {words} by {way} of {record}, which they may not see (seed {seed})."
        else:
            what = "{user} counts {count} too many of {record} by {way} (seed {seed})."
        mend = "Remove from the plugin's roles what is not about its own records: {grants}."
        return Finding(NAME, what, leak.record, mend if values["grants"] else _MEND, values)

    def _grants(self) -> str:
        return ", ".join(f"{pattern} ({role})" for role, pattern, _ in widened(self.crm.build, self.subject.plugin))

    # -- ways --------------------------------------------------------------------------------------------------

    def _rows(self, session: CrmSession, record_type: RecordType) -> Iterator[Leak]:
        cls, name, oracle = record_type.cls, record_type.name, self.organisation.oracle
        expected, ever = oracle.visible(self.user, name), oracle.visible(self.user, name, all_dates=True)
        for way, find in [*LOOKS.items()][self.turn % _TURNS :: _TURNS]:
            found = list(find(session, cls))
            yield from _extra(name, way, found, expected)
            if len(found) > len(set(found)):
                yield Leak(name, way, count=len(found) - len(set(found)))
        whole = session.scalars(select(cls.id), execution_options={"all_dates": True})
        yield from _extra(name, "all dates", whole, ever)
        for way, number in counts(session, cls).items():
            if number is None or number > len(expected):
                yield Leak(name, way, count=(number or 0) - len(expected))
        for field in [field for field in record_type.fields if not field.restricted][self.turn % _TURNS :: _TURNS]:
            try:
                listed = [each.id for each in session.list(cls, order=f"{field.name} desc", limit=None)]
            except ExpressionError:
                continue  # no order is declared for such values
            yield from _extra(name, f"order by {field.name}", listed, expected)

    def _one_by_one(self, session: CrmSession, record_type: RecordType) -> Iterator[Leak]:
        oracle, name = self.organisation.oracle, record_type.name
        ever = oracle.visible(self.user, name, all_dates=True)
        hidden = [id_ for id_ in sorted(oracle.rows[name]) if id_ not in ever]
        for way, ids in one_by_one(session, record_type.cls, {*hidden[:3], *sorted(ever)[:1]}).items():
            yield from _extra(name, way, ids, ever)

    def _navigations(self, session: CrmSession, record_type: RecordType) -> Iterator[Leak]:
        oracle = self.organisation.oracle
        for parent in record_type.parents[self.turn % 2 :: 2]:
            target = str(record_type.by_name[parent.field].target)
            if parent.field != f"{parent.name}_id":
                continue
            for way, found in navigations(session, record_type.cls, parent.name).items():
                ids = {id_ for id_ in found.values() if id_ is not None and way != "has"}
                seen = {id_ for id_ in ids if oracle.sees(self.user, target, id_)}
                yield from _extra(target, f"{way} along {record_type.name}.{parent.name}", ids, seen)

    def _restricted(self, session: CrmSession, record_type: RecordType) -> Iterator[Leak]:
        for field in record_type.restricted:
            if self.organisation.oracle.reads(self.user, str(field.restricted)):
                continue
            for way, ask in (
                ("a filter", lambda name=field.name: session.list(record_type.cls, f"{name} is None")),
                ("an order", lambda name=field.name: session.list(record_type.cls, order=name)),
                ("a count", lambda name=field.name: session.count(record_type.cls, f"{name} is not None")),
                ("a column", lambda name=field.name: _column(session, record_type, name)),
            ):
                try:
                    ask()
                except (CrmError, InvalidRequestError):
                    continue
                yield Leak(f"{record_type.name}.{field.name}", way, words=(field.name,))

    def _searches(self, session: CrmSession) -> Iterator[Leak]:
        wanted = {record_type.name for record_type in self.subject.types}
        for word, places in self.organisation.marks.items():
            if self.organisation.hidden(self.user, word) and any(place.record in wanted for place in places):
                hits = session.search(word)
                if hits:
                    yield Leak(places[0].record, "a search", words=(word,))

    def _exports(self, record_type: RecordType) -> Iterator[Leak]:
        oracle = self.organisation.oracle
        ever = oracle.visible(self.user, record_type.name, all_dates=True)
        with self.session() as session:
            for way, text, ids in exported(session, record_type):
                yield from _extra(record_type.name, way, ids, ever)
                hidden = self.hidden(text)
                if hidden:
                    yield Leak(record_type.name, way, words=hidden)

    def hidden(self, text: str) -> tuple[str, ...]:
        """The words in a text that the user may not read."""
        from crm_core.testing.conformance.marks import marks_in

        return tuple(sorted(word for word in marks_in(text) if self.organisation.hidden(self.user, word)))

    def _other_days(self, record_type: RecordType) -> Iterator[Leak]:
        """At another day the rows are those of the day, and the rights those of today; in the past likewise."""
        oracle, cls, name = self.organisation.oracle, record_type.cls, record_type.name
        ever = oracle.visible(self.user, name, all_dates=True)
        for way, options in (
            ("the business of a month ago", {"at": self.organisation.now.replace(year=self.organisation.now.year - 1)}),
            ("the recorded past", {"as_of": self.organisation.now}),
        ):
            with self.session(**options) as session:
                yield from _extra(name, way, [each.id for each in session.list(cls, limit=None)], ever)
                if session.count(cls) > len(ever):
                    yield Leak(name, way, count=session.count(cls) - len(ever))

    def _changes(self, record_type: RecordType) -> Iterator[Leak]:
        """An update or delete by criteria touches nothing that is not seen; all of it is taken back."""
        oracle, cls, name = self.organisation.oracle, record_type.cls, record_type.name
        seen = oracle.visible(self.user, name)
        field = _harmless(record_type)
        statements: list[tuple[str, str, Any]] = [("delete", "delete by criteria", delete(cls).where(cls.id > 0))]
        if field is not None:
            statements.append(
                ("update", "update by criteria", update(cls).values({field[0]: field[1]}).where(cls.id > 0))
            )
        for verb, way, statement in statements:
            with self.session(reason="conformance") as session:
                try:
                    count = getattr(session.execute(statement), "rowcount", 0)
                except (PermissionDenied, Conflict, NotFound):
                    session.rollback()
                    continue
                session.rollback()
            allowed = {id_ for id_ in seen if oracle.may(self.user, name, id_, verb)}
            if count > len(allowed):
                yield Leak(name, way, count=count - len(allowed))


def _column(session: CrmSession, record_type: RecordType, name: str) -> Sequence[Any]:
    field = record_type.by_name[name]
    attribute: Any = getattr(record_type.cls, sorted(attributes_of(field))[0])
    return session.execute(select(record_type.cls.id, attribute)).all()


def _harmless(record_type: RecordType) -> tuple[str, Any] | None:
    """A field on which no access depends, with a value for it."""
    for field in record_type.fields:
        if field.restricted or field.vocabulary:
            continue
        if type(field.kind) is TextKind:
            return field.name, "x"
        if isinstance(field.kind, FlagKind):
            return field.name, True
    return None


def _extra(record: str, way: str, found: Iterable[int | None], expected: set[int]) -> Iterator[Leak]:
    extra = sorted({id_ for id_ in found if id_ is not None} - expected)
    if extra:
        yield Leak(record, way, ids=tuple(extra))


CHECK = Check(
    NAME,
    "No read path of its records (lists, counts, filters, search, history, exports, every form of statement) gives "
    "what the actor may not see, in organisations made up by chance.",
    _look,
    database=True,
)
