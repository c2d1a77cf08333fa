"""The session: a SQLAlchemy session that knows who acts, what they may see, and keeps the journal."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from crm_core.errors import NotFound
from crm_core.records import Record, RecordType
from crm_core.store import bulk_rows
from crm_core.store.actor import Actor
from crm_core.store.changes import ChangeSet
from crm_core.store.gathered import GatheredVisibility
from crm_core.store.journal import Entry, Head
from crm_core.store.noting import Noted, Served
from crm_core.store.reading import Reading, get_options
from crm_core.store.session_base import SessionBase
from crm_core.store.statistics import Grown
from crm_core.store.tracking import track_deletes, track_flush
from crm_core.store.visibility import Visibility
from crm_core.store.writer import Mark, Writer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from crm_core.store.duplicates import Candidate
    from crm_core.store.explain import Ground
    from crm_core.store.history import History
    from crm_core.store.ids import IdSource
    from crm_core.store.search.hits import Hit
    from crm_core.store.store import Store

__all__ = ["CrmSession"]

R = TypeVar("R", bound=Record)
T = TypeVar("T")

# Inside the class, ``list`` is the method.
List_: TypeAlias = list


class CrmSession(SessionBase):
    """One person's (or system principal's) work with the CRM: reads see what they may see, writes are journalled.

    Leaving the ``with`` block commits; an exception rolls back. ``at`` is the moment in the business that dated
    records are read for, ``as_of`` the moment in the system's own past; with either the session only reads. One
    session belongs to one thread.
    """

    def __init__(
        self,
        store: Store,
        actor: Actor,
        *,
        bind: Engine | Connection,
        now: dt.datetime,
        at: dt.datetime | None = None,
        as_of: dt.datetime | None = None,
        reason: str | None = None,
        source: str = "session",
        read_only: bool = False,
        streaming: bool = False,
    ) -> None:
        # Values stay readable after the commit: lost updates are caught by versions, not by reloading.
        super().__init__(bind, expire_on_commit=False, autoflush=True)
        self.store = store
        self.actor = actor
        self.now = now
        self.at = at or now
        self.at_given = at is not None
        self.as_of = as_of
        self.reason = reason
        self.source = self._source = source
        self.read_only = read_only
        self.streaming = streaming
        self.undoes: int | None = None
        self.last_change_set: int | None = None
        self.writer = Writer(self)
        self.ids: IdSource = store.id_source()
        self._last_steps: List_[Callable[[Connection], None]] = []
        self._change_set_id: int | None = None
        self._held: tuple[Any, Any] = (None, None)
        self._given: set[int] = set()
        self._handed: set[int] = set()
        self._marks: dict[Any, Mark] = {}
        self._elevated: list[CrmSession] = []
        self._guest = False
        self._reading = Reading(self)
        self.noted = Noted()
        self.grown = Grown()

    # -- what the session knows --------------------------------------------------------------------------------

    @functools.cached_property
    def visibility(self) -> Visibility:
        """What the actor may see and change."""
        return Visibility(self.types, self.policy, self.actor, self.now, lambda: self.store.owned_count(self))

    @functools.cached_property
    def gathered(self) -> GatheredVisibility:
        """The same, for statements that read all of it."""
        return GatheredVisibility(self.types, self.policy, self.actor, self.now, lambda: self.store.owned_count(self))

    @property
    def duplicates(self) -> List_[Candidate]:
        """What the records that this session created might be doubles of, as far as the actor sees those.

        Known after :meth:`check` and after the commit, until the next transaction; at most a thousand are kept
        (``session.noted.count`` counts them all).
        """
        return self.noted.candidates

    @property
    def served(self) -> List_[Served]:
        """Of which records that this session created the customer is served already, out of the actor's sight.

        Empty unless the build says otherwise (``[duplicates] tell``).
        """
        return self.noted.served

    def can(self, permission: str) -> bool:
        """Whether any role of the actor grants ``permission`` at some scope."""
        return not self.visibility.reach(permission).nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.close()

    def rollback(self) -> None:
        """Take back what was not committed; an elevated session only forgets, because the transaction is its host's."""
        if self._guest:
            self.expunge_all()
        else:
            super().rollback()

    def close(self) -> None:
        """End the session; whatever was not committed is rolled back."""
        for elevated in self._elevated:
            elevated.close()
        self._elevated.clear()
        super().close()
        self.on_end(committed=False)

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """The record with this id, or ``None`` if there is none that the actor may see; validity does not matter."""
        if self.as_of is not None:
            return self._reading.as_of_one(entity, ident)
        execution_options = {**(options.pop("execution_options", None) or {}), **get_options()}
        return super().get(entity, ident, execution_options=execution_options, **options)

    def require(self, entity: type[R], ident: int) -> R:
        """Like ``get``, but raises :class:`NotFound` instead of returning ``None``."""
        found: R | None = self.get(entity, ident)
        if found is None:
            from crm_core.store.merging import tell_merged

            tell_merged(self, entity.crm_type, ident)
            raise NotFound(
                "There is no {record} {id}.",
                mend="Check the id, or ask whoever is responsible for it.",
                record=entity.crm_type.name,
                id=ident,
            )
        return found

    def list(
        self,
        entity: type[R],
        where: str | None = None,
        *,
        order: str | None = None,
        limit: int | None = 50,
        after: Sequence[Any] | None = None,
        all_dates: bool = False,
    ) -> List_[R]:
        """Records by a filter expression: a keyset page in a total order.

        ``order`` is such as ``"name, created_at desc"`` (the id breaks ties); ``after`` is the :meth:`cursor` of the
        last record of the page before. Works for the past too (``as_of``), for filters over own fields.
        """
        return self._reading.list(entity, where, order, limit, after, all_dates)

    def cursor(self, record: Record, order: str | None = None) -> tuple[Any, ...]:
        """Where ``record`` stands in an order: the ``after`` of the next page."""
        return self._reading.cursor(record, order)

    def count(self, entity: type[Record], where: str | None = None, *, all_dates: bool = False) -> int:
        """How many records that the actor may see match."""
        return self._reading.count(entity, where, all_dates)

    def search(self, query: str, types: Iterable[str | type[Record]] | None = None, limit: int = 20) -> List_[Hit]:
        """The records that hold every word of ``query``, the best first: ``session.search("海尔 采购")``.

        A word of two characters or more is found anywhere in a field declared ``search=True``, also by the pinyin or
        its initials, a telephone number by its digits. A word may stand in the record's account instead, as long as
        one stands in the record. Only what the actor sees is found; dated records at the session's ``at``. ``types``
        limits the hits to record types. Changes of this session are found once they are committed.

        Raises :class:`~crm_core.errors.ValidationError` for a query that says too little,
        :class:`~crm_core.errors.UnsupportedStatement` in a session with ``as_of``, and
        :class:`~crm_core.errors.StoreError` when the index must be built first.
        """
        from crm_core.store.search.hits import search

        return search(self, query, types, limit)

    def where(self, entity: type[Record], expression: str) -> Any:
        """A filter expression as a condition for ``select(entity).where(...)``."""
        return self._reading.condition(entity, expression)

    def refresh(self, instance: Any, attribute_names: Any = None, with_for_update: Any = None) -> None:
        """Reload a record, if the actor may (still) see it."""
        record_type: RecordType = instance.crm_type
        created = self.writer.created.of(record_type)
        if instance.id not in created and not self.writer.visible_ids(record_type, {instance.id}):
            raise NotFound("There is no {record} {id}.", record=record_type.name, id=instance.id)
        super().refresh(instance, attribute_names, with_for_update)

    def explain(self, record: Record) -> List_[Ground]:
        """Why the actor sees the record: every ground, in words; empty when they do not."""
        from crm_core.store.explain import explain

        return explain(self, record)

    def history(self, record: Record | type[Record] | str, id_: int | None = None) -> History:
        """All changes of a record, oldest first: when, who, why, and the fields before and after.

        A record is given itself, or by its type (or the name of that) and id: so one asks for a deleted one, and for
        those of a plugin that is not loaded, which is for scope all. Fields that the actor may not read are left out,
        and what is not yet committed is not in it. Where a part of it is detached, ``begins`` of what is returned says
        from when on it is whole. Raises :class:`NotFound` when there is nothing that the actor sees.
        """
        from crm_core.store.history import history_of

        return history_of(self, record, id_)

    def as_system(self, reason: str) -> CrmSession:
        """A read-only session of the system on the same transaction, for checks that must see more than the actor.

        It has its own identity map; hand on values of its records, not the records.
        """
        from crm_core.store.actor import system_actor

        self.flush()
        elevated = CrmSession(
            self.store,
            system_actor(f"system:{reason}"),
            bind=self.core_connection(),
            now=self.now,
            at=self.at,
            reason=reason,
            read_only=True,
        )
        elevated._guest = True
        self._elevated.append(elevated)
        return elevated

    def untaken(self, account_ids: Sequence[int], scope: str = "") -> set[int]:
        """Those of these accounts that no pool of the build would take if nobody owned them in ``scope``."""
        from crm_core.store.pools.free import untaken

        return untaken(self, account_ids, scope)

    def changed_by(self, record_type: RecordType, ids: Iterable[int]) -> dict[int, dict[int, int | None]]:
        """By record the change sets that changed it, as the journal has it, each with its user (``None``: a system)."""
        from crm_core.store.history import makers

        return makers(self, record_type, ids)

    # -- writing -----------------------------------------------------------------------------------------------

    def add_one(self, record: R) -> R:
        """Add a record and return it, with its id."""
        self.add(record)
        return record

    def add_many(self, entity: type[Record], rows: Iterable[Mapping[str, Any]], *, batch: int = 1000) -> List_[int]:
        """Create many records from plain mappings, without building objects; returns their ids in order.

        A mapping may give its ``id`` (from :meth:`next_id`). Everything that holds for single records holds here.
        Raises :class:`~crm_core.errors.ValidationError` for the first bad row.
        """
        return bulk_rows.add(self, entity, rows, batch)

    def update_many(self, entity: type[Record], rows: Iterable[Mapping[str, Any]], *, batch: int = 1000) -> int:
        """Change many records: each mapping has the ``id`` and the fields to change. Returns how many changed."""
        return bulk_rows.change(self, entity, rows, batch)

    def delete_many(self, entity: type[Record], ids: Iterable[int]) -> int:
        """Delete records by id with all that hangs on them; returns how many rows went."""
        self.flush()
        return self._translated(lambda: self.writer.delete(self._own_type(entity.crm_type), ids))

    def check(self) -> None:
        """Write what is pending and let rules and plugins object now rather than at the commit."""
        self._translated(self.writer.check)

    def undo(
        self,
        change_set: int | ChangeSet,
        *,
        dry_run: bool = False,
        only: Mapping[str, Collection[int]] | None = None,
    ) -> Any:
        """Undo a change set as a new one, or what it did to ``only`` these; see :func:`crm_core.store.undo.undo`."""
        from crm_core.store.undo import undo

        id_ = change_set if isinstance(change_set, int) else change_set.id
        return undo(self, id_, dry_run=dry_run, only=only)

    def erase(self, record: Record, *, reason: str) -> int:
        """Erase personal data for good; see :func:`crm_core.domain.contacts.erase`."""
        from crm_core.store.erasure import erase

        return erase(self, record, reason)

    def erase_texts(self, record: Record, *names: str, reason: str) -> int:
        """Erase texts of a record for good; see :func:`crm_core.domain.contacts.erase_texts`."""
        from crm_core.store.erasure import erase_texts

        return erase_texts(self, record, names, reason)

    def flush(self, objects: Any = None) -> None:
        """Write pending changes; lost updates are reported as :class:`Conflict`."""
        self._translated(lambda: super(CrmSession, self).flush(objects))

    def commit(self) -> None:
        """Check, journal and commit."""
        self._translated(super().commit)

    def kernel_reactions(self, batches: Sequence[tuple[RecordType, List_[Entry]]]) -> None:
        """What the kernel itself does when records change."""
        from crm_core.store.reactions import react

        react(self, batches)

    def head(self) -> Head:
        """Who and why, for the journal."""
        return Head(self.actor.principal, self.actor.user_id, self.reason, self.source, self.undoes)

    # -- what SQLAlchemy tells us ------------------------------------------------------------------------------

    def on_flush(self) -> None:
        """Gather what will be written, before it is."""
        track_deletes(self)
        track_flush(self)

    def on_commit(self) -> None:
        """Check and journal, inside the transaction."""
        if self.in_nested_transaction():
            return
        self.writer.check()
        self.writer.flush_journal()
        if self.writer.journal.change_set_id is not None:
            connection = self.core_connection()
            self.last_change_set = self.writer.journal.close(connection, self.head(), self.clock())
        if self.ids.uncertain:
            self.ids.secure(self.core_connection())

        for step in self._last_steps:
            step(self.core_connection())

    def at_commit(self, step: Callable[[Connection], None]) -> None:
        """Let ``step`` do its part of each commit of this session, as the last before the database's; for jobs only.

        What it raises stops the commit.
        """
        self._last_steps.append(step)

    def on_end(self, committed: bool) -> None:
        """The outermost transaction is over."""
        self.writer.forget(committed=committed)
        self.noted.end(committed=committed)
        self.grown.end(committed=committed)
        self._change_set_id = None
        self._marks.clear()
        self._given.clear()
        self.source, self.undoes = self._source, None
        if committed:
            self.ids.committed()
        else:
            self.ids.rolled_back()
