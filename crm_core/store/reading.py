"""Reading: every statement gets the actor's visibility and the session's time before it runs."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, func, inspect, select
from sqlalchemy.orm import Mapper, ORMExecuteState

from crm_core.errors import PermissionDenied, UnsupportedStatement
from crm_core.fields.field import Field
from crm_core.records import Record, RecordType
from crm_core.records.mapping import record_type_target
from crm_core.store.froms import make_orm
from crm_core.store.guard import Footprint, inspect_statement, trusted
from crm_core.store.options import inspect_options
from crm_core.store.planning import planned_once
from crm_core.store.restricted import attributes_of, open_options
from crm_core.store.shapes import Criteria, Kept, Shape, Way, values_of
from crm_core.store.values import key_column
from crm_core.store.walking import Asked, chosen_page

if TYPE_CHECKING:
    from crm_core.expressions import Environment, Filter, Order
    from crm_core.store.session import CrmSession

__all__ = ["GET", "Reading", "get_options"]

GET = "crm_get"
_TOKEN = object()
_GATHER = "crm_gather"
"""Execution option: a statement reads all that the actor sees."""
_CHOSEN = "crm_chosen"
"""Execution option: the ids that a statement reads are chosen by a subquery with visibility and time inside."""

# What is known of each statement, and asks for nothing of SQLAlchemy.
_USUAL = frozenset({"all_dates", _GATHER, "_sa_orm_load_options", "_result_disable_adapt_to_context"})
_BOUND = frozenset({"clause", "mapper"})


def get_options() -> dict[str, Any]:
    """Execution options by which the session marks its own look-ups by id."""
    return {GET: _TOKEN, "all_dates": True}


@functools.cache
def _footprint_of_get(mapper: Mapper[Any]) -> Footprint:
    """What ``get`` touches without options of the caller's: SQLAlchemy makes it the same statement each time."""
    return inspect_statement(select(mapper), loading=True)


class Reading:
    """The reading half of one session; criteria are made once for all whose rights have the same shape."""

    def __init__(self, session: CrmSession) -> None:
        self.session = session
        self._each = False
        self._read: dict[Any, Sequence[Any]] = {}

    @contextmanager
    def each_by_itself(self) -> Iterator[None]:
        """What is read meanwhile concerns few records: to look at each costs less than to gather all that is seen."""
        if self._each:
            yield
            return
        self._each, self._read = True, {}
        try:
            with planned_once(self.session.core_connection()):
                yield
        finally:
            self._each, self._read = False, {}

    def once(self, statement: Any, given: Mapping[str, Any], *, all_dates: bool = False) -> Sequence[Any]:
        """The rows of a kept statement. Within :meth:`each_by_itself`, what several ask for is read once.

        It is read anew where this transaction has written anything, or is about to.
        """
        session = self.session
        told = self._each and not (session.writer.wrote or session.new or session.dirty or session.deleted)
        values = tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in given.items())
        key = (statement, values, all_dates)
        if told and key in self._read:
            return self._read[key]
        rows = session.execute(statement, given, execution_options={"all_dates": all_dates}).all()
        if told:
            self._read[key] = rows
        return rows

    @functools.cached_property
    def _shape(self) -> Shape:
        return self.session.store.shapes.of(self.session.actor)

    @functools.cached_property
    def _values(self) -> Mapping[str, Any]:
        return values_of(self.session.actor, self.session.now, self.session.at)

    # -- statements --------------------------------------------------------------------------------------------

    def on_execute(self, state: ORMExecuteState) -> Any:
        """Add visibility and time to a statement, or refuse it."""
        session = self.session
        if session.as_of is not None:
            raise UnsupportedStatement(
                "A statement cannot look into the recorded past.",
                mend="Use session.list(Record, where='...') or session.get() in a session with as_of.",
            )
        if state.is_update or state.is_delete:
            from crm_core.store.criteria import change_by_criteria

            return change_by_criteria(session, state)
        if state.is_insert:
            raise UnsupportedStatement(
                "insert() would bypass checks and journal.", mend="Write session.add() or session.add_many()."
            )
        loading = state.is_column_load or state.is_relationship_load or state.execution_options.get(GET) is _TOKEN
        _without_ours(state)
        # Of a union SQLAlchemy does not say what it wants a connection for.
        state.bind_arguments.setdefault("clause", state.statement)
        given_options = getattr(state.statement, "_with_options", ())
        options = inspect_options(given_options)
        mapper = state.bind_mapper
        if state.execution_options.get(GET) is _TOKEN and not given_options and mapper is not None:
            footprint = _footprint_of_get(mapper)
        else:
            footprint = inspect_statement(state.statement, options.criteria, loading=loading)
        reachable = self._reachable(footprint.types) if options.given else footprint.types
        all_dates = bool(state.execution_options.get("all_dates")) or (
            state.is_relationship_load and state.loader_strategy_path is not None
        )
        gathered = bool(state.execution_options.get(_GATHER)) and not self._each
        wide = not gathered and self._shape.depends_on_width(reachable) and (self._each or session.visibility.wide)
        way = Way(all_dates, gathered, wide)
        # What comes along navigations was not chosen.
        chosen = state.execution_options.get(_CHOSEN) is _TOKEN and not (loading or options.given)
        plain = not (loading or options.given or chosen)
        kept = self._shape.statements.get(state.statement) if plain else None
        if kept is not None and way in kept:
            found = self._at_once(state, kept[way])
            if found is not None:
                return found
            state.statement = kept[way].statement(state.statement)
            self._bring_values(state)
            return None
        for record_type in footprint.types:
            session._own_type(record_type)
        self._refuse_restricted(footprint.columns | options.opened)
        if options.all_opened:
            self._refuse_restricted((each, field) for each in reachable for field in each.restricted)
        if state.is_column_load:
            self._column_load(state)
            return None
        given = state.statement
        # Following a reference never loses its row: what only options bring in is not dated.
        added: list[Any] = [
            self._shape.option(each, _mapped(each), not all_dates and each in footprint.types, way)
            for each in (() if chosen else reachable)
        ]
        added += open_options(self, given)
        if any(option is not None for option in added):
            state.statement = given.options(*(option for option in added if option is not None))
            make_orm(state.statement, next(iter(footprint.types)).cls)
            self._bring_values(state)
        elif chosen:
            self._bring_values(state)
        if plain:
            self._shape.statements.setdefault(given, {})[way] = Kept(given, state.statement)
        return None

    def _at_once(self, state: ORMExecuteState, kept: Kept) -> Any:
        """The answer to a kept statement past SQLAlchemy; ``None`` where somebody wants more of it than its rows."""
        given = state.parameters or {}
        usual = _USUAL.issuperset(state.execution_options) and _BOUND.issuperset(state.bind_arguments)
        if not usual or isinstance(given, Sequence):
            return None
        session = self.session
        text = kept.ready(state.statement, session.store.engine.dialect)
        if text is None:
            return None
        session._autoflush()  # as SQLAlchemy does before it executes
        statement = kept.statement(state.statement)
        return text.execute(statement, session.core_connection(), {**given, **self._values})

    def _bring_values(self, state: ORMExecuteState) -> None:
        """What stands for the parameters of the conditions, whatever else of their names is given."""
        given = state.parameters
        if isinstance(given, Sequence):
            state.parameters = [{**each, **self._values} for each in given]
        else:
            state.parameters = {**(given or {}), **self._values}

    def _column_load(self, state: ORMExecuteState) -> None:
        """Reloading an object's columns ignores loader criteria, so the condition is added openly."""
        held: Any = getattr(state.load_options, "_refresh_state", None)
        statement: Any = state.statement
        for mapper in state.all_mappers:
            record_type = mapper.class_.crm_type
            criterion = self.session.visibility.criterion(record_type, record_type.table)
            # What was created in this transaction may have no owner yet.
            own = held is not None and held.key[1][0] in self.session.writer.created.of(record_type)
            if criterion is not None and not own:
                statement = statement.where(criterion)
            self._close(record_type, statement)
        state.statement = statement

    def _close(self, record_type: RecordType, statement: Any) -> None:
        """Leave restricted fields out of a reload; asked for by themselves they are refused."""
        wanted: frozenset[str] = statement._compile_options._only_load_props or frozenset()
        hidden = [
            field
            for field in record_type.restricted
            if not self.readable(record_type, field) and not wanted.isdisjoint(attributes_of(field))
        ]
        if not hidden:
            return
        rest = wanted.difference(*map(attributes_of, hidden))
        if not rest:
            self._refuse_restricted((record_type, field) for field in hidden)
        statement._compile_options += {"_only_load_props": rest}

    def _reachable(self, types: Iterable[RecordType]) -> set[RecordType]:
        """Types that loader options may bring in along navigations."""
        found: set[RecordType] = set()
        work = list(types)
        while work:
            record_type = work.pop()
            if record_type in found:
                continue
            found.add(record_type)
            for parent in record_type.parents:
                target = self.session.types.get(record_type_target(record_type, parent))
                if target is not None:
                    work.append(target)
        return found

    def readable(self, record_type: RecordType, field: Field) -> bool:
        """Whether the actor may read a field at all."""
        return field.restricted is None or self.session.can(field.restricted)

    def _refuse_restricted(self, columns: Iterable[tuple[RecordType, Field]]) -> None:
        for record_type, field in columns:
            if not self.readable(record_type, field):
                raise PermissionDenied(
                    "{record}.{field} may not be read, filtered or ordered by {principal}.",
                    mend="A role with the permission {permission} is needed.",
                    record=record_type.name,
                    field=field.name,
                    principal=self.session.actor.principal,
                    permission=field.restricted,
                )

    # -- filters -----------------------------------------------------------------------------------------------

    def environment(self) -> Environment:
        """What a filter expression may know in this session."""
        from crm_core.expressions import Environment
        from crm_core.store.derived import DERIVED

        session = self.session
        return Environment(
            now=session.now,
            at=session.at,
            tz=session.policy.tz,
            custom=session.policy.custom,
            readable=self.readable,
            visible=session.visibility.criterion,
            derived=DERIVED,
        )

    def bind(self, record_type: RecordType, expression: str) -> Filter:
        """A filter expression for one record type."""
        from crm_core.expressions import parse

        return parse(expression).bind(self.session.types, record_type, self.environment())

    def condition(self, entity: type[Record], expression: str) -> ColumnElement[bool]:
        """A filter expression as a condition that the guard lets pass, because visibility is inside."""
        condition: ColumnElement[bool] = trusted(self._bound(entity, expression).where())
        return condition

    def _bound(self, entity: type[Record], expression: str) -> Filter:
        return self.bind(self.session._own_type(entity.crm_type), expression)

    def list(
        self,
        entity: type[Any],
        where: str | None,
        order: str | None,
        limit: int | None,
        after: Sequence[Any] | None,
        all_dates: bool,
    ) -> list[Any]:
        """See :meth:`CrmSession.list`."""
        if self.session.as_of is not None:
            from crm_core.store.past import list_as_of

            return list_as_of(self.session, entity, where, order, limit, after, all_dates)
        parsed = self.order(self.session._own_type(entity.crm_type), order)
        bound = self._bound(entity, where) if where else None
        if bound is not None:
            parsed = parsed.within(bound)
        statement = select(entity)
        # Whoever sees little is better served by a sort of it; else rows are looked at in order until the page is full.
        gather = limit is None or not self.session.visibility.wide
        postgresql = self.session.dialect == "postgresql"
        if limit is not None and not gather and not self._each:
            asked = Asked(parsed, bound)
            page = chosen_page(self.session, self._shape, asked, limit, after, all_dates=all_dates)
            if page is not None:
                statement = statement.where(trusted(parsed.record_type.table.c.id.in_(page)))
                statement = statement.order_by(*(trusted(column) for column in parsed.columns()))
                return list(self.session.scalars(statement, execution_options={_CHOSEN: _TOKEN}))
            gather = self.session.store.sees_some(self.session) and asked.sorted_whole(absent_last=postgresql)
        # What somebody sees may all be old. PostgreSQL takes it for spread evenly, and would walk all that is newer.
        little = gather and limit is not None and postgresql and self.session.store.sees_some(self.session)
        statement = statement.order_by(*(trusted(column) for column in parsed.columns(sorted_by_id=little)))
        if bound is not None:
            statement = statement.where(trusted(bound.where()))
        if after is not None:
            statement = statement.where(trusted(parsed.after(after)))
        if limit is not None:
            statement = statement.limit(limit)
        options = {"all_dates": all_dates, _GATHER: gather}
        return list(self.session.scalars(statement, execution_options=options))

    def cursor(self, record: Any, order: str | None) -> tuple[Any, ...]:
        """See :meth:`CrmSession.cursor`."""
        from crm_core.store.paging import cursor_values

        return cursor_values(self.session, self.order(record.crm_type, order), record)

    def order(self, record_type: RecordType, order: str | None) -> Order:
        """An order that is written as text."""
        from crm_core.expressions import parse_order

        return parse_order(self.session.types, record_type, order or "", self.environment())

    def count(self, entity: type[Record], where: str | None, all_dates: bool) -> int:
        """See :meth:`CrmSession.count`."""
        if self.session.as_of is not None:
            return len(self.list(entity, where, None, None, None, all_dates))
        statement = select(func.count()).select_from(entity)
        if where:
            statement = statement.where(self.condition(entity, where))
        return self.session.scalar(statement, execution_options={"all_dates": all_dates, _GATHER: True}) or 0

    def as_of_one(self, entity: type[Any], ident: int) -> Any:
        """A record as the system knew it at ``as_of``."""
        from crm_core.store.past import get_as_of

        return get_as_of(self.session, entity, ident)

    def restricted_names(self, record_type: RecordType) -> frozenset[str]:
        """Fields of a type that the actor may not read, with the names of the columns that hold them."""
        return frozenset(
            name
            for field in record_type.restricted
            if not self.readable(record_type, field)
            for name in (field.name, key_column(field), *field.column_names)
        )


class _Mapped:
    """The columns of a record's table, marked as the record's: joined loading adapts to its alias only those.

    The criterion is made over them. To mark them in it afterwards would copy it as a whole.
    """

    def __init__(self, record_type: RecordType) -> None:
        mapper = inspect(record_type.cls)
        marks = {"parententity": mapper, "parentmapper": mapper}
        self.c = _Columns((each.name, each._annotate(marks)) for each in record_type.table.c)


class _Columns(dict[str, Any]):
    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@functools.cache
def _mapped(record_type: RecordType) -> Any:
    return _Mapped(record_type)


def _without_ours(state: ORMExecuteState) -> None:
    """Loading along navigations repeats the options of the statement before, whose time is not that of what it loads.

    They must propagate, or else SQLAlchemy leaves them out of joined loading.
    """
    options = getattr(state.statement, "_with_options", ())
    if any(isinstance(option, Criteria) for option in options):
        statement: Any = state.statement
        statement = statement._generate()
        statement._with_options = tuple(option for option in options if not isinstance(option, Criteria))
        state.statement = statement
