"""Every row of a build's records, judged by the checks of its fields as if it were written anew."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import inspect, select

from crm_core.errors import CrmError, Problem
from crm_core.records import RecordType
from crm_core.store.copies.contents import Tell, quiet

if TYPE_CHECKING:
    from crm_core.fields import Field
    from crm_core.store.store import Store

__all__ = ["Failing", "failing_rows", "missing_columns"]

_BATCH = 1000
_EXAMPLES = 5


@attrs.define
class Failing:
    """Rows whose value a field does not take: how many, ids of some, and what is wrong with the first."""

    rows: int
    ids: list[int]
    problem: Problem


def missing_columns(store: Store) -> dict[str, tuple[str, ...]]:
    """By record type, the columns that its table should have and has not."""
    with store.reading() as connection:
        inspector = inspect(connection)
        there = set(inspector.get_table_names())
        found = {}
        for name, record_type in store.types.items():
            table = record_type.table
            known = {each["name"] for each in inspector.get_columns(table.name)} if table.name in there else set()
            if missing := tuple(column.name for column in table.columns if column.name not in known):
                found[name] = missing
    return found


def failing_rows(store: Store, tell: Tell = quiet) -> dict[tuple[str, str], Failing]:
    """By record type and field, the rows that could not be written as they are.

    Fields without a column are passed over: :func:`missing_columns` tells of them.
    """
    missing = missing_columns(store)
    found: dict[tuple[str, str], Failing] = {}
    types = list(store.types.values())
    for number, record_type in enumerate(types):
        tell("checking", number, len(types))
        _check(store, record_type, found, missing.get(record_type.name, ()))
    tell("checking", len(types), len(types))
    return found


def _check(
    store: Store, record_type: RecordType, found: dict[tuple[str, str], Failing], missing: Collection[str]
) -> None:
    if "id" in missing:
        return
    custom = store.policy.custom.get(record_type.name, {})
    # As the database has them: a value that a field cannot even read is what is looked for.
    with store.reading() as connection:
        table = record_type.table
        ids = connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all()
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            for field in record_type.fields:
                if not set(missing).isdisjoint(field.column_names):
                    continue
                columns = [table.c[name] for name in field.column_names]
                try:
                    rows: Any = connection.execute(select(table.c.id, *columns).where(table.c.id.in_(part))).all()
                except (LookupError, ValueError) as error:
                    problem = Problem(field.name, "A value cannot be read: {reason}.", "", {"reason": str(error)})
                    _note(found, record_type, field.name, part[0], problem, len(part))
                    continue
                for id_, *values in rows:
                    _judge(found, record_type, field, id_, values)
            if custom and "custom" not in missing:
                held = connection.execute(select(table.c.id, table.c.custom).where(table.c.id.in_(part)))
                for id_, value in held:
                    _judge_custom(found, record_type, custom, id_, value or {})


def _judge(
    found: dict[tuple[str, str], Failing], record_type: RecordType, field: Field, id_: int, values: list[Any]
) -> None:
    value = values[0] if len(values) == 1 else field.kind.join(tuple(values))
    try:
        field.check(value)
    except CrmError as error:
        problems = getattr(error, "problems", ()) or (Problem(field.name, error.problem, error.mend, error.values),)
        _note(found, record_type, field.name, id_, problems[0])


def _judge_custom(
    found: dict[tuple[str, str], Failing], record_type: RecordType, custom: Mapping[str, Field], id_: int,
    value: Mapping[str, Any],
) -> None:  # fmt: skip
    for name, each in custom.items():
        held = value.get(name)
        try:
            if held is not None:
                each.kind.check(each.kind.decode(held))
        except CrmError as error:
            problem = Problem(f"custom.{name}", error.problem, error.mend, error.values)
            _note(found, record_type, f"custom.{name}", id_, problem)


def _note(
    found: dict[tuple[str, str], Failing],
    record_type: RecordType,
    field: str,
    id_: int,
    problem: Problem,
    rows: int = 1,
) -> None:
    known = found.setdefault((record_type.name, field), Failing(0, [], problem))
    known.rows += rows
    if len(known.ids) < _EXAMPLES:
        known.ids.append(id_)
