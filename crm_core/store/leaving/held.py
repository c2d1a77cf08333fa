"""What the database holds of one plugin, and who refers to it; its code is not needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Connection, Table, column, func, or_, select, table

from crm_core.store.absent import Absent, known_types
from crm_core.store.catalogue import SOFT, Reference, read_references
from crm_core.store.consumers import Consumer, consumers
from crm_core.store.leaving.tables import TableSize, columns_of, counted, foreign_keys_to, names_of, sizes
from crm_core.store.migrations import current_of
from crm_core.store.tables import CHANGE, CUSTOM_FIELD, JOB, JOB_SCHEDULE, MATCH_KEY, SEARCH_DOCUMENT
from crm_core.store.values import decode_values

__all__ = ["Held", "held", "jobs_of", "of_type"]

_TOLD_AGAIN = "feed.deliver"


@attrs.frozen(kw_only=True)
class Held:
    """What a plugin has in the database.

    ``revision`` is that of its migrations. ``types`` are the record types that were ever its own, ``columns`` the
    columns of each table. ``jobs`` counts by name and state, ``documents`` and ``changes`` by record type; ``soft``
    counts the rows of others that name its records, by table and column. ``referring`` are references that other
    plugins declare to its tables, ``tied`` columns of other tables that the database ties to them.
    """

    plugin: str
    revision: str | None
    tables: tuple[TableSize, ...]
    columns: Mapping[str, tuple[str, ...]]
    types: Mapping[str, Absent]
    custom_fields: Mapping[str, Mapping[str, str]]
    jobs: Mapping[tuple[str, str], int]
    schedules: tuple[str, ...]
    consumer: Consumer | None
    changes: Mapping[str, int]
    change_sets: int
    documents: Mapping[str, int]
    match_keys: int
    soft: Mapping[tuple[str, str], int]
    referring: tuple[Reference, ...]
    tied: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> int:
        """How many rows all its tables have."""
        return sum(table.rows for table in self.tables)

    @property
    def present(self) -> bool:
        """Whether anything of it would go with a removal."""
        return bool(self.tables or self.revision or self.jobs or self.schedules or self.consumer or self.documents)


def held(connection: Connection, plugin: str) -> Held:
    """Look; the number of statements grows neither with the rows nor with the tables and record types."""
    types = {name: each for name, each in known_types(connection).items() if each.plugin == plugin}
    tables, references = names_of(connection, plugin), read_references(connection)
    return Held(
        plugin=plugin,
        revision=current_of(connection).get(plugin),
        tables=sizes(connection, tables, {each.table: name for name, each in types.items()}),
        columns=columns_of(connection, tables),
        types=types,
        custom_fields=_custom_fields(connection, types),
        jobs=_grouped(connection, JOB, jobs_of(connection, plugin), JOB.c.name, JOB.c.state),
        schedules=tuple(
            connection.execute(
                select(JOB_SCHEDULE.c.name)
                .where(JOB_SCHEDULE.c.name.startswith(f"{plugin}.", autoescape=True))
                .order_by(JOB_SCHEDULE.c.name)
            ).scalars()
        ),
        consumer=next((each for each in consumers(connection) if each.name == plugin), None),
        changes=_by_type(connection, CHANGE, CHANGE.c.type, types),
        change_sets=connection.execute(
            select(func.count(CHANGE.c.change_set_id.distinct())).where(of_type(CHANGE.c.type, types))
        ).scalar_one(),
        documents=_by_type(connection, SEARCH_DOCUMENT, SEARCH_DOCUMENT.c.type, types),
        match_keys=sum(_by_type(connection, MATCH_KEY, MATCH_KEY.c.record_type, types).values()),
        soft=_soft(connection, plugin, types, references.get(SOFT, ())),
        referring=tuple(
            each for target, found in references.items() for each in found if target in tables and each.plugin != plugin
        ),
        tied=tuple(foreign_keys_to(connection, plugin, tables)),
    )


def of_type(column: ColumnElement[str], types: Collection[str]) -> ColumnElement[bool]:
    """A condition: that a column names one of these record types."""
    return column.in_(sorted(types))


def jobs_of(connection: Connection, plugin: str) -> ColumnElement[bool]:
    """A condition on jobs: those of the plugin's own names, and those that tell it of something again."""
    query = select(JOB.c.id, JOB.c.arguments).where(JOB.c.name == _TOLD_AGAIN)
    again = [row.id for row in connection.execute(query) if decode_values(None, row.arguments).get("plugin") == plugin]
    return or_(JOB.c.name.startswith(f"{plugin}.", autoescape=True), JOB.c.id.in_(again))


def _custom_fields(connection: Connection, types: Collection[str]) -> dict[str, dict[str, str]]:
    query = select(CUSTOM_FIELD).where(of_type(CUSTOM_FIELD.c.type, types), CUSTOM_FIELD.c.retired.is_(False))
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(query.order_by(CUSTOM_FIELD.c.type, CUSTOM_FIELD.c.name)):
        found.setdefault(row.type, {})[row.name] = row.kind
    return found


def _grouped(connection: Connection, table: Table, where: ColumnElement[bool], *keys: Any) -> dict[Any, int]:
    query = select(*keys, func.count()).select_from(table).where(where).group_by(*keys).order_by(*keys)
    rows: Any = connection.execute(query)
    return {tuple(row[:-1]): row[-1] for row in rows}


def _by_type(connection: Connection, table: Table, column: Any, types: Collection[str]) -> dict[str, int]:
    return {key[0]: count for key, count in _grouped(connection, table, of_type(column, types), column).items()}


def _soft(
    connection: Connection, plugin: str, types: Collection[str], references: Iterable[Reference]
) -> dict[tuple[str, str], int]:
    queries = {}
    for each in references:
        if each.plugin != plugin and each.type_column is not None and types:
            rows = table(each.table, column(each.type_column))
            query = select(func.count()).select_from(rows).where(of_type(rows.c[each.type_column], types))
            queries[each.table, each.column] = query
    return {where: count for where, count in counted(connection, queries).items() if count}
