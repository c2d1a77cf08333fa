"""What every session is beneath: a SQLAlchemy session with ids and a connection at hand, and no way past the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

from sqlalchemy import Executable, Result
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from crm_core.errors import Conflict, Contention, NotFound, StoreError, UnsupportedStatement
from crm_core.records import RecordType
from crm_core.store.actor import Actor
from crm_core.store.statistics import Grown, refresh

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from crm_core.records import Types
    from crm_core.store.ids import IdSource
    from crm_core.store.policy import Policy
    from crm_core.store.store import Store
    from crm_core.store.writer import Mark, Writer

__all__ = ["SessionBase"]

T = TypeVar("T")
_OTHERS_HOLD = ("40P01", "40001", "55P03")  # PostgreSQL: deadlock, serialization failure, lock not available


class SessionBase(Session):
    """The build, the actor and the connection of a session."""

    store: Store
    actor: Actor
    ids: IdSource
    grown: Grown
    _bound: Engine | Connection
    writer: Writer
    _marks: dict[Any, Mark]
    _held: tuple[Any, Any]
    _given: set[int]
    _handed: set[int]
    _change_set_id: int | None

    @property
    def types(self) -> Types:
        """The record types of the build."""
        return self.store.types

    @property
    def policy(self) -> Policy:
        """Roles, vocabularies, custom fields of the build."""
        return self.store.policy

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.store.dialect

    @property
    def user_id(self) -> int:
        """The id of the acting user; a system principal has none and gets :class:`NotFound`."""
        if self.actor.user_id is None:
            raise NotFound(
                "{principal} is a system principal, not a user.",
                mend="Name the user explicitly.",
                principal=self.actor.principal,
            )
        return self.actor.user_id

    def driver_moment(self, moment: dt.datetime) -> Any:
        """A moment in the form in which the driver takes it."""
        return moment.isoformat(" ", "microseconds") if self.dialect == "sqlite" else moment

    def _own_type(self, record_type: RecordType) -> RecordType:
        if self.types.get(record_type.name) is not record_type:
            raise UnsupportedStatement(
                "{record} belongs to the plugin {plugin}, which is not part of this build.",
                mend="Add it to the plugins of the build file.",
                record=record_type.name,
                plugin=record_type.plugin,
            )
        return record_type

    def clock(self) -> dt.datetime:
        """The present moment, never running backwards within this session."""
        moment = self.store.clock()
        self._latest = max(moment, getattr(self, "_latest", moment))
        return self._latest

    # -- ids --------------------------------------------------------------------------------------------------

    def next_id(self) -> int:
        """A fresh id, for a record that is added in this session."""
        id_ = self._fresh_id()
        if not self.actor.system:
            self._handed.add(id_)
        return id_

    def _fresh_id(self) -> int:
        given = self.ids.ready()
        return self.ids.next(self.core_connection()) if given is None else given

    def change_set_id(self) -> int:
        """The id of the current change set."""
        if self._change_set_id is None:
            self._change_set_id = self._fresh_id()
        return self._change_set_id

    def _require_own(self, ids: Iterable[int], record_type: RecordType) -> None:
        """An id that somebody made up may be another record's, and the refusal of the database would tell so."""
        if not self.actor.system and (strange := set(ids) - self._handed):
            raise UnsupportedStatement(
                "The id {id} was not given out by this session.",
                mend="Leave it out, or take it from session.next_id().",
                record=record_type.name,
                id=min(strange),
            )

    def on_pending(self, record: Any) -> None:
        """A record was added: it gets its id now, so that others can refer to it."""
        record_type = self._own_type(record.crm_type)
        state = record.__dict__
        if state.get("id") is None:
            if record_type.extends:
                raise StoreError(
                    "The extension {record} has no id.",
                    mend="Give it the id of the record it extends: extension.id = account.id.",
                    record=record_type.name,
                )
            record.id = self._fresh_id()
            self._given.add(record.id)
        elif not record_type.extends and state["id"] not in self._given:
            self._require_own((state["id"],), record_type)
        if state.get("custom") is None:
            record.custom = {}

    def on_transient(self, record: Any) -> None:
        """A record did not come into being after all: the id it was given here may be given to another."""
        if record.__dict__.get("id") in self._given:
            del record.__dict__["id"]

    # -- the connection ----------------------------------------------------------------------------------------

    @property  # type: ignore[override]  # SQLAlchemy has an attribute
    def bind(self) -> Engine | Connection:
        """The engine of a session of the system; refused to a user's, as :meth:`connection` is."""
        self._require_system("session.bind")
        return self._bound

    @bind.setter
    def bind(self, bound: Engine | Connection) -> None:
        self._bound = bound

    def get_bind(self, mapper: Any = None, *, clause: Any = None, bind: Any = None, **arguments: Any) -> Any:
        """For SQLAlchemy, which says what it is for. Asked without, it is :attr:`bind`, with the same refusal."""
        if mapper is None and clause is None and bind is None:
            self._require_system("get_bind()")
        return bind or self._bound

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        """The raw connection of the current transaction, past visibility and journal: for sessions of the system.

        Raises :class:`~crm_core.errors.UnsupportedStatement` in the session of a user.
        """
        self._require_system("connection()")
        return super().connection(*args, **kwargs) if args or kwargs else self.core_connection()

    def core_connection(self) -> Connection:
        """The store's own connection, without visibility; for the kernel only."""
        # Finding it anew costs more than a small statement; a savepoint begins where it first asks for it.
        transaction = self.get_nested_transaction() or self.get_transaction()
        if transaction is None or self._held[0] is not transaction:
            connection = super().connection(bind_arguments={"bind": self._bound})
            self._held = (self.get_nested_transaction() or self.get_transaction(), connection)
        held: Connection = self._held[1]
        return held

    def _about_savepoint(
        self, words: Literal["SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT"], name: str
    ) -> None:
        """Set one past SQLAlchemy, which would write what is pending and expire what was read; for the kernel only."""
        self.core_connection().exec_driver_sql(f"{words} {name}")

    def _require_system(self, form: str) -> None:
        if not self.actor.system:
            raise UnsupportedStatement(
                "{form} reaches every row, past visibility and journal; a user's session has none.",
                mend="Write session.execute(select(...)) over record classes. What must see everything asks"
                " session.as_system(reason), or is done in crm.system_session(name).",
                form=form,
            )

    def on_transaction_end(self) -> None:
        """The transaction, and with it the connection, is gone."""
        self._held = (None, None)
        if tables := self.grown.take():
            refresh(self.store.engine, tables)

    def core(self, statement: Executable, parameters: Any = None) -> Result[Any]:
        """The store's own statement, without visibility; for the kernel only."""
        return self.core_connection().execute(statement, parameters)

    def _translated(self, work: Callable[[], T]) -> T:
        """What the database refuses, in words."""
        try:
            return work()
        except StaleDataError as error:
            raise Contention(
                "Somebody else changed the same record meanwhile.", mend="Read it again and repeat the change."
            ) from error
        except IntegrityError as error:
            raise Conflict(
                "The database refuses the change: {reason}.",
                mend="A record it refers to is gone, or a technical key is taken; read again and repeat.",
                reason=str(error.orig).splitlines()[0],
            ) from error
        except OperationalError as error:
            # Waiting too long for another writer, or two that wait for each other, is nobody's mistake.
            if "locked" in str(error.orig) or getattr(error.orig, "sqlstate", "") in _OTHERS_HOLD:
                raise Contention("Another writer holds the database.", mend="Repeat the change.") from error
            raise

    # -- savepoints --------------------------------------------------------------------------------------------

    def mark(self, transaction: Any) -> None:
        """A savepoint begins: remember how far the log had come."""
        self._marks[transaction] = self.writer.mark()

    def back_to_mark(self, transaction: Any) -> None:
        """A savepoint was rolled back: what was logged since did not happen."""
        mark = self._marks.pop(transaction, None)
        if mark is not None:
            self.writer.back(mark)
            self.ids.savepoint_lost()

    def savepoint_mark(self) -> Mark | None:
        """Where the innermost open savepoint began."""
        return self._marks.get(self.get_nested_transaction())

    # -- forms that would bypass the write path ----------------------------------------------------------------

    def merge(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: see the message."""
        self._refuse("merge()", "session.get() and assign, or session.update_many()")

    def bulk_save_objects(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: see the message."""
        self._refuse("bulk_save_objects()", "session.add_many()")

    def bulk_insert_mappings(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: see the message."""
        self._refuse("bulk_insert_mappings()", "session.add_many()")

    def bulk_update_mappings(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: see the message."""
        self._refuse("bulk_update_mappings()", "session.update_many()")

    def _refuse(self, form: str, instead: str) -> NoReturn:
        raise UnsupportedStatement(
            "{form} would bypass checks and journal.", mend="Write {instead}.", form=form, instead=instead
        )
